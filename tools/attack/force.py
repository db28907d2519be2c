"""Made-up folders as --out of every command, with --force, --resume or neither: nothing that was not ours may change.

Ours are the folders that the project itself wrote, as long as nothing of a stranger lies in them. A refused command
changes nothing at all.

Example: python tools/attack/force.py --cases 150
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import children
import click
import folders
import made
import numpy as np
import shell
from tally import Wrong, options

NAMES = (
    "config.json", "manifest.json", "report.json", "report.html", "README.md", "job.json", "items.txt", "golden.json",
    "model.keras", "last.npz", "0.rows", "thesis.tex", ".git/HEAD", ".git/objects/ab/cdef", "src/app.js", "notes.txt",
    "onnx/wi8/notes.md", "metrics.json", ".hidden", "whole", "finishing", "best-1.npz", "out.csv", "memo", "run.json",
)  # fmt: skip
TEXTS = (
    "precious", "", '{"name":"My PWA"}', '{"model_type":"bert"}', '{"format_version":1}', '{"format_version":2}',
    "{}", "[]", "null", '{"output_version":1}', '{"histories":"x"}',
)  # fmt: skip
MARKERS = ("config.json", "manifest.json", "report.json")
"""What a run, a bundle and a report are recognised by."""
COMMANDS = ("train", "export", "report", "score")
KINDS = ("run", "bundle", "report", "nothing", "nothing", "empty")


class Stage:
    """What the cases of this experiment start from: one run, bundle and report of ours, and a file of histories."""

    def __init__(self, folder: Path) -> None:
        self.run = made.tiny_run(folder / "run")
        self.bundle = made.write_tiny_bundle(self.run, folder / "bundle")
        line = ("report", str(self.bundle), "--data", made.TINY, "--users", "5", "--out", str(folder / "report"))
        done = shell.command(*line, limit_s=300)
        if done.code:
            sys.exit(done.err)
        self.report = folder / "report"
        keys = made.keys_of(self.bundle)
        self.histories = folder / "histories.csv"
        self.histories.write_text(f"user,history\na,{' '.join(keys[:3])}\nb,{keys[4]}\nc,nonsense\n")


def plant(folder: Path, rng: np.random.Generator, number: int) -> None:
    """Put some strangers into a folder, over what is there."""
    for name in rng.choice(NAMES, number, replace=False).tolist():
        path = folder / name
        if any(parent.is_file() for parent in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            continue
        draw = rng.random()
        path.unlink(missing_ok=True)
        if draw < 0.1:
            path.symlink_to("/nowhere")
        elif draw < 0.15:
            path.mkdir()
        else:
            path.write_text(str(rng.choice(TEXTS)))


def build(case: children.Case, stage: Stage) -> tuple[tuple[str, ...], str]:
    """Make the folders of a case; return the command line and what is special."""
    rng, place = case.rng, case.folder / "work"
    place.mkdir()
    for name in ("run", "bundle", "report"):
        shutil.copytree(getattr(stage, name), place / name)
    shutil.copy(stage.histories, place / "histories.csv")
    command = str(rng.choice(COMMANDS))
    out = place / ("out.csv" if command == "score" and rng.random() < 0.7 else "out")
    what = [fill(out, rng), *fill_beside(out, rng)]
    if rng.random() < 0.2:
        out = {"train": place, "export": place / "run", "report": place / "bundle", "score": place / "bundle"}[command]
        if rng.random() < 0.3:
            out = place
        what = [f"--out is {out.name}, an input or what holds it"]
    histories = place / "histories.csv"
    if command == "score" and rng.random() < 0.15:
        histories = out.with_name(out.name + ".bad.jsonl")
        histories.write_text(json.dumps({"user": "u", "history": ["1"]}) + "\n")
        what.append("histories are *.bad.jsonl")
    line = {
        "train": ("train", "--data", made.TINY, "--epochs", "1", "--max-len", "5", "--min-steps", "0"),
        "export": ("export", str(place / "run"), "--runtime", "onnx", "--recipe", "wi8"),
        "report": ("report", str(place / "bundle"), "--data", made.TINY, "--users", "5"),
        "score": ("score", str(place / "bundle"), "--histories", str(histories), "-k", "2"),
    }[command]
    can_resume = command in {"train", "score"}
    sets = [["--force"]] * 7 + ([["--resume"], ["--force", "--resume"], []] if can_resume else [[]])
    flags = sets[rng.integers(len(sets))]
    return (*line, "--out", str(out), *flags), f"{' '.join((command, *flags))}: {'; '.join(what)}"


def fill(out: Path, rng: np.random.Generator) -> str:
    """Make what is to be replaced: ours, strangers', both, or nothing."""
    kind, strangers = str(rng.choice(KINDS)), int(rng.choice([0, 1, 1, 2, 4]))
    if kind in {"run", "bundle", "report"}:
        shutil.copytree(out.parent / kind, out)
    elif kind == "empty":
        out.mkdir()
        return "--out is empty"
    if strangers:
        out.mkdir(exist_ok=True)
        plant(out, rng, strangers)
    return f"--out is {'a copy of our ' if kind != 'nothing' else ''}{kind}, {strangers} strangers in it"


def fill_beside(out: Path, rng: np.random.Generator) -> list[str]:
    """Make what lies beside it under the names that the project uses."""
    what = []
    for suffix in (".training", ".parts"):
        if rng.random() < 0.25:
            side = out.with_name(out.name + suffix)
            side.mkdir()
            plant(side, rng, int(rng.choice([0, 1, 2])))
            what.append(f"a folder {side.name}")
    if rng.random() < 0.25:
        out.with_name(out.name + ".bad.jsonl").write_text(str(rng.choice(["notes\n", '{"a":1}\n', '{"row":1}\n'])))
        what.append("a file *.bad.jsonl")
    return what


def ours(name: str, before: dict[str, str], genuine: dict[str, str]) -> bool:
    """Whether a path of the work folder is of a folder that we wrote, and may thus be replaced.

    It is if its bytes are ours, or if it has a name of ours beside our marker file: a damaged bundle is still a bundle.
    """
    top, _, rest = name.partition("/")
    if not top.startswith("out"):
        return False
    if before[name] == "folder" or (bool(rest) and genuine.get(rest) == before[name]):
        return True
    marked = any(genuine[marker] == before.get(f"{top}/{marker}") for marker in MARKERS if marker in genuine)
    return rest in genuine and marked


@click.command()
@options(cases=150, limit_s=150)
def main(how: children.How) -> None:
    """Train, export, report or score into a made-up folder a case."""
    shell.preload(training=True)
    with tempfile.TemporaryDirectory(prefix="attack-") as scratch:
        stage = Stage(Path(scratch))
        genuine = [folders.snapshot(folder) for folder in (stage.run, stage.bundle, stage.report)]

        def attempt(case: children.Case) -> None:
            case.begins("force", "making the folders")
            line, what = build(case, stage)
            case.begins(f"force: {line[0]}", what)
            place = case.folder / "work"
            before = folders.snapshot(place)
            done = shell.command(*line, limit_s=how.limit_s - 20)
            after = folders.snapshot(place)
            lost = [name for name in before if after.get(name) != before[name]]
            foreign = [name for name in lost if not any(ours(name, before, known) for known in genuine)]
            if foreign:
                raise Wrong("lost or changed", f"exit {done.code}, {len(foreign)} of them: {', '.join(foreign[:5])}")
            accepted = shell.judge(done)
            if not accepted and (lost or set(after) - set(before)):
                new = sorted(set(after) - set(before))
                raise Wrong("refused, but changed", f"lost {lost[:3]}, new {new[:3]}: {done.err[-200:]}")
            if not accepted:
                case.counts(refused=1)

        sys.exit(children.run(how, attempt))


if __name__ == "__main__":
    main()
