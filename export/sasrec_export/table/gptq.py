"""Score-aware quantization of the item table: GPTQ, then coordinate descent on integers and scales.

An error e of a row costs ``e' H e`` with one Hessian H for all rows (see `score_hessian`). Rounding every entry to the
nearest ignores the off-diagonal part of H. Two steps use it:

1. GPTQ (Frantar et al. 2022, arXiv 2210.17323): column after column is rounded, in the order of the Hessian's diagonal
   (act-order), and each column's error is compensated in the columns that are not rounded yet.
2. Cyclic coordinate descent (as in QuantEase, Behdin et al. 2023, arXiv 2309.01885): each integer moves to the minimum
   of the cost given the others, ``q_j ← clip(round(q_j - (H (q - t))_j / H_jj))``, then the scale of the row to its
   least-squares value. t is the row divided by its scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_export.table.quantized_table import QuantizedTable, absmax_scales, quantize_rows, row_chunks
from sasrec_export.table.spec import INT8_QMAX

__all__ = ["quantize_for_scores"]

DAMPING = 1e-3
"""Damping of GPTQ: the share of the mean diagonal that is added to the Hessian's diagonal, so that directions without
any user still count and the inverse exists."""

MANY_LEVELS, FEW_LEVELS = 64, 16
"""qmax from which, and up to which, the choices below differ."""

MAX_ROWS_TIMES_RATIOS = 1 << 19
"""Rows times clipping ratios up to which each row has a ratio of its own; beyond, all share the best of a sample."""

SAMPLE_ROWS = 1 << 13
"""Rows on which one clipping ratio is chosen for all."""

BLOCK_COLUMNS = 8
"""Columns of coordinate descent that are updated before the gradient of the others is refreshed."""


def quantize_for_scores(
    table: NDArray[np.float32], hessian: NDArray[np.float64], qmax: int = INT8_QMAX
) -> QuantizedTable:
    """Return `table` (V, D) rounded so that scores change least.

    Args:
        table: float32 (V, D).
        hessian: float64 (D, D), symmetric: a row's error e costs ``e' H e``. Zero: each entry goes to the nearest.
        qmax: Largest integer, on both sides of zero.

    Returns:
        Integers (V, D) and scales (V,), without a transform.

    Law: a zero row stays exactly zero.

    Source: GPTQ (arXiv 2210.17323), then coordinate descent as in QuantEase (arXiv 2309.01885).
    """
    rounding = _Rounding.of(hessian, qmax)
    if rounding is None:
        return quantize_rows(table, qmax)
    ratios = _clipping_ratios(qmax)
    # Every ratio costs a pass over the table, which only a small one can afford for each of its rows.
    if len(ratios) * len(table) > MAX_ROWS_TIMES_RATIOS:
        sample = table[:: -(-len(table) // SAMPLE_ROWS)]
        ratios = [min(ratios, key=lambda ratio: rounding.rounded(sample, ratio)[2].sum())]
    values, scales = np.empty(table.shape, np.int8), np.empty(len(table), np.float32)
    for rows in row_chunks(len(table)):
        values[rows], scales[rows], least = rounding.rounded(table[rows], ratios[0])
        for ratio in ratios[1:]:
            tried, its_scales, costs = rounding.rounded(table[rows], ratio)
            better = costs < least
            values[rows][better], scales[rows][better], least[better] = tried[better], its_scales[better], costs[better]
    return QuantizedTable(values, scales)


def _clipping_ratios(qmax: int) -> Sequence[float]:
    """Return the scales to try, relative to absmax: few levels are better spent on most entries than on the largest."""
    if qmax >= MANY_LEVELS:
        return (1.0,)
    return (0.55, 0.65, 0.75, 0.85, 0.95) if qmax < FEW_LEVELS else (0.8, 0.9, 1.0)


def _sweeps(qmax: int) -> int:
    """Return how often coordinate descent passes over a row."""
    return 2 if qmax >= MANY_LEVELS else 4


@dataclass(frozen=True, slots=True)
class _Rounding:
    """Rounding under one Hessian. Rows stand as columns here, (D, rows): each step works on contiguous memory."""

    qmax: int
    hessian: NDArray[np.float32]
    order: NDArray[np.intp]
    """Act-order: columns by decreasing diagonal, the costliest while most columns are left to compensate in."""
    factor: NDArray[np.float32]
    """U with ``U' U = H⁻¹`` in that order, upper triangular: row i of it, divided by U[i, i], is what an error of
    column i adds to the columns to come (GPTQ's Cholesky form)."""

    @classmethod
    def of(cls, hessian: NDArray[np.float64], qmax: int) -> "_Rounding | None":
        # Relative to the mean diagonal, so that DAMPING and float32 suit a model of any scale.
        mean = np.trace(hessian) / len(hessian)
        if not mean > 0:
            return None
        damped = hessian / mean + DAMPING * np.eye(len(hessian))
        order = np.argsort(-np.diag(damped), kind="stable")
        # In float64: the inverse of an ill-conditioned Hessian need not be positive definite in float32.
        factor = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
        return cls(qmax, damped.astype(np.float32), order, factor.astype(np.float32))

    def rounded(
        self, table: NDArray[np.float32], ratio: float
    ) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
        """Return values (rows, D), scales (rows,) and costs (rows,), with scales of `ratio` times absmax at first."""
        scales = absmax_scales(table, self.qmax) * np.float32(ratio)
        target = np.ascontiguousarray((table / scales[:, None]).T)  # (D, rows), in units of each row's scale
        values = self._gptq(target)
        for _ in range(_sweeps(self.qmax)):
            self._descend(values, target)
            # Weighted least squares in one unknown: of fixed integers q, the best scale is s · (q' H t) / (q' H q).
            products = self.hessian @ values
            squares = (products * values).sum(axis=0)
            factor = np.divide((products * target).sum(axis=0), squares, out=np.ones_like(squares), where=squares > 0)
            factor[factor <= 0] = 1.0  # scales stay positive
            target /= factor
            scales *= factor
        error = values - target
        costs = (self.hessian @ error * error).sum(axis=0) * np.square(scales)
        return values.T.astype(np.int8), scales, costs

    def _gptq(self, target: NDArray[np.float32]) -> NDArray[np.float32]:
        """Round column after column (D, rows), each one's error compensated in the columns to come.

        With ``e = (t_i - q_i) / U_ii``: ``t_j ← t_j - U_ij e`` for every later column j.
        """
        remaining = target[self.order]
        for i in range(len(remaining)):
            integer = np.clip(np.rint(remaining[i]), -self.qmax, self.qmax)
            error = (remaining[i] - integer) / self.factor[i, i]
            remaining[i + 1 :] -= self.factor[i, i + 1 :, None] * error
            remaining[i] = integer
        values = np.empty_like(remaining)  # back from act-order
        values[self.order] = remaining
        return values

    def _descend(self, values: NDArray[np.float32], target: NDArray[np.float32]) -> None:
        """One sweep of blocked coordinate descent, in place: ``q_j ← clip(round(q_j - g_j / H_jj))``."""
        gradient = self.hessian @ (values - target)  # half of the cost's gradient
        for start in range(0, len(values), BLOCK_COLUMNS):
            block = slice(start, start + BLOCK_COLUMNS)
            # Inside a block the gradient is exact after each column; the others learn of the block in one product.
            local, before = gradient[block].copy(), values[block].copy()
            for i, column in enumerate(range(start, start + len(local))):
                minimum = values[column] - local[i] / self.hessian[column, column]
                values[column] = np.clip(np.rint(minimum), -self.qmax, self.qmax)
                local += self.hessian[block, column, None] * (values[column] - before[i])
            gradient += self.hessian[:, block] @ (values[block] - before)
