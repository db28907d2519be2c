"""Train presets on a log with several seeds and print what they reach on the test items, with means, as Markdown.

Each run is a process of its own (`sasrec-edge train`), so that the time is what a user waits, start-up included.

Example: .venv/bin/python tools/bench_quality.py games.txt --preset modern --seeds 0 1 2
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

from machine import described

COLUMNS = [("full", "hr@10"), ("full", "ndcg@10"), ("sampled", "hr@10"), ("sampled", "ndcg@10")]
MAIN = "import sys; from sasrec_export.cli import main; sys.exit(main())"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="Logs, as for --data.")
    parser.add_argument("--preset", nargs="+", default=["modern"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--cores", help="Cores to pin to, as for taskset -c; by default all.")
    parser.add_argument("--more", default="", help="Options handed on to train.")
    options = parser.parse_args()
    print("| log | preset | seed | HR@10 | NDCG@10 | 1+100 HR@10 | 1+100 NDCG@10 | best epoch | steps, s | all, s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for data in options.data:
        for preset in options.preset:
            runs = [run(data, preset, seed, options) for seed in options.seeds]
            if len(runs) > 1:
                row(data, preset, "mean", [statistics.fmean(column) for column in zip(*runs, strict=True)])
    print(f"\n{described()}")


def run(data: str, preset: str, seed: int, options: argparse.Namespace) -> list[float]:
    """Train once, print a row, and return its numbers."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        arguments = ["train", "--data", data, "--preset", preset, "--seed", str(seed), "--out", str(out), "--json"]
        pin = ["taskset", "-c", options.cores] if options.cores else []
        command = [*pin, sys.executable, "-c", MAIN, *arguments, *shlex.split(options.more)]
        started = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        seconds = time.perf_counter() - started
        metrics = json.loads(done.stdout)
        split = json.loads((out / "split.json").read_text())
        header, *lines = (out / "history.csv").read_text().splitlines()
        steps = sum(float(line.split(",")[header.split(",").index("seconds")]) for line in lines)
    numbers = [*(metrics[protocol][name] for protocol, name in COLUMNS), split["best_epoch"], steps, seconds]
    row(data, preset, str(seed), numbers)
    return numbers


def row(data: str, preset: str, seed: str, numbers: list[float]) -> None:
    cells = [*(f"{number:.4f}" for number in numbers[:4]), *(f"{number:.0f}" for number in numbers[4:])]
    print(f"| {Path(data).name} | {preset} | {seed} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
