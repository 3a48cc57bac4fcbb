"""Every published layout of MovieLens gives the same records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from feedmill.domain.clock import SystemClock
from feedmill.domain.errors import InvalidFile
from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Item, User
from feedmill.stream.catalog.store import CatalogStore
from feedmill.stream.importing.movielens import MovieLensSource
from feedmill.stream.importing.runner import run_import
from feedmill.stream.ingest import Ingest
from feedmill.testing.memory_log import MemoryLog

Write = Callable[[str, "str | bytes"], Path]

TOY_STORY = Item(title="Toy Story (1995)", created_at=788_918_400_000, categories=("Animation", "Comedy"))
CITY = "Cité des enfants perdus, La (1995)"


@pytest.fixture
def csv_folder(write: Write) -> Path:
    """As latest-small, 20M, 25M and 32M are written."""
    write(
        "ml/ratings.csv", "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n1,29,3.5,964982224\n2,1,5.0,978300760\n"
    )
    write(
        "ml/movies.csv", f'movieId,title,genres\n1,Toy Story (1995),Animation|Comedy\n29,"{CITY}",(no genres listed)\n'
    )
    write("ml/tags.csv", 'userId,movieId,tag,timestamp\n1,1,"pixar, funny",964982800\n1,1,toys,964982800\n')
    write("ml/genome-scores.csv", "movieId,tagId,relevance\n1,1,0.02\n")
    return write("ml/links.csv", "movieId,imdbId,tmdbId\n1,0114709,862\n29,0112682,\n").parent


def test_the_csv_layout_is_read(place, csv_folder: Path) -> None:
    result = place.run(MovieLensSource(csv_folder, place.clock))
    assert (result.read, result.accepted, result.rejected) == (3, 3, 0)
    assert (result.items.accepted, result.tags.accepted, result.users.read) == (2, 2, 0)
    item = place.catalog.item("1")
    assert item is not None
    assert item.attributes == {"imdb_id": "0114709", "tmdb_id": "862"}
    assert (item.title, item.created_at, item.categories) == (
        TOY_STORY.title,
        TOY_STORY.created_at,
        TOY_STORY.categories,
    )
    assert place.catalog.item("29") == Item(title=CITY, created_at=788_918_400_000, attributes={"imdb_id": "0112682"})
    events = [(r.subject, r.object, r.action, r.value, r.timestamp, r.context) for r in place.records("event")]
    assert events == [
        ("1", "29", "rating", 3.5, 964_982_224_000, {}),
        ("1", "1", "rating", 4.0, 964_982_703_000, {}),
        ("1", "1", "tag", None, 964_982_800_000, {"tag": "pixar, funny"}),
        ("1", "1", "tag", None, 964_982_800_000, {"tag": "toys"}),
        ("2", "1", "rating", 5.0, 978_300_760_000, {}),
    ]


def test_the_layout_of_1m_is_read(place, write: Write) -> None:
    write("ml/ratings.dat", "1::1::5::978300760\n1::29::3::978302109\n")
    write("ml/movies.dat", f"1::Toy Story (1995)::Animation|Comedy\n29::{CITY}::Drama\n".encode("latin-1"))
    folder = write("ml/users.dat", "1::F::1::10::48067\n").parent
    result = place.run(MovieLensSource(folder, place.clock))
    assert (result.read, result.accepted, result.users.accepted, result.items.accepted) == (2, 2, 1, 2)
    assert place.catalog.item("1") == TOY_STORY
    assert place.catalog.item("29") == Item(title=CITY, created_at=788_918_400_000, categories=("Drama",))
    assert place.catalog.user("1") == User(
        attributes={"gender": "F", "age": "1", "occupation": "10", "zip_code": "48067"}
    )


def test_the_layout_of_10m_is_read(place, write: Write) -> None:
    write("ml/ratings.dat", "1::1::4.5::838985046\n")
    write("ml/movies.dat", f"1::Toy Story (1995)::Animation|Comedy\n29::{CITY}::Drama\n7::A: B :: C (1999)::Drama\n")
    folder = write("ml/tags.dat", "15::1::pixar::1215184630\n").parent
    result = place.run(MovieLensSource(folder, place.clock))
    assert (result.accepted, result.tags.accepted, result.items.accepted) == (1, 1, 3)
    assert next(r.object for r in place.records("item")) in ("1", "29")
    assert place.catalog.items(["29", "7"])["29"].title == CITY
    assert place.catalog.items(["7"])["7"].title == "A: B :: C (1999)"


def test_an_unpacked_archive_with_one_folder_is_read(place, csv_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    csv_folder.rename(tmp_path / "archive" / "ml-25m")
    assert place.run(MovieLensSource(tmp_path / "archive", place.clock)).accepted == 3


def test_bad_rows_are_told_and_the_rest_goes_in(place, write: Write) -> None:
    write("ml/ratings.dat", b"1::1::5::978300760\n1::2::x::978300760\n1::2\n\n2::1::4::1\xff\n3::1::4::978300761\n")
    folder = write("ml/movies.dat", "1::Old (1902)::Drama\n").parent
    result = place.run(MovieLensSource(folder, place.clock))
    assert (result.read, result.accepted, result.rejected) == (5, 2, 3)
    text = (place.folder / "rejects.jsonl").read_text().splitlines()
    assert ['"line":2,"field":"rating"' in text[0], '"line":3,"field":""' in text[1], '"line":5' in text[2]] == [
        True
    ] * 3
    assert place.records("item")[0].timestamp == 0


def test_ratings_above_three_and_a_half_are_proposed_as_liked(place, csv_folder: Path) -> None:
    result = place.run(MovieLensSource(csv_folder, place.clock))
    assert result.objectives == {"like": Objective("rating", threshold=3.5)}
    assert result.actions["rating"] == Action(
        "positive", repeats="last", threshold=3.5, example_without_impression=True, negatives=4
    )


def test_a_folder_of_something_else_is_refused(place, tmp_path: Path, write: Write) -> None:
    with pytest.raises(InvalidFile, match=r"neither ratings\.csv nor ratings\.dat"):
        MovieLensSource(tmp_path, place.clock)
    folder = write("ml/ratings.csv", "user,item\n1,2\n").parent
    with pytest.raises(InvalidFile, match="they should be userId, movieId, rating, timestamp"):
        place.run(MovieLensSource(folder, place.clock))


def test_latest_small_is_imported_whole(data_dir: Path, tmp_path: Path) -> None:
    clock, log = SystemClock(), MemoryLog()
    ingest = Ingest(log, CatalogStore(tmp_path / "catalog.db"), clock)
    result = run_import(MovieLensSource(data_dir / "ml-latest-small", clock), ingest, clock)
    assert (result.read, result.accepted, result.duplicates, result.rejected) == (100_004, 100_004, 0, 0)
    assert (result.items.accepted, result.tags.accepted) == (9_125, 1_296)
    again = run_import(MovieLensSource(data_dir / "ml-latest-small", clock), ingest, clock)
    assert (again.accepted, again.tags.accepted, again.items.unchanged) == (0, 0, 9_125)
