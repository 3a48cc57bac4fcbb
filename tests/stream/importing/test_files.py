"""A file that is not what it says is told so before anything is read into the log."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from feedmill.domain.errors import InvalidFile
from feedmill.stream.importing.files import InputFile
from feedmill.stream.importing.tables import open_table

Write = Callable[[str, "str | bytes"], Path]
CSV = "user_id,item_id\nu,i\n"


def _parquet() -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"user_id": ["u"], "item_id": ["i"]}).write_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", _parquet(), "is Parquet by its content, not delimited text"),
        ("a.parquet", CSV.encode(), r"is delimited text \(CSV\) by its content, not Parquet"),
        ("a.jsonl", CSV.encode(), "not JSON Lines"),
        ("a.csv", b'{"user_id": "u"}\n', "is JSON Lines by its content"),
        ("a.json", b'[{"user_id": "u"}]', "one JSON array"),
        ("a.csv.gz", CSV.encode(), "its name says gzip"),
        ("a.csv.gz", gzip.compress(b""), "empty once it is unpacked"),
        ("a.csv.gz", gzip.compress(CSV.encode() * 100)[:-20], "damaged or cut short"),
        ("a.csv", b"PK\x03\x04" + bytes(100), "ZIP"),
        ("a.csv", bytes(range(256)) * 10, "binary"),
        ("a.csv", CSV.encode("utf-16"), "UTF-16"),
        ("a.parquet", _parquet()[:-30], "damaged Parquet"),
        ("a.csv", b"a,b,a\n1,2,3\n", "two columns are named 'a'"),
        ("a.csv", b'a,"b\n1,2\n', "first line has to hold the column names"),
        ("a.csv", b"\n1,2\n", "first line has to hold the column names"),
        ("a.jsonl", b"{bad}\n" * 3, "not one of its first 1,000 lines"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(write: Write, name: str, content: bytes, reason: str) -> None:
    with pytest.raises(InvalidFile, match=reason):
        list(open_table(write(name, content)).rows())


def test_a_directory_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="a directory"):
        InputFile(tmp_path)
    with pytest.raises(InvalidFile, match="no such file"):
        InputFile(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV.encode()),
        ("a.tsv", b"user_id\titem_id\nu\ti\n"),
        ("a.txt", b"user_id;item_id\r\nu;i\r\n"),
        ("a.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("a.csv.gz", gzip.compress(CSV.encode())),
        ("a.csv", gzip.compress(CSV.encode())),
        ("a", b'{"user_id": "u", "item_id": "i"}\n'),
        ("a.jsonl.gz", gzip.compress(b'{"user_id": "u", "item_id": "i"}\n')),
        ("a.parquet", _parquet()),
        ("a.bin", _parquet()),
    ],
)
def test_a_file_is_read_by_what_it_holds(write: Write, name: str, content: bytes) -> None:
    table = open_table(write(name, content))
    assert table.columns == ["user_id", "item_id"]
    assert [row.values for row in table.rows()] == [{"user_id": "u", "item_id": "i"}]
    assert table.bytes_read == len(content)
