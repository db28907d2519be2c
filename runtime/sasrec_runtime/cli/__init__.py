"""The commands that run, check and time a bundle."""

from sasrec_runtime.cli.commands import COMMANDS

__all__ = ["COMMANDS"]
