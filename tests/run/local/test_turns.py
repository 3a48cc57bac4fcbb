"""A lock that is handed on in the order in which it was asked for."""

from __future__ import annotations

import threading

from feedmill.run.local.turns import Turns


def test_one_thread_at_a_time_holds_it() -> None:
    turns, inside, most = Turns(), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(200):
            with turns:
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (most, inside) == (1, 0)


def test_waiters_are_served_in_the_order_in_which_they_came() -> None:
    turns, served = Turns(), []

    def work(number: int) -> None:
        with turns:
            served.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    with turns:
        for number, thread in enumerate(threads):
            thread.start()
            while turns.waiting <= number:
                pass
    for thread in threads:
        thread.join(30)
    assert served == list(range(20))


def test_who_gives_it_back_and_asks_again_stands_behind_who_waits() -> None:
    turns, order = Turns(), []

    def wait() -> None:
        with turns:
            order.append("waiter")

    waiter = threading.Thread(target=wait)
    with turns:
        waiter.start()
        while turns.waiting == 0:
            pass
        order.append("holder")
    with turns:
        order.append("holder again")
    waiter.join(30)
    assert order == ["holder", "waiter", "holder again"]


def test_it_is_given_back_when_the_work_fails() -> None:
    turns = Turns()
    for _ in range(2):
        try:
            with turns:
                raise ValueError
        except ValueError:
            pass
    with turns:
        pass
