"""The recipes: named, frozen sets of quantization choices, and what each promises.

Naming: w = weights, a = activations, i / fp = type, then bits; `wi8` has 8-bit integer weights.
"""

import re
from dataclasses import dataclass
from typing import Literal

from sasrec_export.errors import ExportError
from sasrec_export.table.gptq import INT4_MAX, INT8_MAX

__all__ = ["RECIPES", "RUNTIMES", "Engine", "Recipe", "Shape", "VariantPlan", "plan"]

Runtime = Literal["onnx", "tflite"]
RUNTIMES: tuple[Runtime, ...] = ("onnx", "tflite")

OPSETS = {
    17: "1.18.1", 18: "1.18.1", 19: "1.18.1", 20: "1.18.1", 21: "1.18.1", 22: "1.21.1", 23: "1.24.4",
    24: "1.24.4", 25: "1.24.4", 26: "1.25.1", 27: "1.32.0",
}  # fmt: skip
"""What .onnx files can be written in → the oldest onnxruntime that runs it: from the first opset with
LayerNormalization, which onnxruntime fuses the converted layer norms into, to the last of which 1.32 runs int8."""
OPSET = min(OPSETS)
CALIBRATIONS = ("MinMax", "Percentile")
FIXED_EXCLUDE = 256
"""Columns of `exclude` at least where shapes are fixed: the longest history whose items can all be left out."""
EXCLUDE_STEP = 64
"""Where a run has longer histories, columns are a multiple of this."""
FIXED_CANDIDATES = 128
"""Columns of `candidates` where shapes are fixed; clients take several calls for more."""


INT8_ENCODER_TOLERANCE = 0.25
"""See Engine.encoder_tolerance. Rounding moves scores by some hundredths of the largest; a wrong mask by all of it."""
INT8_LINEAR_TOLERANCE = 0.05
"""The same for int8 weights with inputs rounded as they come: TFLite's integer kernels."""
FP16_TOLERANCE = 0.01
"""The same for weights in half precision."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a recipe asks of one runtime, and promises on it."""

    min_version: str
    """Oldest version that gave the golden answers: `tools/check_runtime_versions.py`."""
    encoder_tolerance: float = 0.0
    """How far a quantized encoder may move a score, as a share of the row's largest; 0: the encoder is float32."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one recipe does to the model."""

    name: str
    """As in the variant's name."""
    table_bits: int
    """Bits of an item table entry: 32 and 16 are float."""
    activation_levels: int
    """Levels on each side of zero that a user vector keeps while the catalogue is scored; 0: it stays float."""
    engines: dict[Runtime, Engine]
    """The runtimes it exists on."""

    @property
    def table_levels(self) -> int:
        """Largest integer of a table entry, on both sides of zero; 0: it is float."""
        return {4: INT4_MAX, 8: INT8_MAX}.get(self.table_bits, 0)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        # The item table int8 per item, scored in integers.
        Recipe("wi8", 8, 127, {"onnx": Engine("1.22.1"), "tflite": Engine("1.1.1", INT8_LINEAR_TOLERANCE)}),
        # The same table, computed with in float32: the same answer on every processor.
        Recipe("wi8_afp32", 8, 0, {"onnx": Engine("1.18.1")}),
        # The item table in 4 bits per entry.
        Recipe("wi4", 4, 127, {"onnx": Engine("1.23.2"), "tflite": Engine("1.4.0", INT8_LINEAR_TOLERANCE)}),
        # Weights and activations in int8, ranges from real histories (static QDQ), for NPUs and integer-only targets.
        Recipe(
            "wi8_ai8",
            8,
            127,
            {"onnx": Engine("1.22.1", INT8_ENCODER_TOLERANCE), "tflite": Engine("1.1.1", INT8_ENCODER_TOLERANCE)},
        ),
        # Stored in half precision, computed with in what the processor has: for GPUs.
        Recipe("fp16", 16, 0, {"tflite": Engine("1.1.1", FP16_TOLERANCE)}),
        # Nothing quantized: the reference.
        Recipe("fp32", 32, 0, {"onnx": Engine("1.18.1"), "tflite": Engine("1.1.1")}),
    )
}
"""In the order in which a bundle offers them: the default on a device first."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the files of a variant are cut to a device."""

    single_file: bool = False
    """Keep the weights inside each .onnx file."""
    batch: int = 0
    """Rows of a call; 0: any number."""
    history: int = 0
    """Columns of `history`; 0: any number."""
    longest: int = 0
    """Most items that a history of the run can have; where shapes are fixed, all of them can be excluded."""
    opset: int = OPSET
    """Of the .onnx files."""
    strict_int8: bool = False
    """wi8_ai8: quantize every operator that has an int8 form, not only those where it saves time."""
    calibration: str = "Percentile"
    """wi8_ai8 in ONNX: how a range follows from what was seen, one of CALIBRATIONS."""
    batch_form: bool = True
    """Write the form for many rows where a recipe has one."""
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
        return max(FIXED_EXCLUDE, -(-self.longest // EXCLUDE_STEP) * EXCLUDE_STEP) if self.fixed else 0

    @property
    def candidates(self) -> int:
        """Columns of `candidates`; 0: any number."""
        return FIXED_CANDIDATES if self.fixed else 0

    @staticmethod
    def sizes(text: str | None) -> dict[str, int]:
        """Return `batch` and `history` of fixed shapes written as BxL, such as "1x50"; nothing for None.

        Raises:
            ExportError: It is written otherwise.
        """
        if text is None:
            return {}
        match = re.fullmatch(r"([1-9]\d{0,5})[x×]([1-9]\d{0,5})", text)
        if match is None:
            raise ExportError(f"fixed-shapes is {text!r:.80}, expected rows x history columns, such as 1x50.")
        return {"batch": int(match[1]), "history": int(match[2])}


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """One variant to write."""

    runtime: Runtime
    recipe: Recipe
    shape: Shape = Shape()

    @property
    def name(self) -> str:
        """`<runtime>-<recipe>`."""
        return f"{self.runtime}-{self.recipe.name}"

    @property
    def engine(self) -> Engine:
        """What the recipe asks of this runtime."""
        return self.recipe.engines[self.runtime]

    @property
    def min_version(self) -> str:
        """Oldest version of the runtime that runs the variant."""
        needed = [self.engine.min_version, *([OPSETS[self.shape.opset]] if self.runtime == "onnx" else [])]
        return max(needed, key=lambda version: tuple(map(int, version.split("."))))


def plan(runtimes: tuple[str, ...] = (), recipes: tuple[str, ...] = (), *, shape: Shape = Shape()) -> list[VariantPlan]:
    """Return the variants to write, in the bundle's order; empty choices mean all.

    Raises:
        ExportError: A name is unknown, or a recipe exists on none of the chosen runtimes.
    """
    for kind, seen, known in (("runtime", runtimes, RUNTIMES), ("recipe", recipes, tuple(RECIPES))):
        for name in seen:
            if name not in known:
                raise ExportError(f"{kind} is {name!r}, expected one of {', '.join(known)}.")
    chosen = [runtime for runtime in RUNTIMES if not runtimes or runtime in runtimes]
    for name in recipes:
        if not any(runtime in RECIPES[name].engines for runtime in chosen):
            there = [other for other, recipe in RECIPES.items() if set(chosen) & set(recipe.engines)]
            raise ExportError(
                f"recipe {name} does not exist on {', '.join(chosen)}, expected one of {', '.join(there)}."
            )
    return [
        VariantPlan(runtime, recipe, shape)
        for runtime in chosen
        for name, recipe in RECIPES.items()
        if runtime in recipe.engines and (not recipes or name in recipes)
    ]
