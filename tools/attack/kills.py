"""Commands killed at random moments by KILL, TERM and INT: nothing half-written, nothing lost, nothing left behind.

Afterwards --out is what it was, or the whole new output. The same command, with --resume where there is one, then ends
with 0, and nothing but its output lies there.

Example: python tools/attack/kills.py --cases 60
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import children
import click
import folders
import made
import shell
from tally import Wrong, options

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
COMMANDS = ("train", "export", "report", "score")
RESUMED = ("train", "score")


class Stage:
    """Inputs, and what each command writes when nobody stops it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = made.tiny_run(folder / "run")
        self.bundle = made.write_tiny_bundle(self.run, folder / "bundle")
        keys = made.keys_of(self.bundle)
        self.histories = folder / "histories.csv"
        rows = (f"u{row},{keys[row % len(keys)]}\n" for row in range(60_000))
        self.histories.write_text("user,history\n" + "".join(rows), encoding="utf-8")
        self.took_s: dict[str, float] = {}
        self.whole: dict[str, Path] = {}
        for command in COMMANDS:
            started = time.monotonic()
            out = folder / f"whole-{command}" / self.name(command)
            done = shell.command(*self.line(command, out), limit_s=600)
            if done.code:
                sys.exit(done.err)
            self.took_s[command], self.whole[command] = time.monotonic() - started, out

    @staticmethod
    def name(command: str) -> str:
        return "out.csv" if command == "score" else "out"

    def line(self, command: str, out: Path) -> list[str]:
        out.parent.mkdir(exist_ok=True)
        return {
            "train": ["train", "--data", made.TINY, "--epochs", "3", "--max-len", "5", "--min-steps", "0"],
            "export": ["export", str(self.run), "--runtime", "onnx", "--recipe", "wi8"],
            "report": ["report", str(self.bundle), "--data", made.TINY, "--users", "20"],
            "score": ["score", str(self.bundle), "--histories", str(self.histories)],
        }[command] + ["--out", str(out)]


def check_whole(command: str, out: Path) -> None:
    """Refuse an output that is not whole, as a user would open it."""
    if command == "train":
        from sasrec_train.run import Run

        Run.load(out).split()
    elif command == "export":
        from sasrec_runtime.bundle import Bundle

        Bundle.open(out).verify_digests()
    elif command == "report":
        if not (out / "report.html").read_text(encoding="utf-8").rstrip().endswith("</html>"):
            raise Wrong("half-written", "report.html has no end")
        if not (out / "report.json").read_text(encoding="utf-8").rstrip().endswith("}"):
            raise Wrong("half-written", "report.json has no end")


def check_after(command: str, out: Path, before: dict[str, str] | None, whole: Path) -> str:
    """Return what --out is after the signal: nothing, the old or the new output."""
    if not os.path.lexists(out):
        if before is not None:
            hidden = sorted(path.name for path in out.parent.iterdir())
            raise Wrong("output gone", f"there are {hidden}")
        return "nothing"
    if command == "score":
        if before is not None and out.read_bytes() == b"old\n":
            return "old"
        if out.read_bytes() != whole.read_bytes():
            raise Wrong("half-written", f"{out.stat().st_size} bytes of {whole.stat().st_size}")
        return "new"
    if before is not None and folders.snapshot(out) == before:
        return "old"
    try:
        check_whole(command, out)
    except Exception as error:
        raise Wrong("half-written", f"{type(error).__name__}: {error!s:.200}") from error
    return "new"


@click.command()
@click.option("--of", "wanted", multiple=True, type=click.Choice(COMMANDS), help="Kill these alone.  [default: all]")
@options(cases=60, limit_s=300)
def main(wanted: tuple[str, ...], how: children.How) -> None:
    """Stop one command a case."""
    shell.preload(training=True)
    with tempfile.TemporaryDirectory(prefix="attack-") as scratch:
        stage = Stage(Path(scratch))

        def attempt(case: children.Case) -> None:
            rng = case.rng
            command = str(rng.choice(wanted or COMMANDS))
            sent = SIGNALS[rng.integers(len(SIGNALS))]
            moment_s = float(rng.random() * stage.took_s[command] * 1.05)
            replaces = bool(rng.random() < 0.5)
            place = case.folder / "work"
            place.mkdir()
            out, before = place / stage.name(command), None
            if replaces and command == "score":
                out.write_text("old\n")
                before = {}
            elif replaces:
                shutil.copytree(stage.whole[command], out)
                before = folders.snapshot(out)
            force = ["--force"] if replaces else []
            case.begins(f"kills: {command}, {sent.name}", f"after {moment_s:.2f} s {' '.join(force)}")
            line = stage.line(command, out)
            running = shell.start([*line, *force])
            time.sleep(moment_s)
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.pid, sent)
            done = running.wait(how.limit_s / 3)
            left = check_after(command, out, before, stage.whole[command])
            if sent != signal.SIGKILL and done.code != -sent:
                shell.judge(done, signalled=True)
            if left == "new" and not replaces and command != "train":  # a whole run may be resumed
                case.begins(f"kills: {command}, {sent.name}", f"after {moment_s:.2f} s, done before")
                force = ["--force"]
            if command in RESUMED:
                force = [*force, "--resume"] if command == "score" or not replaces else force
            again = shell.command(*line, *force, limit_s=how.limit_s / 3)
            if again.code:
                raise Wrong("the next command fails", f"{left} after {done.code}: {again.err[-300:]}")
            check_after(command, out, None, stage.whole[command])
            extra = sorted(path.name for path in place.iterdir() if path.name != out.name)
            if extra:
                raise Wrong("leftovers", f"{', '.join(extra)} after {done.code} and the next command")

        sys.exit(children.run(how, attempt))


if __name__ == "__main__":
    main()
