"""The `sasrec-edge` command: one group over training, export and running, with one way to end on an error."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click

from sasrec_export import stopping, streams
from sasrec_export.bundle.commands import COMMANDS as EXPORT_COMMANDS
from sasrec_export.report.commands import COMMANDS as REPORT_COMMANDS
from sasrec_runtime.cli import COMMANDS as RUNTIME_COMMANDS
from sasrec_runtime.cli.printing import printable
from sasrec_runtime.errors import SasrecError
from sasrec_train.cli import COMMANDS as TRAIN_COMMANDS
from sasrec_train.errors import TrainError

__all__ = ["main"]

EXTRA_OF_MODULE = {
    "ai_edge_litert": "export",
    "flatbuffers": "export",
    "jinja2": "export",
    "keras": "train",
    "matplotlib": "export",
    "onnx": "export",
    "onnx_ir": "export",
    "platformdirs": "train",
    "polars": "train",
    "rich": "train",
    "tensorflow": "train",
    "tf2onnx": "export",
}


REMEDIES = {
    errno.EDQUOT: "Make room, or write elsewhere",
    errno.EFBIG: "Raise the limit of a file's size, or write elsewhere",
    errno.EIO: "Check the disk",
    errno.EMFILE: "Close other programs, or raise the limit of open files",
    errno.ENOMEM: "Close other programs, or ask for less at once",
    errno.ENOSPC: "Make room, or write elsewhere",
    errno.EROFS: "Write elsewhere",
}


class RootGroup(click.Group):
    """A group that keeps the order of the work, and turns every expected failure into one sentence and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order a user meets them."""
        return list(self.commands)

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        """Look at the streams and the arguments before anything is done with them."""
        with _sentences(info_name):
            streams.prepare()
            _check_arguments(args)
            with streams.named_stdout():
                return super().make_context(info_name, args, *rest, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; unexpected exceptions keep their traceback."""
        with stopping.as_interrupts(), _sentences(ctx), streams.named_stdout():
            return super().invoke(ctx)


@contextmanager
def _sentences(place: click.Context | str | None) -> Iterator[None]:
    """Turn what is expected to go wrong into one sentence that no terminal obeys."""
    try:
        yield
    except stopping.Terminated as signal:
        click.echo("Terminated.", err=True)
        raise click.exceptions.Exit(128 + signal.number) from signal
    except click.ClickException as error:
        error.message = printable(error.message, lines=True)  # type: ignore[misc]  # else its show() sends it raw
        raise
    except (SasrecError, TrainError) as error:
        raise _failure(str(error)) from error
    except ModuleNotFoundError as error:
        extra = EXTRA_OF_MODULE.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        command = place.invoked_subcommand if isinstance(place, click.Context) else place
        raise _failure(
            f"{command} needs {error.name}, which is not installed. Run: pip install 'sasrec-edge[{extra}]'"
        ) from error
    except MemoryError as error:
        raise _failure(
            "There is not enough memory for this. Close other programs, or ask for less at once (as --batch-mb does)."
        ) from error
    except OSError as error:
        if error.errno is None or error.strerror is None:
            raise
        raise _failure(_os_sentence(error)) from error


def _failure(sentence: str) -> click.ClickException:
    return click.ClickException(printable(sentence, lines=True))


def _os_sentence(error: OSError) -> str:
    named = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    place = " → ".join(named) or "A file"
    remedy = REMEDIES.get(error.errno or 0)
    verb = ": " if named else " cannot be read or written: "
    return f"{place}{verb}{error.strerror}.{f' {remedy}.' if remedy else ''}"


def _check_arguments(arguments: Sequence[str]) -> None:
    """Refuse text that no file of ours could hold: not UTF-8, or with a NUL."""
    for position, argument in enumerate(arguments, 1):
        if "\0" in argument or not _is_utf8(argument):
            raise click.UsageError(f"Argument {position} is {argument!r:.200}, expected UTF-8 without NUL. Rename it.")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


HELP: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"]}


@click.group(cls=RootGroup, context_settings=HELP)
@click.version_option(package_name="sasrec-edge", prog_name="sasrec-edge")
def main() -> None:
    """Train SASRec on an interaction log, export it for devices, and know what quantization cost.

    Example: sasrec-edge train --data ml-100k --out run
    """


for command in (*TRAIN_COMMANDS, *EXPORT_COMMANDS, *REPORT_COMMANDS, *RUNTIME_COMMANDS):
    # click keeps the first help option that a command is asked for: it must be the same with and without the group.
    command.context_settings = {**command.context_settings, **HELP}
    main.add_command(command)
