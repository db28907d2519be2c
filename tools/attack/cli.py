"""The command line: each option with values at and beyond its limits, and output that cannot be written.

Example: python tools/attack/cli.py --cases 400
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import children
import click
import made
import shell
from tally import Wrong, options

VALUES = (
    "", " ", "0", "-1", "1", "1025", "10000", "1000000000", str(2**31), str(2**63), "9" * 5000, "-9e99", "1e400", "nan",
    "inf", "-inf", "1.5", "0x10", "1_0", "٣", "abc", "é🎬", "\x1b[31m", "a" * 100_000, "../x", "/dev/null", "/dev/full",
    "--help", "-", "%", "101%", "-1%", "nan%", "{}", "[1]", "a,b", "\udcff", "*", "synthetic:items=0", "1x1", "0x0",
    "99999999x9", "synthetic:users=1000000000,mean_length=1000", "synthetic:mean_length=inf", "ml-100x", ".", "/",
)  # fmt: skip
ENCODINGS = ("latin-1", "cp1252", "ascii", "utf-16", "utf-8", "ascii:strict", "koi8-r")
LOCALES = ("C", "POSIX", "C.UTF-8", "nonsense")
OUTPUTS = ("file", "/dev/full", "closed", "closed pipe")


class Stage:
    """A run and a bundle, and the cheapest good line of each command."""

    def __init__(self, folder: Path, bundle: Path | None) -> None:
        self.run = made.tiny_run(folder / "run")
        self.bundle = bundle.resolve() if bundle else made.write_tiny_bundle(self.run, folder / "bundle")
        keys = made.keys_of(self.bundle)
        self.keys = keys[:3]
        self.histories = folder / "histories.csv"
        self.histories.write_text(f"user,history\na,{keys[0]} {keys[1]}\nb,{keys[2]}\n", encoding="utf-8")

    def line(self, command: str, folder: Path) -> list[str]:
        """Return a command that works, in that folder."""
        bundle, out = str(self.bundle), str(folder / "out")
        lines = {
            "train": ["--data", made.TINY, "--epochs", "1", "--max-len", "5", "--min-steps", "0", "--out", out],
            "evaluate": [str(self.run)],
            "export": [str(self.run), "--runtime", "onnx", "--recipe", "wi8", "--out", out],
            "report": [bundle, "--data", made.TINY, "--users", "5", "--out", out],
            "verify": [bundle],
            "inspect": [bundle],
            "recommend": [bundle, *self.keys],
            "score": [bundle, "--histories", str(self.histories), "--out", f"{out}.csv"],
            "bench": [bundle, "--calls", "20"],
        }
        return [command, *lines.get(command, [bundle])]


def options_of(commands: dict[str, click.Command]) -> list[tuple[str, str]]:
    """Return every option that takes a value, of every command."""
    return [
        (name, option.opts[-1])
        for name, command in commands.items()
        for option in command.params
        if isinstance(option, click.Option) and not option.is_flag
    ]


def as_user(line: list[str], how: str, environment: dict[str, str], limit_s: float) -> subprocess.CompletedProcess[Any]:
    """Start the command anew, its standard output a file, full, closed, or a pipe that nobody reads."""
    target: Any = subprocess.PIPE
    if how == "/dev/full":
        target = Path("/dev/full").open("wb")  # noqa: SIM115 - closed with this process
    elif how == "closed pipe":
        read, target = os.pipe()
        os.close(read)
    command = [*shell.STARTED, *line]
    if how == "closed":
        command = ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *command]
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=target, stderr=subprocess.PIPE, env={**os.environ, **environment},
            timeout=limit_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Wrong("hang", f"no end after {limit_s:g} s") from error


@click.command()
@click.option("--bundle", type=click.Path(exists=True, path_type=Path), help="A bundle to run.  [default: a tiny one]")
@click.option("--share-output", default=0.3, show_default=True, help="Share of the cases about standard output.")
@options(cases=400, limit_s=120)
def main(bundle: Path | None, share_output: float, how: children.How) -> None:
    """Give one option one value a case, or standard output an encoding or an end."""
    shell.preload(training=True)
    from sasrec_export.cli import main as group

    valued = options_of(group.commands)
    with tempfile.TemporaryDirectory(prefix="attack-") as scratch:
        stage = Stage(Path(scratch), bundle)

        def values(case: children.Case) -> None:
            command, option = valued[case.rng.integers(len(valued))]
            value = VALUES[case.rng.integers(len(VALUES))]
            case.begins("cli: values of options", f"{command} {option} {value!r:.60}")
            line = [*stage.line(command, case.folder), option, value]
            as_json = bool(case.rng.random() < 0.5) and any("--json" in p.opts for p in group.commands[command].params)
            done = shell.command(*line, *(["--json"] if as_json else []), cwd=case.folder, limit_s=how.limit_s - 10)
            accepted = shell.judge(done)
            if as_json and "--help" not in line and (accepted or done.code == 3):
                parsed(done.out)
            if not accepted:
                case.counts(refused=1)

        def output(case: children.Case) -> None:
            command = str(case.rng.choice(["inspect", "recommend", "verify", "score", "report", "evaluate", "help"]))
            encoding, locale = str(case.rng.choice(ENCODINGS)), str(case.rng.choice(LOCALES))
            target = str(case.rng.choice(OUTPUTS, p=[0.4, 0.3, 0.15, 0.15]))
            name = str(case.rng.choice(list(group.commands)))
            line = [name, "--help"] if command == "help" else stage.line(command, case.folder)
            case.begins(f"cli: output to {target}", f"{line[0]} {line[-1]:.20}, {encoding}, LC_ALL={locale}")
            environment = {"PYTHONIOENCODING": encoding, "LC_ALL": locale}
            done = as_user(line, target, environment, how.limit_s - 10)
            codec = encoding.partition(":")[0]
            out = (done.stdout or b"").decode(codec, errors="replace")
            if target == "closed pipe" and done.returncode == 1 and not done.stderr:
                return  # nobody reads: as other programs do, it ends without a word
            accepted = shell.judge(shell.Finished(done.returncode, out, done.stderr.decode(codec, errors="replace")))
            if accepted and target == "/dev/full":
                raise Wrong("a full disk unsaid", "exit 0")
            if not accepted:
                case.counts(refused=1)

        def attempt(case: children.Case) -> None:
            (output if case.rng.random() < share_output else values)(case)

        sys.exit(children.run(how, attempt))


def parsed(text: str) -> None:
    """Refuse what is not one JSON object, NaN and infinities included."""

    def no_number(name: str) -> None:
        raise Wrong("not JSON", f"it holds {name}")

    try:
        value = json.loads(text, parse_constant=no_number)
    except ValueError as error:
        raise Wrong("not JSON", f"{error}: {text:.100}") from error
    if not isinstance(value, dict):
        raise Wrong("not JSON", f"{text:.100}")


if __name__ == "__main__":
    main()
