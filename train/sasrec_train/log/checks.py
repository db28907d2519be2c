"""Checks of a table's columns, made in one pass; a value that breaks a rule is refused with its row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from sasrec_train.errors import DataError
from sasrec_train.log import tables
from sasrec_train.log.tables import ROW, Table

__all__ = ["Check", "profile", "refuse"]


@dataclass(frozen=True, slots=True)
class Check:
    """A rule that every row of a column must keep."""

    column: str
    """The column."""
    wrong: pl.Expr
    """Whether a row breaks the rule; null counts as yes."""
    rule: str
    """What was expected instead, for the message."""


def profile(table: Table, checks: Sequence[Check], facts: Mapping[str, pl.Expr]) -> dict[str, Any]:
    """Return the facts, aggregates of a table, and refuse the first check that fails: all in one pass.

    Raises:
        DataError: The file cannot be read, has no rows, or a check fails.
    """
    counts = [check.wrong.fill_null(value=True).sum().alias(f"check {i}") for i, check in enumerate(checks)]
    named = [fact.alias(f"fact {name}") for name, fact in facts.items()]
    found = tables.collect(table, table.frame.select(pl.len().alias("rows"), *counts, *named)).row(0, named=True)
    if not found["rows"]:
        raise DataError(f"{table.path} has no rows, expected one interaction per row.")
    for i, check in enumerate(checks):
        if found[f"check {i}"]:
            refuse(table, check)
    return {name: found[f"fact {name}"] for name in facts}


def refuse(table: Table, check: Check) -> None:
    """Raise with the first row that breaks a rule and how many more do; return where none does."""
    wrong = table.frame.filter(check.wrong.fill_null(value=True))
    count, row = tables.collect(table, wrong.select(pl.len(), pl.col(ROW).min().alias("row"))).row(0)
    if not count:
        return
    shown = pl.col(check.column)
    if table.frame.collect_schema()[check.column].is_temporal():
        shown = shown.to_physical()  # Python has no years beyond 9999
    value = tables.collect(table, wrong.filter(pl.col(ROW) == row).select(shown).head(1)).item()
    seen = "missing" if value is None else repr(value)[:80]
    more = f" ({count} such rows)" if count > 1 else ""
    raise DataError(
        f"{table.path}: column {check.column!r}, {table.unit} {row} is {seen}, expected {check.rule}{more}."
    )
