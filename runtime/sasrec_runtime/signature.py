"""The graph contract: names, dtypes and meaning of every input and output, the same on every runtime."""

from typing import Final

__all__ = ["ENTRIES", "OPTIONAL_ENTRIES", "PAD_ID", "RECOMMEND", "RECOMMEND_BATCH", "SCORE"]

PAD_ID: Final = 0
"""Padding id, never an item: on the left of a history, and at ranks for which no item remains."""

RECOMMEND: Final = "recommend"
"""history int32 (B, T), exclude int32 (B, E), k int64 (1) → items int32 (B, k), scores float32 (B, k)."""

SCORE: Final = "score"
"""history int32 (B, T), candidates int32 (B, C) → scores float32 (B, C)."""

RECOMMEND_BATCH: Final = "recommend_batch"
"""The contract of recommend, in a form that is faster for many rows."""

ENTRIES: Final = (RECOMMEND, SCORE)
"""Entries that every variant has."""

OPTIONAL_ENTRIES: Final = (RECOMMEND_BATCH,)
"""Entries that a variant may have."""
