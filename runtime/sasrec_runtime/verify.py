"""The public place of `verify`, which integration cards import from here."""

from sasrec_runtime.checks.verify import VariantCheck, verify

__all__ = ["VariantCheck", "verify"]
