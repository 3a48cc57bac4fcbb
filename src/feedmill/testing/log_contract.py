"""What every log must do. A subclass of `LogContract` says how to open one; pytest does the rest.

class TestMyLog(LogContract):
    durable = True

    def open_log(self, place: Path) -> Log:
        return MyLog(place)
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.records import Audience, Item, Record, Served, ServedItem, User
from feedmill.stream.log.protocol import Log


def event(number: int, event_id: str | None = None) -> Record:
    """The event with this number: always the same record for the same arguments."""
    return Record(
        "event",
        timestamp=1_651_161_600_000 + number,
        subject=f"u{number % 7}",
        object=f"i{number % 11}",
        action="view",
        value=number / 4,
        event_id=f"event-{number}" if event_id is None else event_id,
    )


def read_all(log: Log, limit: int = 1000) -> list[Record]:
    """Every record of a log, read `limit` at a time."""
    records: list[Record] = []
    position = 0
    while True:
        page, following = log.read(position, limit)
        if not page:
            assert following == position
            return records
        records += page
        position = following


class LogContract:
    """The tests of the protocol `Log`."""

    durable = True
    """Whether a log that is opened again at the same place has its records still."""

    def open_log(self, place: Path) -> Log:
        """The log kept under `place` (a directory that exists), created when there is none."""
        raise NotImplementedError

    def test_a_new_log_is_empty(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        assert log.end() == 0
        assert log.read(0, 10) == ([], 0)
        log.close()

    def test_records_come_back_in_the_order_of_their_append(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        log.append([event(3), event(1)])
        log.append([event(2)])
        assert read_all(log) == [event(3), event(1), event(2)]
        log.close()

    def test_every_kind_of_record_comes_back_equal(self, tmp_path: Path) -> None:
        item = Item(title="Ü", tags=("a", "b"), embedding=(0.5, -1.0), audience=Audience(users=("u1",), max_views=2))
        place = ServedItem("i1", 1, "new here", 0.25, {"like": 0.5}, 0.125, ("fresh", "liked"), True)
        page = Served((place,), arms={"e": "a"}, features=b"\x00\xff", previous="r0", limit=20, note="ü", traced=True)
        records = [
            event(1),
            Record("item", 5, object="i1", body=item, event_id="x"),
            Record("user", 6, subject="u1", body=User(interests=("a",), attributes={"age": 31, "new": True})),
            Record("served", 7, subject="u1", request_id="r1", body=page),
            Record("seen", 8, subject="u1", object="i1", outcomes={"like": 1.0}, context={"hour": 3, "x": None}),
            Record("relation", 9, subject="u1", object="u2", action="follow", object_kind="user"),
            Record("retraction", 10, subject="u1", object="u2", action="follow", object_kind="user"),
            Record("heartbeat", -62_135_596_800_000, tenant="t"),
        ]
        log = self.open_log(tmp_path)
        log.append(records)
        assert read_all(log) == records
        log.close()

    def test_append_returns_the_position_after_its_last_record(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        first = log.append([event(1), event(2)]).position
        assert first == log.end()
        assert log.read(first, 10) == ([], first)
        second = log.append([event(3)]).position
        assert log.read(first, 10) == ([event(3)], second)
        assert second == log.end()
        log.close()

    def test_reading_stops_at_the_limit_and_goes_on_from_the_position_returned(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        records = [event(number) for number in range(10)]
        log.append(records)
        first, position = log.read(0, 4)
        rest, end = log.read(position, 100)
        assert (first, rest, end) == (records[:4], records[4:], log.end())
        assert log.read(position, 0) == ([], position)
        log.close()

    def test_appending_nothing_changes_nothing(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        end = log.append([event(1)]).position
        appended = log.append([])
        assert appended.position == end
        assert len(appended.duplicates) == 0
        log.close()

    def test_a_record_that_is_appended_twice_is_stored_once(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        log.append([event(1), event(2)])
        again = log.append([event(2), event(3), event(1)])
        assert again.duplicates.dtype == np.bool_
        assert again.duplicates.tolist() == [True, False, True]
        assert again.position == log.end()
        assert read_all(log) == [event(1), event(2), event(3)]
        log.close()

    def test_of_two_records_with_one_event_id_in_one_append_the_first_wins(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        appended = log.append([event(1, "x"), event(2, "y"), event(3, "x"), event(4, "x")])
        assert appended.duplicates.tolist() == [False, False, True, True]
        assert read_all(log) == [event(1, "x"), event(2, "y")]
        log.close()

    def test_a_record_without_an_event_id_is_never_a_duplicate(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        assert not log.append([event(1, ""), event(1, "")]).duplicates.any()
        assert not log.append([event(1, "")]).duplicates.any()
        assert read_all(log) == [event(1, "")] * 3
        log.close()

    def test_records_that_differ_only_in_their_event_id_are_both_stored(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        assert not log.append([event(1, "a"), event(1, "b")]).duplicates.any()
        assert len(read_all(log)) == 2
        log.close()

    def test_a_record_is_found_by_its_event_id_as_soon_as_it_is_appended(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        assert log.find(["event-1"]) == [None]
        for number in range(50):
            log.append([event(number), event(number + 100)])
            assert log.find([f"event-{number}"]) == [event(number)]
        asked = ["event-149", "event-1000", "event-0", "event-149", "event-00"]
        assert log.find(asked) == [event(149), None, event(0), event(149), None]
        assert log.find([]) == []
        log.close()

    def test_a_record_without_an_event_id_is_not_found(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        log.append([event(1, ""), event(2)])
        assert log.find(["", "event-2"]) == [None, event(2)]
        log.close()

    def test_of_records_with_one_event_id_the_first_is_found(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        log.append([event(1, "x")])
        log.append([event(2, "x"), event(3, "y"), event(4, "y")])
        assert log.find(["x", "y"]) == [event(1, "x"), event(3, "y")]
        log.close()

    def test_records_are_found_beside_appends(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        missed: list[int] = []

        def write(thread: int) -> None:
            for batch in range(20):
                numbers = [thread * 1000 + batch * 10 + one for one in range(10)]
                log.append([event(number) for number in numbers])
                found = log.find([f"event-{number}" for number in (*numbers, thread * 1000)])
                missed.extend(number for number, one in zip(numbers, found, strict=False) if one != event(number))
                missed.extend([] if found[-1] == event(thread * 1000) else [thread])

        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert missed == []
        assert log.end() > 0
        log.close()

    def test_a_position_that_is_not_of_this_log_is_refused(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        end = log.append([event(1)]).position
        with pytest.raises(InvalidArgument, match=str(end + 1)):
            log.read(end + 1, 10)
        with pytest.raises(InvalidArgument, match="-1"):
            log.read(-1, 10)
        with pytest.raises(InvalidArgument, match="limit"):
            log.read(0, -1)
        log.close()

    def test_a_log_that_is_opened_again_has_its_records_and_knows_its_duplicates(self, tmp_path: Path) -> None:
        if not self.durable:
            pytest.skip("this log keeps nothing when it is closed")
        log = self.open_log(tmp_path)
        end = log.append([event(number) for number in range(50)]).position
        log.close()
        log = self.open_log(tmp_path)
        assert log.end() == end
        assert log.find(["event-0", "event-49", "event-50"]) == [event(0), event(49), None]
        assert log.append([event(49), event(50), event(0)]).duplicates.tolist() == [True, False, True]
        assert read_all(log) == [event(number) for number in range(51)]
        log.close()

    def test_appends_from_several_threads_are_all_stored_once_and_in_their_own_order(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        known: list[int] = []

        def write(thread: int) -> None:
            for batch in range(20):
                numbers = range(thread * 1000 + batch * 10, thread * 1000 + batch * 10 + 10)
                shared = event(1_000_000 + batch)
                appended = log.append([*map(event, numbers), shared])
                known.append(int(appended.duplicates.sum()))

        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        numbers = [record.timestamp - 1_651_161_600_000 for record in read_all(log)]
        assert len(numbers) == len(set(numbers)) == 4 * 200 + 20
        assert sum(known) == 3 * 20
        for start in range(0, 4000, 1000):
            own = [number for number in numbers if start <= number < start + 1000]
            assert own == list(range(start, start + 200))
        log.close()

    def test_a_reader_beside_a_writer_sees_whole_records_in_order(self, tmp_path: Path) -> None:
        log = self.open_log(tmp_path)
        writer = threading.Thread(
            target=lambda: [log.append([event(n) for n in range(start, start + 50)]) for start in range(0, 2000, 50)]
        )
        writer.start()
        seen: list[Record] = []
        position = 0
        while len(seen) < 2000:
            page, position = log.read(position, 64)
            seen += page
            if not page and not writer.is_alive() and position == log.end():
                break
        writer.join()
        assert seen == [event(number) for number in range(2000)]
        log.close()
