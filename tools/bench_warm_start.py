"""Compare training that starts from a RUN of yesterday's log with training from scratch on today's, as Markdown.

Yesterday's log is today's without its newest interactions: those after a point in time, or, where the log has no times,
the last ones of users drawn from the seed. Both trainings learn from today's log and are measured on its test items.
Each is a process of its own (`sasrec-edge train`), so that "all" is what a user waits, start-up included. The training
on yesterday's log is not counted: it was done the night before.

Example: .venv/bin/python tools/bench_warm_start.py --data ml-100k --seeds 0 1 2
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from machine import described
from sasrec_train import datasets
from sasrec_train.log.interactions import Interactions

MAIN = "import sys; from sasrec_export.cli import main; sys.exit(main())"
SHORTEST = 4  # Interactions that a user has, at least, who loses the last one: the test stays possible.
COLUMNS = (
    "| log | seed | training | HR@10 | NDCG@10 | validation NDCG@10 | epochs | steps, s | all, s | entries moved |"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k", help="A log, as for --data of train.")
    parser.add_argument("--share", type=float, default=0.02, help="Newest interactions, of all.")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--stay-near", nargs="+", type=float, default=[], help="Weights to measure as well.")
    parser.add_argument("--optimizer-state", action="store_true", help="Let yesterday's RUN hold the state of Adam.")
    parser.add_argument("--more", default="", help="Options handed on to all trainings, such as '--split temporal'.")
    parser.add_argument("--warm", default="", help="Options handed on to the warm starts, such as '--epochs 2'.")
    options = parser.parse_args()
    log = datasets.load(options.data)
    print(f"{COLUMNS}\n|{'---|' * COLUMNS.count(' | ')}---|", flush=True)
    results: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in options.seeds:
            for name, numbers in measure(log, seed, Path(scratch) / str(seed), options):
                results.setdefault(name, []).append(numbers)
    if len(options.seeds) > 1:
        for name, runs in results.items():
            row(options.data, "mean", name, {key: statistics.fmean(run[key] for run in runs) for key in runs[0]})
    print()
    base = results.pop("scratch")
    for name, runs in results.items():
        quality, duration, waited = (
            statistics.fmean(run[key] for run in runs) / statistics.fmean(run[key] for run in base)
            for key in ("ndcg", "steps_s", "all_s")
        )
        print(f"{name}: {quality - 1:+.2%} of NDCG@10, {duration:.1%} of the time of steps, {waited:.1%} of all.")
    print(f"\n{described()}")


def measure(log: Interactions, seed: int, folder: Path, options: argparse.Namespace):
    """Train yesterday's RUN, and from scratch, and from the RUN; yield the name and the numbers of the last two."""
    folder.mkdir()
    yesterday = folder / "yesterday.csv"
    write(log, is_old(log, options.share, seed), yesterday)
    more = ["--seed", str(seed), *shlex.split(options.more)]
    state = ["--optimizer-state"] if options.optimizer_state else []
    train(str(yesterday), folder / "old", [*more, *state])
    yield from shown(options.data, seed, "scratch", train(options.data, folder / "scratch", more))
    begin = [*more, "--init-from", str(folder / "old"), *shlex.split(options.warm)]
    yield from shown(options.data, seed, "warm", train(options.data, folder / "warm", begin))
    for weight in options.stay_near:
        name, pulled = f"warm, --stay-near {weight:g}", [*begin, "--stay-near", str(weight)]
        yield from shown(options.data, seed, name, train(options.data, folder / f"near-{weight:g}", pulled))


def is_old(log: Interactions, share: float, seed: int) -> np.ndarray:
    """Which interactions yesterday's log holds, (N,)."""
    lengths = log.histories.lengths
    newest = round(share * log.histories.item_ids.size)
    if log.times is not None:
        return log.times < np.partition(log.times, -newest)[-newest]
    users = np.flatnonzero(lengths >= SHORTEST)
    drawn = np.random.default_rng(seed).choice(users, min(newest, users.size), replace=False)
    old = np.ones(log.histories.item_ids.size, bool)
    old[log.histories.offsets[1:][drawn] - 1] = False
    return old


def write(log: Interactions, kept: np.ndarray, path: Path) -> None:
    columns = {
        "user": np.array(log.user_keys, object)[log.histories.rows()[kept]].tolist(),
        "item": np.array(log.item_keys, object)[log.histories.item_ids[kept] - 1].tolist(),
    }
    if log.times is not None:
        columns["time"] = log.times[kept].tolist()
    pl.DataFrame(columns).write_csv(path)


def train(data: str, out: Path, more: list[str]) -> dict[str, float]:
    """Train once and return the numbers of a row."""
    command = [sys.executable, "-c", MAIN, "train", "--data", data, "--out", str(out), "--json", *more]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(done.stderr)
    metrics = json.loads(done.stdout)["full"]
    header, *lines = (line.split(",") for line in (out / "history.csv").read_text().splitlines())
    best = json.loads((out / "split.json").read_text())["best_epoch"]
    epochs = [dict(zip(header, map(float, line), strict=True)) for line in lines]
    facts = json.loads((out / "warm_start.json").read_text()) if (out / "warm_start.json").exists() else {}
    return {
        "hr": metrics["hr@10"],
        "ndcg": metrics["ndcg@10"],
        "validation": epochs[best - 1]["validation_ndcg@10"],
        "epochs": len(epochs),
        "steps_s": sum(epoch["seconds"] for epoch in epochs),
        "all_s": seconds,
        "moved": facts.get("moved_share", float("nan")),
    }


def shown(data: str, seed: int, name: str, numbers: dict[str, float]):
    row(data, str(seed), name, numbers)
    yield name, numbers


def row(data: str, seed: str, name: str, numbers: dict[str, float]) -> None:
    quality = (f"{numbers[key]:.4f}" for key in ("hr", "ndcg", "validation"))
    times = (f"{numbers[key]:.0f}" for key in ("epochs", "steps_s", "all_s"))
    moved = "–" if np.isnan(numbers["moved"]) else f"{numbers['moved']:.1%}"
    print(f"| {Path(data).name} | {seed} | {name} | {' | '.join([*quality, *times, moved])} |", flush=True)


if __name__ == "__main__":
    main()
