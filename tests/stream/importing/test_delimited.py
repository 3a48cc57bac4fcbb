"""Every row knows its physical line, and a bad one costs only itself."""

from __future__ import annotations

import io

from feedmill.stream.importing import lines
from feedmill.stream.importing.delimited import DelimitedRows, Row


def read(content: bytes) -> list[Row]:
    return list(DelimitedRows(io.BytesIO(content), "a.csv"))


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    content = b'a,b\n1,"two\nlines"\n\n3,4\r\n"5,\n\n6",7\n8,9'
    assert read(content) == [
        Row(2, ["1", "two\nlines"], ""),
        Row(5, ["3", "4"], ""),
        Row(6, ["5,\n\n6", "7"], ""),
        Row(9, ["8", "9"], ""),
    ]


def test_a_row_with_too_few_or_too_many_columns_is_told_apart() -> None:
    assert read(b"a,b\n1\n1,2\n1,2,3\n") == [
        Row(2, [], "has 1 columns, the header has 2"),
        Row(3, ["1", "2"], ""),
        Row(4, [], "has 3 columns, the header has 2"),
    ]


def test_a_quote_that_never_closes_costs_one_line() -> None:
    rows = read(b'a,b\n1,2\n3,"four\n5,6\n7,8\n')
    assert rows == [
        Row(2, ["1", "2"], ""),
        Row(3, [], "a quote opens and does not close"),
        Row(4, ["5", "6"], ""),
        Row(5, ["7", "8"], ""),
    ]


def test_a_quote_that_closes_in_another_row_costs_one_line() -> None:
    rows = read(b'a,b\n1,"two\n3,"four"\n5,6\n')
    assert [(row.line, row.cells) for row in rows] == [(2, []), (3, ["3", "four"]), (4, ["5", "6"])]


def test_bad_utf8_and_nul_bytes_cost_their_line() -> None:
    rows = DelimitedRows(io.BytesIO(b"a,b\n1,\xff\n2,\x00\n\xc3\xa9,3\n"), "a.csv")
    found = [(row, rows.text()) for row in rows]
    assert found == [
        (Row(2, [], "the line is not UTF-8 (byte 3)"), r"1,\xff"),
        (Row(3, [], "the line contains NUL bytes"), "2,\0"),
        (Row(4, ["é", "3"], ""), "é,3"),
    ]


def test_a_field_of_a_million_characters_costs_its_line() -> None:
    rows = read(b"a,b\n1," + b"x" * 1_000_000 + b"\n2,3\n")
    assert rows == [Row(2, [], "a field is longer than 100,000 characters"), Row(3, ["2", "3"], "")]


def test_a_line_that_does_not_end_is_passed_over() -> None:
    rows = read(b"a,b\n" + b"x" * (lines.MAX_LINE * 2 + 5) + b"\n2,3\n")
    assert rows == [Row(2, [], "the line is longer than 16 MiB"), Row(3, ["2", "3"], "")]
