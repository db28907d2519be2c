"""How an item table is stored, as data: two variants with equal specs hold equal tables."""

from dataclasses import dataclass
from typing import Final, Literal

from sasrec_export.errors import ExportError

__all__ = ["INT4_QMAX", "INT8_QMAX", "TableSpec", "Transform"]

INT8_QMAX: Final = 127
"""Narrow range: -128 has no counterpart, and some kernels assume that it never occurs."""
INT4_QMAX: Final = 7
"""The same for -8."""

Transform = Literal["none", "smooth", "whiten"]
"""The equivalent transform that the table is held in, see `transform_search`: none; per-channel smoothing
(SmoothQuant); partial whitening."""

LARGEST: Final = {"float32": 0, "float16": 0, "int8": INT8_QMAX, "int4": INT4_QMAX}


@dataclass(frozen=True, slots=True)
class TableSpec:
    """How an item table is stored.

    Raises:
        ExportError: qmax does not suit the dtype, or a table of floats has a transform or scales.
    """

    dtype: Literal["float32", "float16", "int8", "int4"]
    """Storage type of an entry."""
    qmax: int = 0
    """Largest integer of an entry, on both sides of zero; 0 where the dtype is a float."""
    transform: Transform = "none"
    """The equivalent transform that the table is stored under; integers only."""
    half_scales: bool = False
    """Hold the scale of each row in half precision where the width and the scales allow it; integers only."""

    def __post_init__(self) -> None:
        largest = LARGEST[self.dtype]
        if not min(1, largest) <= self.qmax <= largest:
            raise ExportError(f"qmax is {self.qmax}, expected {min(1, largest)} to {largest} for {self.dtype}.")
        if not largest and (self.transform != "none" or self.half_scales):
            raise ExportError(
                f"a {self.dtype} table has transform {self.transform!r}, expected no transform or scales."
            )

    @property
    def is_integer(self) -> bool:
        """Whether entries are integers with a scale per row."""
        return self.qmax > 0
