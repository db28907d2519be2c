"""Options that several commands share."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = [
    "among_option",
    "bundle_argument",
    "group_options",
    "json_option",
    "k_option",
    "session_options",
    "unknown_option",
    "variant_option",
]

Command = Callable[..., None]
Decorator = Callable[[Command], Command]

bundle_argument: Decorator = click.argument("bundle", type=click.Path(path_type=Path))
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
k_option: Decorator = click.option("-k", "k", default=10, show_default=True, help="Number of items to return.")
variant_option: Decorator = click.option(
    "--variant", metavar="NAME", help="Variant to run.  [default: the first whose runtime is installed]"
)
unknown_option: Decorator = click.option(
    "--unknown",
    type=click.Choice(["error", "drop", "map"]),
    default="error",
    show_default=True,
    help="For a key of the history that is not an item: fail, leave it out, or keep its position as padding.",
)
among_option: Decorator = click.option(
    "--among",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The only items to return: a file of keys, one a line; - reads standard input.",
)


def group_options(command: Command) -> Command:
    """Add the options about groups; the command takes them as `groups`, `exclude_groups` and `at_most_per_group`."""
    for option in (
        click.option(
            "--at-most-per-group",
            metavar="N",
            type=click.IntRange(min=1),
            help="Items of one group in an answer at most; needs --groups.",
        ),
        click.option(
            "--exclude-group",
            "exclude_groups",
            multiple=True,
            metavar="NAME",
            help="Group whose items not to return; may be repeated; needs --groups.",
        ),
        click.option(
            "--groups",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="The group of each item: .csv or .tsv with columns item and group, or .json with key: group.",
        ),
    ):
        command = option(command)
    return command


def session_options(command: Command) -> Command:
    """Add the options of a session; the command takes them as `options`, the fields of `SessionOptions`."""

    @click.option(
        "--threads", default=1, show_default=True, type=click.IntRange(1, 1024), help="Threads one call computes on."
    )
    @click.option("--spinning", is_flag=True, help="Waiting threads spin: a little faster, a core is always busy.")
    @click.option("--no-arena", is_flag=True, help="Give memory back after each call: slower, smaller.")
    @click.option(
        "--provider",
        "providers",
        multiple=True,
        metavar="NAME",
        help="onnxruntime's execution provider, such as cpu or coreml; repeatable, the first that can run a node does.",
    )
    @click.option(
        "--verify",
        type=click.Choice(["digests", "sizes"]),
        help="Compare these with the manifest before files are loaded.  [default: digests, up to 24 MiB]",
    )
    @functools.wraps(command)
    def with_options(
        *,
        threads: int,
        spinning: bool,
        no_arena: bool,
        providers: tuple[str, ...],
        verify: str | None,
        **rest: Any,
    ) -> None:
        options = {"threads": threads, "spinning": spinning, "arena": not no_arena, "providers": providers or ("cpu",)}
        command(options={**options, "verify": verify}, **rest)

    return with_options
