"""Train sasrec-edge, RecBole's SASRec and RecTools' SASRec on one log, in turn, and print how fast each learns.

Each is trained in an environment and a process of its own, on the same cores, with the same split; only training is
timed, and one piece of code ranks the validation items of all. The machine should have nothing else to do.

Example: make peers && .venv/bin/python tools/bench_training.py --data ml-100k --minutes 5
"""

import argparse
import datetime as dt
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from machine import processor

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "tools" / "peers"
OWN, PEERS = "sasrec-edge", ("recbole", "rectools")
NOTE = (
    "Interactions: the training part of the log, once an epoch, for all alike. Targets: what an epoch learns to "
    "predict; RecTools leaves out all but a user's newest max_len + 1. ≈: from part of an epoch. Cores used well below "
    "the threads: the machine had other things to do."
)
SIZES = ("hidden-dim", "blocks", "heads", "max-len", "threads")


@dataclass(frozen=True)
class Run:
    """The JSON lines of one training run."""

    header: dict
    epochs: list[dict]

    @classmethod
    def read(cls, path: Path) -> "Run":
        header, *epochs = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        return cls(header, epochs)

    @property
    def judged(self) -> list[dict]:
        return [epoch for epoch in self.epochs if epoch["validation"]]

    @property
    def best(self) -> dict:
        return max(self.judged, key=lambda epoch: epoch["validation"]["ndcg@10"])

    @property
    def whole(self) -> list[dict]:
        """Epochs to take speeds from: complete ones, if there are any."""
        return [epoch for epoch in self.epochs if epoch["share"] == 1] or self.epochs

    def median(self, name: str) -> float:
        return statistics.median(epoch[name] for epoch in self.whole)

    def seconds_to(self, ndcg: float) -> float | None:
        reached = (epoch["train_seconds"] for epoch in self.judged if epoch["validation"]["ndcg@10"] >= ndcg)
        return next(reached, None)


def main() -> None:
    options = parse()
    missing = [name for name in options.only if name != OWN and not python_of(options, name).exists()]
    if missing:
        sys.exit(f"{options.environments} has no environment for {', '.join(missing)}. Run `make peers` first.")
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        write_log(options.data, log)
        runs = {name: [] for name in options.only}
        for repetition in range(1, options.repetitions + 1):
            for name, done in runs.items():
                print(f"{name}, run {repetition} of {options.repetitions}", file=sys.stderr, flush=True)
                lines = options.out.resolve() / f"{name}-{repetition}.jsonl"
                subprocess.run(command(options, name, log, lines), env=environment(options), cwd=folder, check=True)
                done.append(Run.read(lines))
    print("\n".join(report(options, runs)))


def parse() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", required=True, help="a log, as for sasrec-edge train")
    options.add_argument("--out", type=Path, default=Path("build/bench-training"), help="folder for the JSON lines")
    options.add_argument("--environments", type=Path, default=ROOT / ".peers", help="folder that `make peers` fills")
    options.add_argument("--only", nargs="+", choices=(OWN, *PEERS), default=(OWN, *PEERS))
    options.add_argument("--repetitions", type=int, default=3)
    options.add_argument("--minutes", type=float, default=5.0, help="most training time of a run")
    options.add_argument("--peer-epochs", type=int, default=1000, help="most epochs of the peers; ours: the preset's")
    options.add_argument("--hidden-dim", type=int, default=64)
    options.add_argument("--blocks", type=int, default=2)
    options.add_argument("--heads", type=int, default=2)
    options.add_argument("--max-len", type=int, default=50)
    options.add_argument("--threads", type=int, default=2)
    for name in (OWN, *PEERS):
        options.add_argument(f"--{name}", default="", metavar="OPTIONS", help=f"more for {name}: '--batch-size 128'")
    return options.parse_args()


def write_log(data: str, path: Path) -> None:
    """Write the log as our reader reads it, so that all libraries are given the same."""
    from sasrec_train import datasets

    histories = datasets.load(data).histories
    np.savetxt(path, np.stack([histories.rows() + 1, histories.item_ids], axis=1), fmt="%d")


def python_of(options: argparse.Namespace, name: str) -> Path:
    return Path(sys.executable) if name == OWN else options.environments.absolute() / name / "bin" / "python"


def command(options: argparse.Namespace, name: str, log: Path, lines: Path) -> list[str]:
    own = name == OWN
    script = SCRIPTS / f"{'own' if own else name}_sasrec.py"
    call = [
        str(python_of(options, name)),
        str(script),
        "--log",
        str(log),
        "--out",
        str(lines),
        "--minutes",
        str(options.minutes),
    ]
    for size in SIZES:
        call += [f"--{size}", str(getattr(options, size.replace("-", "_")))]
    if not own:
        call += ["--epochs", str(options.peer_epochs)]
    call += shlex.split(getattr(options, name.replace("-", "_")))
    if shutil.which("taskset"):
        cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[: options.threads]))
        call = ["taskset", "-c", cores, *call]
    return call


def environment(options: argparse.Namespace) -> dict[str, str]:
    # A thread that spins while it waits for another that the system has put aside costs a run most of its speed.
    return {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "OMP_NUM_THREADS": str(options.threads)}


def report(options: argparse.Namespace, runs: dict[str, list[Run]]) -> list[str]:
    """Return the lines of the Markdown report."""
    first = next(iter(runs.values()))[0].header
    versions = "; ".join(
        ", ".join(f"{package} {version}" for package, version in done[0].header["versions"].items())
        for done in runs.values()
    )
    today = dt.datetime.now(tz=dt.UTC).date()
    setting = (
        f"{Path(options.data).name}, {first['interactions']:,} training interactions; hidden_dim {options.hidden_dim}, "
        f"{options.blocks} blocks, {options.heads} heads, max_len {options.max_len}; {options.repetitions} "
        f"repetitions, medians; at most {options.minutes:g} min of training a run."
    )
    return [
        setting,
        f"{processor()}, {options.threads} of {os.cpu_count()} cores; {today}; {versions}.",
        "",
        *speeds(runs),
        "",
        *qualities(runs),
    ]


def speeds(runs: dict[str, list[Run]]) -> list[str]:
    rate = {name: statistics.median(run.median("interactions_per_s") for run in done) for name, done in runs.items()}
    peers = [rate[name] for name in runs if name in PEERS]
    lines = [
        "| | batch | interactions/s | × the faster peer | s an epoch | targets/s | cores used |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, done in runs.items():
        part = "" if all(epoch["share"] == 1 for run in done for epoch in run.whole) else "≈ "  # from part of an epoch
        seconds = statistics.median(run.median("epoch_seconds") for run in done)
        ratio = f"{rate[name] / max(peers):.2f}" if peers else "–"
        batch = done[0].header["settings"]["batch_size"] or "preset"
        targets = statistics.median(run.median("targets_per_s") for run in done)
        cores = statistics.median(run.median("cpu_seconds") / run.median("seconds") for run in done)
        lines.append(
            f"| {name} | {batch} | {rate[name]:,.0f} | {ratio} | {part}{seconds:.1f} | {targets:,.0f} | {cores:.1f} |"
        )
    return [*lines, "", NOTE]


def qualities(runs: dict[str, list[Run]]) -> list[str]:
    lines = [
        "| | best validation NDCG@10 / HR@10, filtered | after s (epochs) | trained, s | sasrec-edge has it after s |",
        "|---|---|---|---|---|",
    ]
    for name, done in runs.items():
        ndcg, hits = (
            statistics.median(run.best["validation"][metric] for run in done) for metric in ("ndcg@10", "hr@10")
        )
        after = statistics.median(run.best["train_seconds"] for run in done)
        epochs = statistics.median(run.best["epoch"] - 1 + run.best["share"] for run in done)
        total = statistics.median(run.epochs[-1]["train_seconds"] for run in done)
        ours = "–" if name == OWN else time_to(runs.get(OWN, []), ndcg)
        lines.append(f"| {name} | {ndcg:.4f} / {hits:.4f} | {after:.1f} ({epochs:.3g}) | {total:.1f} | {ours} |")
    return lines


def time_to(runs: list[Run], ndcg: float) -> str:
    """Return the median time to a quality; not reached counts as longest."""
    times = [run.seconds_to(ndcg) for run in runs]
    if not times:
        return "–"
    middle = statistics.median_high(float("inf") if time is None else time for time in times)
    return "not reached" if middle == float("inf") else f"{middle:.1f}"


if __name__ == "__main__":
    main()
