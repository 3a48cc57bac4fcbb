"""Cursors name the page that they follow; a session looks back on all its pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedmill.domain.errors import InvalidRecord
from feedmill.serve.session import (
    PageOfSession,
    Recent,
    digest_of,
    make_cursor,
    new_request_id,
    read_cursor,
    shown_so_far,
)

ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60)


@given(ids)
def test_a_cursor_gives_back_the_request_that_it_follows(request_id: str) -> None:
    cursor = make_cursor(request_id)
    assert read_cursor(cursor) == request_id
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=60))
def test_what_is_no_cursor_is_refused_by_name(text: str) -> None:
    field = ""
    try:
        request_id = read_cursor(text)
    except InvalidRecord as error:
        field = error.field
    else:
        assert make_cursor(request_id).rstrip("=") == text.rstrip("=")
    assert field in ("", "cursor")


@pytest.mark.parametrize("text", ["", "x", "MQ", "Mf8", make_cursor("a\0b"), make_cursor("x" * 257)])
def test_cursors_that_name_no_request_are_refused(text: str) -> None:
    with pytest.raises(InvalidRecord, match="cursor: is not one that a page of this server gave"):
        read_cursor(text)


def test_a_question_has_one_digest_and_another_question_another() -> None:
    assert digest_of(("a", 20, "feed")) == digest_of(("a", 20, "feed"))
    assert len({digest_of(("a", 20, "feed")), digest_of(("a", 20, "home")), digest_of(("b", 20, "feed"))}) == 3
    assert new_request_id() != new_request_id()


def test_a_session_has_shown_the_items_of_all_its_pages() -> None:
    pages = {
        "1": PageOfSession("u", "feed", ("a", "b"), ""),
        "2": PageOfSession("u", "feed", ("c",), "1"),
        "3": PageOfSession("u", "feed", ("d", "e"), "2"),
    }
    assert shown_so_far(pages["3"], pages.get) == ("d", "e", "c", "a", "b")
    assert shown_so_far(pages["1"], pages.get) == ("a", "b")
    del pages["2"]
    assert shown_so_far(pages["3"], pages.get) == ("d", "e")


def test_a_session_that_turns_in_a_circle_comes_to_an_end() -> None:
    page = PageOfSession("u", "feed", ("a",), "1")
    assert shown_so_far(page, lambda request_id: page) == ("a",) * 500


def test_the_last_pages_are_remembered_as_many_as_their_items_allow() -> None:
    recent: Recent[int] = Recent(most_items=45)
    for number in range(4):
        recent.put(str(number), number, 20)
    assert [recent.get(str(number)) for number in range(4)] == [None, None, 2, 3]
    recent.put("large", 9, 1_000)
    assert [recent.get(name) for name in ("2", "3", "large")] == [None, None, 9]
