"""How the files of every variant are cut to a device: sizes, opset, formats, and how activations are calibrated."""

import re
from dataclasses import dataclass
from typing import Final

from sasrec_export.errors import ExportError

__all__ = ["CALIBRATIONS", "OPSET", "OPSETS", "ExportOptions"]

OPSETS: Final = {
    17: "1.18.1", 18: "1.18.1", 19: "1.18.1", 20: "1.18.1", 21: "1.18.1", 22: "1.21.1", 23: "1.24.4",
    24: "1.24.4", 25: "1.24.4", 26: "1.25.1", 27: "1.32.0",
}  # fmt: skip
"""Opset of .onnx files → the oldest onnxruntime that runs it. The first is the first with LayerNormalization, into
which onnxruntime fuses the converted layer norms; the last is the last of which onnxruntime 1.32 runs int8."""
OPSET: Final = min(OPSETS)
CALIBRATIONS: Final = ("MinMax", "Percentile")
MIN_EXCLUDE: Final = 256
"""Columns of `exclude` at least where shapes are fixed: the longest history whose items can all be left out."""
EXCLUDE_STEP: Final = 64
"""Where a run has longer histories, columns are a multiple of this."""
FIXED_CANDIDATES: Final = 128
"""Columns of `candidates` where shapes are fixed; clients take several calls for more."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What of the files does not depend on the recipe. Equal options and equal recipes give equal files."""

    single_file: bool = False
    """Keep the weights inside each .onnx file."""
    batch: int = 0
    """B of every entry: rows of a call; 0: any number."""
    history: int = 0
    """T of input `history`, in columns; 0: any number."""
    longest: int = 0
    """Most items that a history of the run can have; where shapes are fixed, all of them can be excluded."""
    opset: int = OPSET
    """Opset version of the .onnx files."""
    strict_int8: bool = False
    """Static int8: quantize every operator that has an int8 form, not only those where it saves time."""
    calibration: str = "Percentile"
    """Static int8 in ONNX: how a range follows from the observed values, one of CALIBRATIONS."""
    batched_entry: bool = True
    """Write `recommend_batch` where a recipe has a faster form for many rows."""
    ort_format: bool = False
    """Write .ort files beside the .onnx files."""

    def __post_init__(self) -> None:
        if self.opset not in OPSETS:
            raise ExportError(f"opset is {self.opset}, expected {min(OPSETS)} to {max(OPSETS)}.")
        if self.calibration not in CALIBRATIONS:
            raise ExportError(f"calibration is {self.calibration!r}, expected one of {', '.join(CALIBRATIONS)}.")

    @property
    def fixed(self) -> bool:
        """Whether all sizes are fixed, k included."""
        return bool(self.batch and self.history)

    @property
    def exclude(self) -> int:
        """Columns of `exclude`; 0: any number."""
        return max(MIN_EXCLUDE, -(-self.longest // EXCLUDE_STEP) * EXCLUDE_STEP) if self.fixed else 0

    @property
    def candidates(self) -> int:
        """Columns of `candidates`; 0: any number."""
        return FIXED_CANDIDATES if self.fixed else 0

    @staticmethod
    def sizes(text: str | None) -> dict[str, int]:
        """Return `batch` and `history` of fixed shapes written as BxL, such as "1x50"; nothing for None.

        Raises:
            ExportError: The text has another form.
        """
        if text is None:
            return {}
        match = re.fullmatch(r"([1-9]\d{0,5})[x×]([1-9]\d{0,5})", text)
        if match is None:
            raise ExportError(f"fixed-shapes is {text!r:.80}, expected rows x history columns, such as 1x50.")
        return {"batch": int(match[1]), "history": int(match[2])}
