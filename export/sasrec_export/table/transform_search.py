"""Choosing the equivalent transform of the item table that keeps most of the users' top lists.

Two reasons to transform the table before it is rounded:

- Where user vectors are rounded too, they have a few large dimensions and many small ones, and one step for all.
  Per-channel smoothing (SmoothQuant, Xiao et al. 2023, arXiv 2211.10438) moves that unevenness into the items:
  ``T_j = E[u_j²]^(-b/2)`` up to a common factor, b the exponent of SMOOTHING.
- With few bits a step is large beside the directions in which items hardly differ, and these decide many a rank.
  Partial whitening of the items' second moment (its ZCA form) gives each direction its share of the levels, at the
  price of a product with a (D, D) matrix for every item looked up and every user: ``T = A^(a/4) B^(-b/2) A^(a/4)``,
  A and B the second moments of items and users, a and b the exponents of WHITENING. At a = 1 and b = 0 the stored rows
  are wholly whitened.

How far to go is measured: each candidate quantizes a sample of the table, and overlap@10 with the float table decides.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from sasrec_export.table import transform as transforms
from sasrec_export.table.gptq import quantize_for_scores
from sasrec_export.table.quantized_table import QuantizedTable
from sasrec_export.table.transform import Matrix
from sasrec_export.table.user_rounding import round_users
from sasrec_runtime.signature import PAD_ID

__all__ = ["TransformSearch", "overlap", "quantize_under"]

SMOOTHING = (0.0, 0.15, 0.3, 0.5)
"""Exponents tried on the users' second moment: 0 leaves it as it is, 1 would even it out wholly."""
WHITENING = ((0.75, 0.0), (1.0, 0.0), (0.75, 0.15), (1.0, 0.15))
"""Exponents tried on the items' second moment, and on the users'."""
ITEMS, HISTORIES, K = 8192, 512, 10
"""Sample that the transforms are compared on, and the length of the lists whose overlap counts."""


class TransformSearch:
    """Quantizes one table under the best transform of a kind.

    Args:
        table: float32 (V, D).
        histories: int32 (R, max_len), real ones, left-padded; the first HISTORIES are used.
        users_of: A table (V, D) and histories → float32 (R, D), the user vectors of a model with that table.
        hessian: float64 (D, D), see score_hessian.
    """

    def __init__(
        self,
        table: NDArray[np.float32],
        histories: NDArray[np.int32],
        users_of: Callable[[NDArray[np.float32], NDArray[np.int32]], NDArray[np.float32]],
        hessian: NDArray[np.float64],
    ) -> None:
        self._table = table
        self._hessian = hessian
        self._users_of = users_of
        self._histories = histories[:HISTORIES]
        # Items of the histories decide what the users' vectors are, the others what competes with them in the lists.
        spread_out = np.arange(PAD_ID, len(table), -(-len(table) // ITEMS))
        self._ids = np.union1d(self._histories, spread_out)
        self._users = users_of(table, self._histories)
        self._lists = _top(self._users @ table[self._ids].T)

    def smoothed(self, qmax: int) -> QuantizedTable:
        """Return the table in [-qmax, qmax], each dimension scaled by a power of the users' second moment there.

        SmoothQuant balances the largest magnitudes of a channel's activations and weights. Here it is the second moment
        of the activations alone, and the exponent is measured.
        """
        moment = np.square(self._users, dtype=np.float64).mean(axis=0)
        return self._best(qmax, (transforms.moment_power(moment, -exponent / 2) for exponent in SMOOTHING))

    def whitened(self, qmax: int) -> QuantizedTable:
        """Return the table in [-qmax, qmax], the items' second moment, and the users', partly whitened (ZCA)."""
        items, users = ((rows.T @ rows).astype(np.float64) / len(rows) for rows in (self._table, self._users))
        return self._best(qmax, (_joint(items, users, *exponents) for exponents in WHITENING))

    def _best(self, qmax: int, candidates: Iterable[Matrix]) -> QuantizedTable:
        best = max(candidates, key=lambda transform: self._kept(qmax, transform))
        # A diagonal of ones is kept as None, which costs a variant nothing.
        chosen = None if (best == 1).all() and best.ndim == 1 else best
        return quantize_under(chosen, self._table, self._hessian, qmax)

    def _kept(self, qmax: int, transform: Matrix) -> float:
        """Return overlap@10 with the float table on the sample, user vectors rounded as integer scoring does."""
        sample = quantize_under(transform, self._table[self._ids], self._hessian, qmax)
        read = self._table.copy()  # only the sample is rounded: histories hold no other items
        read[self._ids] = sample.dequantize()
        users = round_users(transforms.apply(self._users_of(read, self._histories), transform))
        return overlap(self._lists, _top(users @ (sample.values * sample.scales[:, None]).T))


def quantize_under(
    transform: Matrix | None, table: NDArray[np.float32], hessian: NDArray[np.float64], qmax: int
) -> QuantizedTable:
    """Return the table (V, D) in [-qmax, qmax] under that transform, rounded so that scores change least."""
    if transform is None:
        return quantize_for_scores(table, hessian, qmax)
    stored = transforms.apply(table, transforms.inverse(transform))
    plain = quantize_for_scores(stored, transforms.hessian_in(transform, hessian), qmax)
    return QuantizedTable(plain.values, plain.scales, transform)


def _joint(
    items: NDArray[np.float64], users: NDArray[np.float64], item_exponent: float, user_exponent: float
) -> Matrix:
    """Return the transform that whitens the moments (D, D) of items and users by these exponents."""
    half = transforms.moment_power(items, item_exponent / 4)
    # A product S M S of symmetric matrices is symmetric, up to rounding.
    both = half.astype(np.float64) @ transforms.moment_power(users, -user_exponent / 2) @ half
    return transforms.symmetric(both).astype(np.float32)


def _top(scores: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.argsort(-scores, axis=1, kind="stable")[:, :K]  # stable: ties go to the lower id, as in the graphs


def overlap(lists: NDArray[np.integer], reference: NDArray[np.integer]) -> float:
    """Return the mean share of each row of `lists` (R, k) that stands in the same row of `reference` (R, k)."""
    return float((lists[:, :, None] == reference[:, None, :]).any(axis=2).mean())
