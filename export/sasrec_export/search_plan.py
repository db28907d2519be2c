"""How the rows of an item table are searched for the k best: in one stage, or block by block.

In two stages, the maximum of each block of rows comes first, then the items of the k blocks with the largest maxima.
This is exact. Proof: an item outside the chosen blocks is at most the maximum of its block, which is at most each of
the k chosen maxima, so k items are at least as good. The idea is that of block-wise top-k in approximate
nearest-neighbour search (Chern et al. 2022, arXiv 2206.14286), which keeps one item per block and is not exact.
"""

from dataclasses import dataclass

__all__ = ["SearchPlan"]

TWO_STAGES_FROM = 20_000
"""Rows from which two stages are faster than one."""
LARGE_FROM = 200_000
"""Rows from which larger blocks are faster."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """How the rows of a table are searched."""

    rows: int
    """Rows of the table, padding of the last block included."""
    block: int
    """Rows of a block; 0: the search has one stage."""
    ids: int
    """Rows that stand for an id: V = n_items + 1."""

    @classmethod
    def of(cls, n_items: int) -> "SearchPlan":
        """Return the fastest plan for a catalogue."""
        ids = 1 + n_items
        if ids < TWO_STAGES_FROM:
            return cls(ids, 0, ids)
        block = 64 if ids < LARGE_FROM else 256
        return cls(-(-ids // block) * block, block, ids)

    @property
    def always_excluded(self) -> list[int]:
        """Rows that are never returned: padding, and those that only fill the last block."""
        return [0, *range(self.ids, self.rows)]
