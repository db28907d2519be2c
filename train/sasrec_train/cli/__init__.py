"""The commands of training."""

from sasrec_train.cli.commands import COMMANDS

__all__ = ["COMMANDS"]
