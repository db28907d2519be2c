"""The interface of every engine: the tensors of the graph contract, and checks of requests and model files."""

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.errors import RequestError, SignatureError, shown
from sasrec_runtime.manifest import Variant
from sasrec_runtime.signature import RECOMMEND, RECOMMEND_BATCH, SCORE

__all__ = [
    "BATCH_ROWS",
    "INPUTS",
    "OUTPUTS",
    "Session",
    "check_ids",
    "check_k",
    "check_signature",
]

_RECOMMEND_INPUTS: Final = {"history": ("int32", 2), "exclude": ("int32", 2), "k": ("int64", 1)}
_RECOMMEND_OUTPUTS: Final = {"items": ("int32", 2), "scores": ("float32", 2)}

INPUTS: Final = {
    RECOMMEND: _RECOMMEND_INPUTS,
    RECOMMEND_BATCH: _RECOMMEND_INPUTS,
    SCORE: {"history": ("int32", 2), "candidates": ("int32", 2)},
}
"""Entry → input name → dtype and rank. A file of a variant with fixed_k has no `k`."""

OUTPUTS: Final = {
    RECOMMEND: _RECOMMEND_OUTPUTS,
    RECOMMEND_BATCH: _RECOMMEND_OUTPUTS,
    SCORE: {"scores": ("float32", 2)},
}
"""Entry → output name → dtype and rank."""

BATCH_ROWS: Final = 8
"""Rows from which the entry recommend_batch is faster, and used where a variant has it."""


class Session(Protocol):
    """A loaded variant. Safe to call from several threads."""

    def recommend(
        self, history: NDArray[np.int32], exclude: NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the k best items of each row.

        Args:
            history: (B, T), item ids, newest last; ids outside 1…n_items count as padding.
            exclude: (B, E), item ids not to return; PAD_ID fills the rest of a row. E may be 0.
            k: Items per row, in 1…n_items (TFLite: in 1…fixed_k).

        Returns:
            items (B, k), best first, ties to the lower id; PAD_ID at ranks for which no item remains. scores (B, k).
            Shapes are checked, values are not: see `answers`.
        """
        ...

    def score(self, history: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the scores (B, C) of `candidates` (B, C), item ids, for the histories (B, T) of the same rows."""
        ...


def check_k(k: int, variant: Variant, n_items: int) -> None:
    """Refuse a k that the variant cannot answer."""
    if not 1 <= k <= n_items:
        raise RequestError(f"k is {shown(k)}, expected 1…{n_items}. The catalogue has {n_items} items.")
    if variant.fixed_k and k > variant.fixed_k:
        raise RequestError(
            f"k is {k}, expected 1…{variant.fixed_k}. Variant {variant.name} returns fixed_k = {variant.fixed_k} "
            "items: ask for fewer, take an ONNX variant, or export it with a larger k."
        )


def check_ids(name: str, array: NDArray[np.int32], rows: int | None = None) -> None:
    """Refuse an array that is not int32 (B, columns)."""
    if array.dtype != np.int32 or array.ndim != 2:
        raise SignatureError(f"{name} is {array.dtype} {array.shape}, expected int32 with two dimensions.")
    if rows is not None and len(array) != rows:
        raise SignatureError(f"{name} has {len(array)} rows, expected {rows}, as many as history.")


def check_signature(
    place: str, kind: str, seen: dict[str, tuple[str, int]], expected: dict[str, tuple[str, int]]
) -> None:
    """Refuse a model whose tensors differ from the contract; a rank of -1 is unknown to the runtime."""
    same = seen.keys() == expected.keys() and all(
        seen[name][0] == dtype and seen[name][1] in {rank, -1} for name, (dtype, rank) in expected.items()
    )
    if not same:
        raise SignatureError(
            f"{place}: {kind} are {_describe(seen)}, expected {_describe(expected)}. "
            "Export the bundle again, or upgrade sasrec-edge."
        )


def _describe(tensors: dict[str, tuple[str, int]]) -> str:
    return ", ".join(f"{name} {dtype} rank {'?' if rank < 0 else rank}" for name, (dtype, rank) in tensors.items())
