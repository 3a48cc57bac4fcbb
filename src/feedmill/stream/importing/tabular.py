"""Events, items and users from any table: CSV, JSON Lines, Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from feedmill.domain.clock import Clock
from feedmill.domain.errors import InvalidArgument, InvalidRecord
from feedmill.domain.objectives import Action
from feedmill.domain.records import Item, Record, User
from feedmill.stream.importing.columns import OUTCOME, REST, Subject, map_columns, outcome
from feedmill.stream.importing.proposals import (
    Proposal,
    Tally,
    is_impression,
    propose,
    propose_attributes,
    propose_context,
)
from feedmill.stream.importing.source import Part, Reject
from feedmill.stream.importing.tables import Table, open_table
from feedmill.stream.importing.values import (
    TIME_UNITS,
    Convert,
    as_flag,
    as_id,
    as_number,
    as_numbers,
    as_outcome,
    as_scalar,
    as_strings,
    as_text,
    guess_time_unit,
    is_binary,
    scalar_reader,
    time_reader,
)
from feedmill.stream.validation import Validator, check_number

_RATING_COLUMNS = ("rating", "rate", "star", "score", "overall")
_CONVERT: dict[str, Convert] = {
    "user_id": as_id,
    "item_id": as_id,
    "action": as_id,
    "event_id": as_id,
    "request_id": as_id,
    "author_id": as_id,
    "value": as_number,
    "duration": as_number,
    OUTCOME: as_outcome,
    "title": as_text,
    "text": as_text,
    "categories": as_strings,
    "tags": as_strings,
    "interests": as_strings,
    "embedding": as_numbers,
    "visible": as_flag,
}
_TIMES = ("timestamp", "created_at", "expires_at")


class TabularSource:
    """One file of events, items or users as a Source.

    `mapping` (column to field) tells what the guess has wrong; `timestamp_unit` how times are to be read.
    Raises InvalidFile where the file holds no table, InvalidArgument where the mapping does not fit it.
    """

    def __init__(
        self,
        path: Path,
        subject: Subject,
        clock: Clock,
        mapping: Mapping[str, str] | None = None,
        timestamp_unit: str | None = None,
    ) -> None:
        if timestamp_unit is not None and timestamp_unit not in TIME_UNITS:
            raise InvalidArgument(f"timestamp unit {timestamp_unit!r}: must be one of {', '.join(TIME_UNITS)}")
        self._subject = subject
        self._validator = Validator(clock)
        self._table: Table = open_table(path)
        sample = self._table.sample()
        columns = {column: [row.get(column) for row in sample] for column in self._table.columns}
        binary = frozenset(column for column, values in columns.items() if is_binary(values))
        self.mapping = map_columns(subject, self._table.columns, mapping or {}, binary)
        self._columns_of = {field: column for column, field in self.mapping.items()}
        self._rest = REST[subject]
        self._outcomes = {column: outcome(column) for column, field in self.mapping.items() if field == OUTCOME}
        self.timestamp_unit = ""
        self._fields: list[tuple[str, str, Convert]] = []
        self._kept: dict[str, Convert] = {}
        for column, field in self.mapping.items():
            if field in _TIMES:
                unit = timestamp_unit or guess_time_unit(columns[column])
                self.timestamp_unit = self.timestamp_unit or unit
                self._fields.append((column, field, time_reader(unit)))
            elif field == self._rest:
                self._kept[column] = scalar_reader(columns[column])
            elif field in _CONVERT:
                self._fields.append((column, field, _CONVERT[field]))
        kept = {column: columns[column] for column in self._kept}
        self._features: dict[str, tuple[str, ...]] = (
            {"context": propose_context(kept)}
            if subject == "events"
            else {f"{subject.removesuffix('s')}_attributes": propose_attributes(kept)}
        )
        value_column = self._columns_of.get("value", "").lower()
        self._default_action = "rating" if value_column.startswith(_RATING_COLUMNS) else "interaction"
        self._open_ended = self._table.file.format == "json lines"

    @property
    def total_bytes(self) -> int:
        return self._table.file.size

    @property
    def bytes_read(self) -> int:
        return self._table.bytes_read

    def events(self) -> list[Part]:
        return [Part("rows", self._records(0))] if self._subject == "events" else []

    def catalog(self, start: int) -> list[Part]:
        return [] if self._subject == "events" else [Part("rows", self._records(start))]

    def propose(self, tally: Tally, known: dict[str, Action]) -> Proposal:
        proposal = propose(tally, known) if self._subject == "events" else Proposal()
        return msgspec.structs.replace(proposal, features=self._features)

    def _records(self, start: int) -> Iterator[Record | Reject]:
        make = {"events": self._event, "items": self._item, "users": self._user}[self._subject]
        name = str(self._table.file.path)
        for line, values, problem in self._table.rows():
            if problem:
                yield Reject(name, line, "", problem, self._table.text())
                continue
            try:
                record = make(self._read(values))
            except InvalidRecord as error:
                yield Reject(name, line, self._column(error.field), error.problem, self._table.text())
                continue
            if isinstance(record.body, User | Item):
                created = record.body.created_at
                moment = start if created is None else max(0, min(created, start))
                record = msgspec.structs.replace(record, timestamp=moment)
            yield record

    def _read(self, values: dict[str, object]) -> dict[str, object]:
        """The fields that the validator takes, from the columns of one row."""
        fields: dict[str, object] = {}
        outcomes: dict[str, object] = {}
        for column, field, convert in self._fields:
            value = convert(column, values.get(column))
            if field == OUTCOME:
                if value is not None:
                    action, factor = self._outcomes[column]
                    outcomes[action] = check_number(column, value) * factor
            elif value is not None:
                fields[field] = value
        if self._outcomes:
            fields["outcomes"] = outcomes
        rest: dict[str, object] = {}
        for column, convert in self._kept.items():
            value = convert(column, values.get(column))
            if value is not None:
                rest[column] = value
        if self._open_ended:
            for column in values.keys() - self.mapping.keys():
                value = as_scalar(column, values[column])
                if value is not None:
                    rest[column] = value
        if rest:
            fields[self._rest] = rest
        return fields

    def _event(self, fields: dict[str, object]) -> Record:
        action = fields.setdefault("action", self._default_action)
        if not (self._outcomes or (isinstance(action, str) and is_impression(action))):
            return self._validator.event(fields)
        del fields["action"]
        fields.pop("value", None)
        return self._validator.seen(fields)

    def _item(self, fields: dict[str, object]) -> Record:
        return self._validator.item(fields)

    def _user(self, fields: dict[str, object]) -> Record:
        return self._validator.user(fields)

    def _column(self, field: str) -> str:
        """The name that the file has for a field of a record."""
        plain = field.removeprefix(f"{self._rest}.")
        if plain in self.mapping:
            return plain
        return self._columns_of.get(field.split("[")[0], plain)
