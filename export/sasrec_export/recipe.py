"""The recipes: named, frozen sets of quantization choices, and what each promises.

Naming: w = weights, a = activations, i / fp = type, then bits; `wi8` has 8-bit integer weights.
"""

from dataclasses import dataclass
from typing import Literal

from sasrec_export.errors import ExportError

__all__ = ["RECIPES", "RUNTIMES", "Recipe", "VariantPlan", "plan"]

Runtime = Literal["onnx", "tflite"]
RUNTIMES: tuple[Runtime, ...] = ("onnx", "tflite")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one recipe does to the model."""

    name: str
    """As in the variant's name."""
    table_bits: int
    """Bits of an item table entry: 32 is float."""
    activation_levels: int
    """Levels on each side of zero that a user vector keeps while the catalogue is scored; 0: it stays float."""
    min_runtime_versions: dict[Runtime, str]
    """Oldest engine that gave the golden answers: `tools/check_runtime_versions.py`."""


RECIPES = {
    recipe.name: recipe
    for recipe in (
        # The item table int8 per item, scored in integers.
        Recipe("wi8", 8, 127, {"onnx": "1.22.1", "tflite": "1.2.0"}),
        # Nothing quantized: the reference.
        Recipe("fp32", 32, 0, {"onnx": "1.18.1", "tflite": "1.2.0"}),
    )
}
"""In the order in which a bundle offers them: the default on a device first."""


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """One variant to write."""

    runtime: Runtime
    recipe: Recipe

    @property
    def name(self) -> str:
        """`<runtime>-<recipe>`."""
        return f"{self.runtime}-{self.recipe.name}"


def plan(runtimes: tuple[str, ...] = (), recipes: tuple[str, ...] = ()) -> list[VariantPlan]:
    """Return the variants to write, in the bundle's order; empty choices mean all.

    Raises:
        ExportError: A name is unknown.
    """
    for kind, seen, known in (("runtime", runtimes, RUNTIMES), ("recipe", recipes, tuple(RECIPES))):
        for name in seen:
            if name not in known:
                raise ExportError(f"{kind} is {name!r}, expected one of {', '.join(known)}.")
    return [
        VariantPlan(runtime, recipe)
        for runtime in RUNTIMES
        if not runtimes or runtime in runtimes
        for name, recipe in RECIPES.items()
        if not recipes or name in recipes
    ]
