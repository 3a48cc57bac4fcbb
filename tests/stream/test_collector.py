"""The collector of garbage rests where it is told to, and goes on afterwards."""

from __future__ import annotations

import gc

import pytest

from feedmill.stream.collector import paused_collector


def test_it_rests_in_the_body_and_goes_on_after_it_however_that_ends() -> None:
    with paused_collector():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="body"), paused_collector():
        raise ValueError("body")
    assert gc.isenabled()


def test_where_it_was_off_it_stays_off() -> None:
    gc.disable()
    try:
        with paused_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
