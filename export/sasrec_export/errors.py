"""Errors of an export that a user can expect and act on."""

from sasrec_runtime.errors import SasrecError

__all__ = ["ConversionError", "ExportError", "ParityError"]


class ExportError(SasrecError, ValueError):
    """An export was asked for something it cannot write."""


class ConversionError(ExportError):
    """A converter returned another graph than was asked for."""


class ParityError(ExportError):
    """An exported variant does not answer as the trained model does."""
