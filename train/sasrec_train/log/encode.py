"""From a table to arrays: a first pass that checks, and a last one that reads 16 bytes per interaction."""

from dataclasses import dataclass
from typing import Any

from sasrec_train.log import checks, tables
from sasrec_train.log.interactions import Times
from sasrec_train.log.key_column import KeyColumn, Keys
from sasrec_train.log.tables import Table
from sasrec_train.log.time_column import TimeColumn

__all__ = ["Encoded", "encode", "encode_keys"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """The rows of a log in the order of the file."""

    users: Keys
    """User of each row."""
    items: Keys
    """Item of each row."""
    times: Times | None
    """Time of each row, (N,); None where the file has none."""


def encode(table: Table, *, user: str, item: str, time: str | None) -> Encoded:
    """Read the columns of a log; one of text costs one more pass, for its distinct keys.

    Raises:
        DataError: A row is not an interaction; the message names it.
    """
    columns: list[KeyColumn | TimeColumn] = [KeyColumn(table, user), KeyColumn(table, item)]
    if time is not None:
        columns.append(TimeColumn(table, time))
    users, items, *times = _read(table, columns)
    return Encoded(users, items, times[0] if times else None)


def encode_keys(table: Table, column: str) -> Keys:
    """Read one column of keys."""
    keys: Keys = _read(table, [KeyColumn(table, column)])[0]
    return keys


def _read(table: Table, columns: list[KeyColumn | TimeColumn]) -> list[Any]:
    named = {f"{i} {name}": fact for i, column in enumerate(columns) for name, fact in column.facts.items()}
    facts = checks.profile(table, [check for column in columns for check in column.checks], named)
    for i, column in enumerate(columns):
        column.settle({name: facts[f"{i} {name}"] for name in column.facts})
    expressions = [column.expression().alias(str(i)) for i, column in enumerate(columns)]
    rows = tables.collect(table, table.frame.select(expressions))
    results: list[Any] = []
    for i, column in enumerate(columns):
        values = rows.drop_in_place(str(i)).to_numpy()  # one column less in memory
        results.append(column.encode(values) if isinstance(column, KeyColumn) else values)
    return results
