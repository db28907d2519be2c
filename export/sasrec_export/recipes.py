"""The recipes: named, frozen sets of quantization choices. A recipe is data; the writers do what it says.

Naming: w = weights, a = activations, i / fp = type, then bits; `wi8` has 8-bit integer weights. AI Edge Quantizer's
names for the same choices are in ALIASES.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from sasrec_export.errors import ExportError
from sasrec_export.export_options import OPSETS, ExportOptions
from sasrec_export.table.spec import INT4_QMAX, INT8_QMAX, TableSpec
from sasrec_runtime import versions

__all__ = ["ALIASES", "RECIPES", "RUNTIMES", "Encoder", "Engine", "Recipe", "Runtime", "VariantPlan", "plan"]

Runtime = Literal["onnx", "tflite"]
RUNTIMES: tuple[Runtime, ...] = ("onnx", "tflite")

Encoder = Literal["float", "dynamic_int8", "static_int8", "fp16"]
"""How the encoder is computed: in float32; with int8 weights whose inputs are rounded as they come; with int8 weights
and activations, ranges calibrated on real histories; with weights stored in half precision."""

ENCODER_TOLERANCES: Final[dict[Encoder, float]] = {
    "float": 0.0, "fp16": 0.01, "dynamic_int8": 0.05, "static_int8": 0.25,
}  # fmt: skip
"""How far a quantized encoder may move a score in the parity check, as a share of the row's largest. Rounding moves
scores by some hundredths; a wrong mask by all of it."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a recipe does on one runtime."""

    min_version: str
    """Oldest version of the engine that gave the golden answers: `tools/check_runtime_versions.py`."""
    table: TableSpec
    """How the item table is stored."""
    encoder: Encoder = "float"
    """How the encoder is computed."""
    scoring: Literal["float", "integer"] = "float"
    """How the catalogue is scored: in float32, or in integers with user vectors rounded to int8."""

    def __post_init__(self) -> None:
        if self.scoring == "integer" and not self.table.is_integer:
            raise ExportError(f"scoring is 'integer' with a {self.table.dtype} table, expected an int8 or int4 table.")

    @property
    def encoder_tolerance(self) -> float:
        """See ENCODER_TOLERANCES."""
        return ENCODER_TOLERANCES[self.encoder]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One recipe on every runtime that it exists on."""

    name: str
    """Name, as it stands in the names of variants, such as `wi8`."""
    engines: dict[Runtime, Engine]
    """Runtime → what it does there."""


INT8 = TableSpec("int8", INT8_QMAX)
INT8_SMOOTH = TableSpec("int8", INT8_QMAX, "smooth")
INT4_WHITE = TableSpec("int4", INT4_QMAX, "whiten")

RECIPES: Final = {
    recipe.name: recipe
    for recipe in (
        # The item table int8 per item, scored in integers.
        Recipe(
            "wi8",
            {
                "onnx": Engine("1.22.1", INT8_SMOOTH, scoring="integer"),
                "tflite": Engine("1.1.1", INT8, "dynamic_int8", "integer"),
            },
        ),
        # The same storage, computed with in float32: the same answer on every processor.
        Recipe("wi8_afp32", {"onnx": Engine("1.18.1", INT8)}),
        # The item table in 4 bits per entry.
        Recipe(
            "wi4",
            {
                "onnx": Engine("1.23.2", INT4_WHITE, scoring="integer"),
                "tflite": Engine(
                    "1.4.0", TableSpec("int4", INT4_QMAX, "whiten", half_scales=True), "dynamic_int8", "integer"
                ),
            },
        ),
        # Weights and activations in int8, for NPUs and integer-only targets.
        Recipe(
            "wi8_ai8",
            {
                "onnx": Engine("1.22.1", INT8_SMOOTH, "static_int8", "integer"),
                "tflite": Engine("1.1.1", INT8, "static_int8", "integer"),
            },
        ),
        # Stored in half precision, computed with in what the processor has: for GPUs.
        Recipe("fp16", {"tflite": Engine("1.1.1", TableSpec("float16"), "fp16")}),
        # Nothing quantized: the reference.
        Recipe(
            "fp32",
            {"onnx": Engine("1.18.1", TableSpec("float32")), "tflite": Engine("1.1.1", TableSpec("float32"))},
        ),
    )
}
"""In the order in which a bundle offers them: the default on a device first."""

ALIASES: Final = {
    "dynamic_wi8_afp32": "wi8",
    "dynamic_wi4_afp32": "wi4",
    "weight_only_wi8_afp32": "wi8_afp32",
    "static_wi8_ai8": "wi8_ai8",
}
"""AI Edge Quantizer's name → ours. Its `dynamic_wi8_afp32` computes in integers, as our `wi8` does."""


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """One variant to write."""

    runtime: Runtime
    """The engine that is to run it."""
    recipe: Recipe
    """What is quantized, and how."""
    options: ExportOptions = field(default_factory=ExportOptions)
    """The options that do not depend on the recipe."""

    @property
    def name(self) -> str:
        """`<runtime>-<recipe>`."""
        return f"{self.runtime}-{self.recipe.name}"

    @property
    def engine(self) -> Engine:
        """What the recipe does on this runtime."""
        return self.recipe.engines[self.runtime]

    @property
    def min_version(self) -> str:
        """Oldest version of the runtime that runs the variant."""
        needed = [self.engine.min_version, *([OPSETS[self.options.opset]] if self.runtime == "onnx" else [])]
        return max(needed, key=versions.release)


def plan(
    runtimes: tuple[str, ...] = (), recipes: tuple[str, ...] = (), *, options: ExportOptions | None = None
) -> list[VariantPlan]:
    """Return the variants to write, in the bundle's order; empty choices mean all.

    Args:
        runtimes: Names of RUNTIMES.
        recipes: Names of RECIPES or ALIASES.
        options: Of every variant.

    Raises:
        ExportError: A name is unknown, or a recipe exists on none of the chosen runtimes.
    """
    recipes = tuple(ALIASES.get(name, name) for name in recipes)
    for kind, seen, known in (("runtime", runtimes, RUNTIMES), ("recipe", recipes, tuple(RECIPES))):
        for name in seen:
            if name not in known:
                raise ExportError(f"{kind} is {name!r:.80}, expected one of {', '.join(known)}.")
    chosen = [runtime for runtime in RUNTIMES if not runtimes or runtime in runtimes]
    for name in recipes:
        if not any(runtime in RECIPES[name].engines for runtime in chosen):
            there = [other for other, recipe in RECIPES.items() if set(chosen) & set(recipe.engines)]
            raise ExportError(
                f"recipe {name} does not exist on {', '.join(chosen)}, expected one of {', '.join(there)}."
            )
    return [
        VariantPlan(runtime, recipe, options or ExportOptions())
        for runtime in chosen
        for name, recipe in RECIPES.items()
        if runtime in recipe.engines and (not recipes or name in recipes)
    ]
