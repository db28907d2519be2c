"""The `sasrec-edge` command: one group over training, export and running, with one way to end on an error."""

from typing import Any

import click

from sasrec_export.bundle.commands import COMMANDS as EXPORT_COMMANDS
from sasrec_runtime.cli import COMMANDS as RUNTIME_COMMANDS
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


class RootGroup(click.Group):
    """A group that keeps the order of the work, and turns every expected failure into one sentence and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order a user meets them."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; unexpected exceptions keep their traceback."""
        try:
            return super().invoke(ctx)
        except (SasrecError, TrainError) as error:
            raise click.ClickException(str(error)) from error
        except ModuleNotFoundError as error:
            extra = EXTRA_OF_MODULE.get((error.name or "").partition(".")[0])
            if extra is None:
                raise
            raise click.ClickException(
                f"{ctx.invoked_subcommand} needs {error.name}, which is not installed. "
                f"Run: pip install 'sasrec-edge[{extra}]'"
            ) from error
        except OSError as error:
            if error.filename is None or error.strerror is None:
                raise
            raise click.ClickException(f"{error.filename}: {error.strerror}.") from error


@click.group(cls=RootGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sasrec-edge", prog_name="sasrec-edge")
def main() -> None:
    """Train SASRec on an interaction log, export it for devices, and know what quantization cost.

    Example: sasrec-edge train --data ml-100k --out run
    """


for command in (*TRAIN_COMMANDS, *EXPORT_COMMANDS, *RUNTIME_COMMANDS):
    main.add_command(command)
