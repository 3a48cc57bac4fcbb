from __future__ import annotations

from feedmill.serve.pipeline.breaker import CircuitBreaker


class Timer:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_breaker_opens_after_failures_in_a_row_and_not_before() -> None:
    breaker = CircuitBreaker(failures=2, pause=10, timer=Timer())
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()


def test_an_open_breaker_lets_one_call_through_after_the_pause() -> None:
    timer = Timer()
    breaker = CircuitBreaker(failures=1, pause=10, timer=timer)
    breaker.failed()
    timer.seconds = 9.9
    assert not breaker.allows()
    timer.seconds = 10
    assert [breaker.allows(), breaker.allows()] == [True, False]


def test_a_call_that_succeeds_closes_the_breaker_and_one_that_fails_opens_it_again() -> None:
    timer = Timer()
    breaker = CircuitBreaker(failures=1, pause=10, timer=timer)
    breaker.failed()
    timer.seconds = 10
    assert breaker.allows()
    breaker.failed()
    timer.seconds = 19.9
    assert not breaker.allows()
    timer.seconds = 20
    assert breaker.allows()
    breaker.succeeded()
    assert [breaker.allows(), breaker.allows()] == [True, True]
