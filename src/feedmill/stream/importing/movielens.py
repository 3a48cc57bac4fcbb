"""MovieLens (Harper and Konstan, 2015), as published: latest-small, latest, 20M, 25M, 32M (CSV), 1M and 10M (`::`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from feedmill.domain.clock import Clock
from feedmill.domain.errors import InvalidFile, InvalidRecord
from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Item, Record, Scalar, User
from feedmill.stream.importing.delimited import DelimitedRows
from feedmill.stream.importing.files import InputFile
from feedmill.stream.importing.lines import Lines
from feedmill.stream.importing.proposals import NEGATIVES, Proposal, Tally
from feedmill.stream.importing.source import Part, Reject
from feedmill.stream.validation import Validator, check_id, check_number, check_strings, check_text, derive_event_id

ACTIONS: dict[str, Action] = {
    "rating": Action("positive", repeats="last", threshold=3.5, example_without_impression=True, negatives=NEGATIVES),
    "tag": Action("neutral"),
}
OBJECTIVES: dict[str, Objective] = {"like": Objective("rating", threshold=3.5)}
FEATURES: dict[str, tuple[str, ...]] = {"user_attributes": ("gender", "age", "occupation")}
"""Of 1M, which alone says who its users are; postal codes are nearly as many as users."""

_YEAR = re.compile(r"\((\d{4})(?:[-–]\d{0,4})?\)\s*$")
_T = TypeVar("_T")
_NO_GENRES = "(no genres listed)"


@dataclass(frozen=True, slots=True)
class _Layout:
    """How one family of releases is written."""

    suffix: str
    encoding: str
    columns: dict[str, tuple[str, ...]]
    """File stem to its columns."""


_CSV = _Layout(
    ".csv",
    "utf-8",
    {
        "ratings": ("userId", "movieId", "rating", "timestamp"),
        "tags": ("userId", "movieId", "tag", "timestamp"),
        "movies": ("movieId", "title", "genres"),
        "links": ("movieId", "imdbId", "tmdbId"),
    },
)
_DAT_COLUMNS = {
    "ratings": ("UserID", "MovieID", "Rating", "Timestamp"),
    "tags": ("UserID", "MovieID", "Tag", "Timestamp"),
    "movies": ("MovieID", "Title", "Genres"),
    "users": ("UserID", "Gender", "Age", "Occupation", "Zip-code"),
}
_TEN_MILLION = _Layout(".dat", "utf-8", _DAT_COLUMNS)
_ONE_MILLION = _Layout(".dat", "latin-1", _DAT_COLUMNS)


class MovieLensSource:
    """A folder of MovieLens as a Source.

    A rating is an event `rating` with the stars as its value. A tag is an event `tag` with the words in its context;
    the words are part of what tells it from others, for people tag a movie twice in a second. A movie's `created_at`
    is the first of January of the year in its title, its categories are its genres. Raises InvalidFile where the
    folder holds no ratings.
    """

    mapping: dict[str, str]
    timestamp_unit = "s"

    def __init__(self, folder: Path, clock: Clock) -> None:
        if not folder.is_dir():
            raise InvalidFile(f"{folder}: not a folder; name the one that holds MovieLens' ratings")
        folder = _unpacked(folder)
        if (folder / "ratings.csv").exists():
            self._layout = _CSV
        elif (folder / "ratings.dat").exists():
            # Only 1M says who the users are, and only 1M is not in UTF-8.
            self._layout = _ONE_MILLION if (folder / "users.dat").exists() else _TEN_MILLION
        else:
            raise InvalidFile(f"{folder}: holds neither ratings.csv nor ratings.dat; is it a folder of MovieLens?")
        paths = {stem: folder / f"{stem}{self._layout.suffix}" for stem in self._layout.columns}
        self._files = {stem: InputFile(path, "delimited") for stem, path in paths.items() if path.exists()}
        self._validator = Validator(clock)
        self.mapping = {}

    @property
    def total_bytes(self) -> int:
        return sum(file.size for file in self._files.values())

    @property
    def bytes_read(self) -> int:
        return sum(file.bytes_read for file in self._files.values())

    def events(self) -> list[Part]:
        return [Part("rows", self._records("ratings", self._rating)), Part("tags", self._records("tags", self._tag))]

    def catalog(self, start: int) -> list[Part]:
        return [
            Part("users", self._records("users", lambda cells: _user(cells, start))),
            Part("items", self._movies(start)),
        ]

    def propose(self, _tally: Tally, known: dict[str, Action]) -> Proposal:
        features = FEATURES if "users" in self._files else {}
        return Proposal({name: action for name, action in ACTIONS.items() if name not in known}, OBJECTIVES, features)

    def _rating(self, cells: list[str]) -> Record:
        user_id, movie_id = check_id("userId", cells[0]), check_id("movieId", cells[1])
        stars = check_number("rating", _number("rating", cells[2]))
        timestamp = self._validator.time("timestamp", _number("timestamp", cells[3]), "s")
        event_id = derive_event_id(user_id, movie_id, "rating", timestamp)
        return Record("event", timestamp, user_id, movie_id, "rating", stars, event_id)

    def _tag(self, cells: list[str]) -> Record:
        user_id, movie_id = check_id("userId", cells[0]), check_id("movieId", cells[1])
        words = check_text("tag", cells[2])
        timestamp = self._validator.time("timestamp", _number("timestamp", cells[3]), "s")
        event_id = derive_event_id(user_id, movie_id, "tag", timestamp, words)
        return Record("event", timestamp, user_id, movie_id, "tag", None, event_id, context={"tag": words})

    def _movies(self, start: int) -> Iterator[Record | Reject]:
        links: dict[str, dict[str, Scalar]] = {}
        for link in self._records("links", _link):
            if isinstance(link, Reject):
                yield link
            else:
                links.update([link])
        yield from self._records("movies", lambda cells: _movie(cells, start, links))

    def _records(self, stem: str, read: Callable[[list[str]], _T]) -> Iterator[_T | Reject]:
        """The rows of one file, made records; none where the release does not have it."""
        file = self._files.get(stem)
        if file is None:
            return
        rows = _csv_rows if self._layout is _CSV else _dat_rows
        for line, cells, problem, text in rows(file, self._layout.columns[stem], self._layout.encoding):
            if problem:
                yield Reject(str(file.path), line, "", problem, text())
                continue
            try:
                yield read(cells)
            except InvalidRecord as error:
                yield Reject(str(file.path), line, error.field, error.problem, text())


_Rows = Iterator[tuple[int, list[str], str, Callable[[], str]]]


def _csv_rows(file: InputFile, columns: tuple[str, ...], _encoding: str) -> _Rows:
    with file.open() as stream:
        rows = DelimitedRows(stream, str(file.path))
        if tuple(rows.header) != columns:
            raise InvalidFile(
                f"{file.path}: its columns are {', '.join(rows.header)}; they should be {', '.join(columns)}"
            )
        for line, cells, problem in rows:
            yield line, cells, problem, rows.text


def _dat_rows(file: InputFile, columns: tuple[str, ...], encoding: str) -> _Rows:
    with file.open() as stream:
        for number, line, problem in Lines(stream, encoding):
            text = line.rstrip("\r\n")
            if not text:
                continue
            cells = text.split("::")
            if len(cells) > len(columns):
                # Nothing is quoted in this layout: what is free text may hold colons, and stands in the middle.
                middle = len(columns) - 2
                cells = [*cells[:middle], "::".join(cells[middle:-1]), cells[-1]]
            if not problem and len(cells) != len(columns):
                problem = f"has {len(cells)} columns, {file.path.name} has {len(columns)}: {'::'.join(columns)}"
            yield number, cells, problem, text.__str__


def _unpacked(folder: Path) -> Path:
    """The folder itself, or the only folder in it: the archives hold one."""
    inner = [path for path in folder.iterdir() if path.is_dir()]
    alone = len(inner) == 1 and not any(folder.glob("ratings.*"))
    return inner[0] if alone else folder


def _user(cells: list[str], start: int) -> Record:
    names = ("gender", "age", "occupation", "zip_code")
    attributes: dict[str, Scalar] = {
        name: check_text(name, text) for name, text in zip(names, cells[1:], strict=True) if text
    }
    return Record("user", start, check_id("UserID", cells[0]), body=User(attributes=attributes))


def _movie(cells: list[str], start: int, links: dict[str, dict[str, Scalar]]) -> Record:
    movie_id, title = check_id("movieId", cells[0]), check_text("title", cells[1].strip())
    year = _YEAR.search(title)
    created = (
        int(datetime(int(year[1]), 1, 1, tzinfo=UTC).timestamp()) * 1000 if year and int(year[1]) >= 1800 else None
    )
    genres = [genre for genre in cells[2].split("|") if genre and genre != _NO_GENRES]
    body = Item(
        title=title,
        created_at=created,
        categories=check_strings("genres", genres),
        attributes=links.get(movie_id, {}),
    )
    return Record("item", start if created is None else max(0, min(created, start)), object=movie_id, body=body)


def _link(cells: list[str]) -> tuple[str, dict[str, Scalar]]:
    pairs = zip(("imdb_id", "tmdb_id"), cells[1:], strict=True)
    return check_id("movieId", cells[0]), {name: check_text(name, text) for name, text in pairs if text}


def _number(column: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidRecord(column, f"must be a number, is {text!r:.60}") from None
