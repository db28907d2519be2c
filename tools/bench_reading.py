"""What reading a large log costs: seconds and peak memory of `datasets.load`, each log in a process of its own.

Example: python tools/bench_reading.py --rows 20000000 --items 1000000 --users 1000000
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import click

LOGS = ("parquet", "csv", "csv-words", "txt", "synthetic")
ROWS_AT_ONCE = 1_000_000  # While the file is written; what is measured reads it as it likes.

WRITE = """
import sys
import numpy as np, polars as pl
path, kind, rows, items, users, step = *sys.argv[1:3], *map(int, sys.argv[3:])
rng = np.random.default_rng(0)
def part(size):
    table = pl.DataFrame({
        "user": rng.integers(1, users + 1, size),
        "item": np.minimum(rng.zipf(1.2, size), rng.integers(1, items + 1, size)),
        "timestamp": rng.integers(1_500_000_000, 1_700_000_000, size),
    })
    if kind == "csv-words":
        table = table.with_columns(user=pl.format("user-{}", "user"), item=pl.format("item-{}", "item"))
    return table.select("user", "item") if kind == "txt" else table
sizes = [min(step, rows - start) for start in range(0, rows, step)]
if kind != "parquet":
    with open(path, "wb") as file:
        for i, size in enumerate(sizes):
            text = {"separator": " ", "include_header": False} if kind == "txt" else {"include_header": i == 0}
            part(size).write_csv(file, **text)
else:
    pl.concat([part(size).lazy() for size in sizes]).sink_parquet(path)
"""

READ = """
import json, resource, sys, time
from sasrec_train import datasets, split
start = time.perf_counter()
log = datasets.load(sys.argv[1])
read, cpu = time.perf_counter(), time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
log.sha256
hashed = time.perf_counter()
split.leave_one_out(log)
done = time.perf_counter()
print(json.dumps({
    "interactions": int(log.histories.item_ids.size), "users": len(log.user_keys), "items": log.n_items,
    "read_s": read - start, "read_cpu_s": cpu, "read_peak_mib": peak / 1024,
    "sha256_s": hashed - read, "split_s": done - hashed,
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def run(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@click.command()
@click.option("--rows", default=20_000_000, show_default=True, type=click.IntRange(min=1), help="Interactions.")
@click.option("--items", default=1_000_000, show_default=True, type=click.IntRange(min=2), help="Items.")
@click.option("--users", default=1_000_000, show_default=True, type=click.IntRange(min=1), help="Users.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the files are kept.  [default: nowhere]")
@click.option(
    "--log", "logs", multiple=True, default=LOGS, show_default=True, type=click.Choice(LOGS),
    help="What is read; repeatable.",
)  # fmt: skip
def main(rows: int, items: int, users: int, folder: Path | None, logs: tuple[str, ...]) -> None:
    """Read a made-up log: user, item and timestamp with keys of numbers or words, `user item` text, and synthetic."""
    with tempfile.TemporaryDirectory() as scratch:
        for log in logs:
            data, size = f"synthetic:items={items},users={users},mean_length={rows / users:g}", 0
            if log != "synthetic":
                path = (folder or Path(scratch)) / f"{log}-{rows}-{items}-{users}.{log.partition('-')[0]}"
                if not path.exists():
                    run(WRITE, path, log, rows, items, users, ROWS_AT_ONCE)
                data, size = str(path), path.stat().st_size
            result = {name: round(value, 2) for name, value in json.loads(run(READ, data)).items()}
            print(json.dumps({"log": log, "file_bytes": size, **result}), flush=True)


if __name__ == "__main__":
    main()
