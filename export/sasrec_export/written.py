"""The interface of a writer of variants, and what it returns."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sasrec_export.encoder.export_model import ItemTable
from sasrec_export.recipes import VariantPlan

__all__ = ["Writer", "Written"]


@dataclass(frozen=True, slots=True)
class Written:
    """The files of one variant."""

    files: list[Path]
    """All of them."""
    entries: dict[str, Path]
    """Contract entry → its model file."""


class Writer(Protocol):
    """Writes the variants of one runtime, for one trained model."""

    def write(self, plan: VariantPlan, table: ItemTable, folder: Path) -> Written:
        """Write the files of one variant into `folder`, an existing empty one.

        Args:
            plan: The variant.
            table: The item table as `plan.engine.table` stores it.
            folder: Where the files go.

        Raises:
            ExportError: The runtime cannot do what the recipe asks.
        """
