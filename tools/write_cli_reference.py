"""Write docs/cli.md from the command line itself: every command and every option, as click knows them.

With --check nothing is written, and the exit code is 1 where the page differs.

Example: python tools/write_cli_reference.py
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from sasrec_export.cli import main as root
from sasrec_train.cli import config_options
from sasrec_train.config import PRESETS, ModelConfig, TrainConfig
from sasrec_train.loss_registry import LOSSES

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
HEAD = """\
# Command line

<!-- Written by `make docs` from the command line itself. Change the help texts in the code, not this page. -->

    sasrec-edge COMMAND …

Results go to standard output, progress and warnings to standard error. `-h` and `--help` explain every command;
`sasrec-edge --version` prints the version.

| exit code | meaning |
|---|---|
| 0 | Done. |
| 1 | An expected failure, said in one sentence on standard error; or Ctrl-C. |
| 2 | Wrong usage of the command line. |
| 3 | The check ran, and its answer is no: an answer differs (`verify`), or no variant fits the budget (`report`). |
| 129, 143 | SIGHUP or SIGTERM ended the command. As after Ctrl-C, half-written output is removed, or can be resumed. |

What may change in these options, in the exit codes and in `--json` is written in [stability.md](stability.md).
"""
IN_HELP = re.compile(r"\s*\[default: (.*?)\]")
PRESET_OPTIONS = (
    (config_options.MODEL_OPTIONS, "model", ModelConfig),
    (config_options.TRAIN_OPTIONS, "train", TrainConfig),
)


def main() -> None:
    name = PAGE.relative_to(PAGE.parents[1])
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") != text():
            sys.exit(f"{name} is not what the command line says today. Run: make docs")
        return
    PAGE.write_text(text(), encoding="utf-8")
    print(name)


def text() -> str:
    """Return the page."""
    index = ["| command | what it does |", "|---|---|"]
    index += [f"| [{name}](#{name}) | {cell(first_line(command))} |" for name, command in root.commands.items()]
    parts = [HEAD, "\n".join(index) + "\n"]
    parts += ["\n".join(of_command(name, command)) for name, command in root.commands.items()]
    return "\n".join(parts)


def of_command(name: str, command: click.Command) -> Iterator[str]:
    """Give the lines of one command's section."""
    described, _, example = inspect.cleandoc(command.help or "").partition("Example: ")
    usage = " ".join(command.collect_usage_pieces(click.Context(command, **command.context_settings)))
    yield f"## {name}\n"
    yield f"    sasrec-edge {name} {usage}\n"
    yield described.strip() + "\n"
    yield f"Example:\n\n    {' '.join(example.split())}\n"
    yield "| option | default | meaning |"
    yield "|---|---|---|"
    from_preset = preset_fields() if name == "train" else set()
    for option in command.params:
        if isinstance(option, click.Option):
            yield of_option(option, "the preset's" if option.name in from_preset else default_of(option))
    yield "| `-h`, `--help` |  | Show this message and exit. |\n"
    if name == "train":
        yield from presets()
        yield from losses()


def of_option(option: click.Option, default: str) -> str:
    """Return the row of one option: its spellings with what they take, its default, its help."""
    spellings = [f"`{spelling}`" for spelling in (*option.opts, *option.secondary_opts)]
    named = ", ".join(spellings)
    if not (option.is_flag or option.secondary_opts):
        named += f" `{taken(option)}`"
    described = IN_HELP.sub("", option.help or "")
    if option.multiple and "repeat" not in described:
        described += " May be repeated."
    if option.required:
        described += " **Required.**"
    return f"| {cell(named)} | {cell(default)} | {cell(described)} |"


def taken(option: click.Option) -> str:
    """Return what an option takes: its choices, its metavar with the range, or the type."""
    kind = option.type
    if isinstance(kind, click.Choice):
        return "|".join(map(str, kind.choices))
    name = option.metavar or kind.name.replace(" range", "").upper()
    if not isinstance(kind, click.IntRange | click.FloatRange):
        return name
    limits = [f"{'>' if kind.min_open else '≥'} {kind.min}"] if kind.min is not None else []
    limits += [f"{'<' if kind.max_open else '≤'} {kind.max}"] if kind.max is not None else []
    return f"{name} {', '.join(limits)}".strip()


def default_of(option: click.Option) -> str:
    """Return what holds where the option is not given."""
    said = IN_HELP.search(option.help or "")
    if said:
        return said[1]
    if isinstance(option.show_default, str):
        return option.show_default
    given = option.default
    if option.required or not option.show_default:
        return ""
    if option.secondary_opts:
        return f"`{option.opts[0] if given else option.secondary_opts[0]}`"
    return f"`{given}`"


def preset_fields() -> set[str]:
    """Return the options of `train` whose default is the preset's, by the field that they set."""
    return {field for options, _, _ in PRESET_OPTIONS for field, _ in options.values()}


def presets() -> Iterator[str]:
    """Give a table of what each preset says for the options of `train` that it sets."""
    yield "What the presets say:\n"
    yield "| option | " + " | ".join(f"`{name}`" for name in PRESETS) + " |"
    yield "|---|" + "---|" * len(PRESETS)
    for options, section, kind in PRESET_OPTIONS:
        needed = {"n_items": 1} if kind is ModelConfig else {}
        values = [
            msgspec.to_builtins(msgspec.convert({**chosen[section], **needed}, kind)) for chosen in PRESETS.values()
        ]
        for option, (field, _) in options.items():
            yield f"| `{option.partition('/')[0]}` | " + " | ".join(shown(value[field]) for value in values) + " |"
    yield ""


def losses() -> Iterator[str]:
    """Give a table of what `--loss` can be."""
    yield "The losses:\n"
    yield "| loss | what it is | negatives |"
    yield "|---|---|---|"
    for name, loss in LOSSES.items():
        yield f"| `{name}` | {cell(loss.help)} | {'sampled' if loss.samples else 'none'} |"
    yield ""


def shown(value: object) -> str:
    """Return a preset's value as a reader sees it."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"`{value}`"


def first_line(command: click.Command) -> str:
    """Return the first sentence of a command's help."""
    return inspect.cleandoc(command.help or "").split("\n\n")[0].replace("\n", " ")


def cell(words: str) -> str:
    """Return words as they stand in a cell of a Markdown table."""
    return " ".join(words.replace("|", "\\|").split())


if __name__ == "__main__":
    main()
