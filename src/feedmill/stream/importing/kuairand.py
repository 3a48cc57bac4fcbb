"""KuaiRand (Gao et al., CIKM 2022): impressions of a short-video app, as published (Pure, 1K, 27K, or excerpts)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

from feedmill.domain.clock import Clock
from feedmill.domain.errors import InvalidFile, InvalidRecord
from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Item, Record, Scalar, User
from feedmill.stream.importing.delimited import DelimitedRows
from feedmill.stream.importing.files import InputFile
from feedmill.stream.importing.proposals import Proposal, Tally
from feedmill.stream.importing.source import Part, Reject
from feedmill.stream.validation import Validator, check_id, check_number, check_strings, check_text, derive_event_id

ACTIONS: dict[str, Action] = {
    "click": Action("positive"),
    "long_view": Action("positive"),
    "like": Action("positive"),
    "follow": Action("positive"),
    "comment": Action("positive"),
    "forward": Action("positive"),
    "profile_enter": Action("positive"),
    "hate": Action("negative", hides=True),
    "view": Action("neutral", repeats="sum"),
    "profile_stay": Action("neutral", repeats="sum"),
    "comment_stay": Action("neutral", repeats="sum"),
}
OBJECTIVES: dict[str, Objective] = {
    "click": Objective("click", weight=1.0),
    "long_view": Objective("long_view", weight=2.0),
    "like": Objective("like", weight=5.0),
}
FEATURES: dict[str, tuple[str, ...]] = {
    "context": ("surface",),
    "user_attributes": (
        "user_active_degree",
        "is_lowactive_period",
        "is_live_streamer",
        "is_video_author",
        "follow_user_num_range",
        "fans_user_num_range",
        "friend_user_num_range",
        "register_days_range",
        *(f"onehot_feat{number}" for number in range(18)),
    ),
    "item_attributes": ("video_type", "upload_type", "music_type"),
}

_FLAGS = {
    "is_click": "click",
    "is_like": "like",
    "is_follow": "follow",
    "is_comment": "comment",
    "is_forward": "forward",
    "is_hate": "hate",
    "long_view": "long_view",
    "is_profile_enter": "profile_enter",
}
_TIMES = {"play_time_ms": "view", "profile_stay_time": "profile_stay", "comment_stay_time": "comment_stay"}
_LOG_COLUMNS = ("user_id", "video_id", "time_ms", "duration_ms", "is_rand", "tab", *_FLAGS, *_TIMES)
_VIDEO_COLUMNS = ("video_id", "author_id", "upload_dt", "video_duration", "tag")
_VIDEO_ATTRIBUTES = ("video_type", "upload_type", "visible_status", "music_id", "music_type")
_VIDEO_NUMBERS = ("server_width", "server_height")
_BEIJING = timezone(timedelta(hours=8))


class KuaiRandSource:
    """A folder of KuaiRand as a Source.

    A row of a log is one impression, seen, with the actions that followed; user, video and `time_ms` tell it from
    others. Outcomes are 1 for a flag that is set and seconds for times that are not 0. The context holds what was
    known before watching: the surface (`tab`), whether the video was inserted at random, its duration in seconds.
    Users and videos keep the published columns as attributes: counts and sizes as numbers, flags, ranges and coded
    features as strings. `video_features_statistic` is not read: it sums up the future.

    Raises InvalidFile where the folder holds no log.
    """

    mapping: dict[str, str]
    timestamp_unit = "ms"

    def __init__(self, folder: Path, clock: Clock) -> None:
        if not folder.is_dir():
            raise InvalidFile(f"{folder}: not a folder; name the one that holds KuaiRand's log_*.csv")
        inner = folder / "data"
        folder = folder if any(folder.glob("log_*.csv")) or not inner.is_dir() else inner
        self._logs = _files(folder, "log_*.csv")
        self._users = _files(folder, "user_features*.csv")
        self._videos = _files(folder, "video_features_basic*.csv")
        if not self._logs:
            raise InvalidFile(f"{folder}: holds no log_*.csv; is it a folder of KuaiRand?")
        self._validator = Validator(clock)
        self.mapping = {}

    @property
    def total_bytes(self) -> int:
        return sum(file.size for file in self._files)

    @property
    def bytes_read(self) -> int:
        return sum(file.bytes_read for file in self._files)

    @property
    def _files(self) -> list[InputFile]:
        return [*self._logs, *self._users, *self._videos]

    def events(self) -> list[Part]:
        return [Part("rows", _records(file, _LOG_COLUMNS, self._impressions)) for file in self._logs]

    def catalog(self, start: int) -> list[Part]:
        def users(header: list[str]) -> Callable[[list[str]], Record]:
            return _user_reader(header, start)

        def videos(header: list[str]) -> Callable[[list[str]], Record]:
            return _video_reader(header, start)

        return [
            *(Part("users", _records(file, ("user_id",), users)) for file in self._users),
            *(Part("items", _records(file, _VIDEO_COLUMNS, videos)) for file in self._videos),
        ]

    def propose(self, _tally: Tally, known: dict[str, Action]) -> Proposal:
        return Proposal({name: action for name, action in ACTIONS.items() if name not in known}, OBJECTIVES, FEATURES)

    def _impressions(self, header: list[str]) -> Callable[[list[str]], Record]:
        at = {name: place for place, name in enumerate(header)}
        flags = [(at[column], action, column) for column, action in _FLAGS.items()]
        times = [(at[column], action, column) for column, action in _TIMES.items()]
        user_at, video_at, time_at = at["user_id"], at["video_id"], at["time_ms"]
        duration_at, random_at, tab_at = at["duration_ms"], at["is_rand"], at["tab"]
        check_time = self._validator.time

        def read(cells: list[str]) -> Record:
            user_id, video_id = check_id("user_id", cells[user_at]), check_id("video_id", cells[video_at])
            timestamp = check_time("time_ms", _integer("time_ms", cells[time_at]))
            outcomes = {action: 1.0 for place, action, column in flags if _flag(column, cells[place])}
            for place, action, column in times:
                if cells[place] != "0" and (seconds := _seconds(column, cells[place])):
                    outcomes[action] = seconds
            context: dict[str, Scalar] = {
                "surface": check_id("tab", cells[tab_at]),
                "is_rand": _flag("is_rand", cells[random_at]),
                "duration": _seconds("duration_ms", cells[duration_at]),
            }
            return Record(
                "seen",
                timestamp,
                user_id,
                video_id,
                event_id=derive_event_id(user_id, video_id, "seen", timestamp),
                context=context,
                outcomes=outcomes,
            )

        return read


def _files(folder: Path, pattern: str) -> list[InputFile]:
    return [InputFile(path, "delimited") for path in sorted(folder.glob(pattern))]


def _records(
    file: InputFile, columns: tuple[str, ...], reader: Callable[[list[str]], Callable[[list[str]], Record]]
) -> Iterator[Record | Reject]:
    """The rows of a file that has these columns, as `reader(header)` makes records of them."""
    name = str(file.path)
    with file.open() as stream:
        rows = DelimitedRows(stream, name)
        missing = [column for column in columns if column not in rows.header]
        if missing:
            raise InvalidFile(f"{name}: has no column {missing[0]!r}, which KuaiRand publishes; is it another file?")
        read = reader(rows.header)
        for line, cells, problem in rows:
            if problem:
                yield Reject(name, line, "", problem, rows.text())
                continue
            try:
                yield read(cells)
            except InvalidRecord as error:
                yield Reject(name, line, error.field, error.problem, rows.text())


def _user_reader(header: list[str], start: int) -> Callable[[list[str]], Record]:
    user_at = header.index("user_id")
    numeric = {place for place, name in enumerate(header) if name.endswith("_num") or name == "register_days"}
    names = [(place, name) for place, name in enumerate(header) if place != user_at]

    def read(cells: list[str]) -> Record:
        attributes: dict[str, Scalar] = {
            name: _plain_number(name, cells[place]) if place in numeric else _category(name, cells[place])
            for place, name in names
            if cells[place]
        }
        return Record("user", start, check_id("user_id", cells[user_at]), body=User(attributes=attributes))

    return read


def _video_reader(header: list[str], start: int) -> Callable[[list[str]], Record]:
    at = {name: place for place, name in enumerate(header)}
    categories = [(at[name], name) for name in _VIDEO_ATTRIBUTES if name in at]
    numbers = [(at[name], name) for name in _VIDEO_NUMBERS if name in at]

    def read(cells: list[str]) -> Record:
        created = _upload_day(cells[at["upload_dt"]])
        duration, tags = cells[at["video_duration"]], cells[at["tag"]]
        attributes: dict[str, Scalar] = {
            name: _category(name, cells[place]) for place, name in categories if cells[place]
        }
        attributes.update((name, _plain_number(name, cells[place])) for place, name in numbers if cells[place])
        body = Item(
            author_id=check_id("author_id", cells[at["author_id"]]) if cells[at["author_id"]] else None,
            created_at=created,
            tags=check_strings("tag", [tag for tag in tags.split(",") if tag]),
            duration=_seconds("video_duration", duration) if duration else None,
            attributes=attributes,
        )
        moment = start if created is None else min(created, start)
        return Record("item", moment, object=check_id("video_id", cells[at["video_id"]]), body=body)

    return read


def _upload_day(text: str) -> int | None:
    """The first moment of the day in Beijing, whose days these are: no video is younger than it says."""
    if not text:
        return None
    try:
        moment = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=_BEIJING)
    except ValueError:
        raise InvalidRecord("upload_dt", f"must be a day as 2022-04-10, is {text!r:.60}") from None
    return max(0, int(moment.timestamp()) * 1000)


def _flag(column: str, text: str) -> bool:
    if text == "0":
        return False
    if text == "1":
        return True
    raise InvalidRecord(column, f"must be 0 or 1, is {text!r:.60}")


def _integer(column: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidRecord(column, f"must be a whole number, is {text!r:.60}") from None


def _seconds(column: str, text: str) -> float:
    """Milliseconds as seconds."""
    try:
        return check_number(column, float(text)) / 1000
    except ValueError:
        raise InvalidRecord(column, f"must be a number, is {text!r:.60}") from None


@lru_cache(1 << 16)
def _plain_number(column: str, text: str) -> int | float:
    try:
        number = check_number(column, float(text))
    except ValueError:
        raise InvalidRecord(column, f"must be a number, is {text!r:.60}") from None
    return int(number) if number.is_integer() else number


@lru_cache(1 << 16)
def _category(column: str, text: str) -> str:
    """A code as a string; the `.0` that missing values have brought to some columns goes."""
    return check_text(column, text.removesuffix(".0"))
