"""Which rows of a batch run together: those of similar size, as many as a call has memory for."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from sasrec_runtime.engines.fixed_shapes import round_up
from sasrec_runtime.manifest import ModelCard

__all__ = ["BATCH_BYTES", "to_recommend", "to_score"]

BATCH_BYTES: Final = 64 << 20
"""Memory for one call of a session with several histories, where the caller says nothing else."""

MAX_ROWS: Final = 256
"""Histories in one call at most: more are no faster, and a small catalogue's budget would allow thousands."""

SCORE_BYTES: Final = 12
"""Of a history for each item it is scored against: a graph holds scores as integers, as floats and masked."""

EXCLUDE_BYTES: Final = 12
"""Of a history for each item that it excludes: the id as it is given, as an index, and the value that masks it."""

VECTOR_BYTES: Final = 12
"""Of a candidate for each value of its vector: a graph holds it as an integer, as a float and scaled."""

POSITION_VALUES: Final = 8
"""Vectors of a history for each of its positions that an encoder holds at once."""


def to_recommend(
    model: ModelCard, lengths: Mapping[int, int], batch_bytes: int, *, excluded: int = 0
) -> Iterator[list[int]]:
    """Yield rows in groups, for the best items of the whole catalogue.

    Args:
        model: The network that answers.
        lengths: Row → items of its history.
        batch_bytes: Memory for the arrays of one group; one row is always taken.
        excluded: Items that a row excludes at most, beside those of its history.
    """

    def row_bytes(row: int) -> int:
        return SCORE_BYTES * model.n_items + EXCLUDE_BYTES * excluded + _encoder_bytes(model, lengths[row])

    return _groups(sorted(lengths, key=lengths.__getitem__), row_bytes, batch_bytes)


def to_score(model: ModelCard, sizes: Sequence[tuple[int, int]], batch_bytes: int) -> Iterator[list[int]]:
    """Yield rows in groups, for the scores of candidates.

    The lists of a group are `round_up` to the same number: none is padded to twice its length, short ones apart, and a
    runtime that plans its memory by the shape keeps its plan.

    Args:
        model: The network that answers.
        sizes: Items of each row's history, and its candidates.
        batch_bytes: As for `to_recommend`.
    """
    widths = [round_up(candidates) for _, candidates in sizes]
    rows = sorted(range(len(sizes)), key=lambda row: (widths[row], sizes[row][0]))
    for width, similar in itertools.groupby(rows, key=widths.__getitem__):

        def row_bytes(row: int, width: int = width) -> int:
            return (SCORE_BYTES + VECTOR_BYTES * model.hidden_dim) * width + _encoder_bytes(model, sizes[row][0])

        yield from _groups(list(similar), row_bytes, batch_bytes)


def _groups(rows: list[int], row_bytes: Callable[[int], int], batch_bytes: int) -> Iterator[list[int]]:
    """Yield sorted rows in groups, the largest first: each row of a group takes what its last one does.

    Groups are about as large as each other: a last one of a few rows would be slower, row for row.
    """
    end = len(rows)
    while end:
        most = max(1, min(MAX_ROWS, batch_bytes // row_bytes(rows[end - 1])))
        size = -(-end // -(-end // most))
        yield rows[end - size : end]
        end -= size


def _encoder_bytes(model: ModelCard, length: int) -> int:
    columns = min(length, model.max_len)
    return 4 * columns * (POSITION_VALUES * model.hidden_dim + model.num_heads * columns)
