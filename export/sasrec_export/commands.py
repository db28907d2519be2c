"""The commands that need a trained run or its interaction log beside a bundle: export and report."""

import click

__all__ = ["COMMANDS"]

COMMANDS: tuple[click.Command, ...] = ()
