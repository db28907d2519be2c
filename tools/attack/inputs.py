"""Hostile logs for `datasets.load`, and hostile files of histories for `score`.

A log whose name a glob would match must be read itself and nothing else. Of a file of histories each row is answered
or goes to OUT.bad.jsonl: rows in are rows out.

Example: python tools/attack/inputs.py --cases 1500
"""

import io
import json
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

from sasrec_train import datasets
from sasrec_train.errors import TrainError

LOGS = (".csv", ".tsv", ".inter", ".txt", ".dat", ".parquet")
TABLES = (".csv", ".jsonl", ".parquet")
ROWS = 40
GLOBS = {"x[1]": "x1", "star*": "star_other", "q?": "qx", "{a,b}": "a", "**": "deep", "z[1]": None}
"""Stem of a log → stem of one beside it that a glob would read instead or as well."""

INSERTS = (
    b'"', b'""', b'"\n"', b",", b"\t", b"\0", b"\r", b"\n\n\n", b"\xff\xfe", b"\xef\xbb\xbf", b"::", b"-1", b"1e309",
    b"nan", b"9" * 5000, b"x" * 200_000, "é🎬\u202e".encode(), b"\x1b[31m", b"=cmd|' /C calc'!A0", b"'", b"\\", b"\x1a",
)  # fmt: skip


def text_log(suffix: str, prefix: str = "i") -> bytes:
    """Return a good log of that format, its item keys beginning with the prefix."""
    pairs = [(f"u{row % 8}", f"{prefix}{(row * 7) % 13}", 1000 + row) for row in range(ROWS * 3)]
    if suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        data = io.BytesIO()
        pq.write_table(
            pa.table(dict(zip(("user", "item", "timestamp"), map(list, zip(*pairs, strict=True)), strict=True))), data
        )
        return data.getvalue()
    if suffix == ".txt":
        return "".join(f"{user[1:]} {row % 13 + 1}\n" for row, (user, _, _) in enumerate(pairs)).encode()
    if suffix == ".dat":
        return "".join(f"{user}::{item}::5::{time}\n" for user, item, time in pairs).encode()
    separator = "," if suffix == ".csv" else "\t"
    heading = (
        "user_id:token\titem_id:token\ttimestamp:float"
        if suffix == ".inter"
        else separator.join(("user", "item", "timestamp"))
    )
    return "".join(f"{line}\n" for line in (heading, *(separator.join(map(str, pair)) for pair in pairs))).encode()


def table(suffix: str, keys: list[str]) -> bytes:
    """Return a good file of histories with ROWS rows."""
    users = [f"u{row}" for row in range(ROWS)]
    histories = [[keys[row % len(keys)], keys[(row + 3) % len(keys)]] for row in range(ROWS)]
    if suffix == ".csv":
        return "".join(
            ["user,history\n", *(f"{u},{' '.join(h)}\n" for u, h in zip(users, histories, strict=True))]
        ).encode()
    if suffix == ".jsonl":
        return "".join(
            json.dumps({"user": u, "history": h}) + "\n" for u, h in zip(users, histories, strict=True)
        ).encode()
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = io.BytesIO()
    pq.write_table(pa.table({"user": users, "history": histories}), data)
    return data.getvalue()


def odd_parquet(rng: np.random.Generator, keys: list[str]) -> tuple[bytes, str]:
    """Return histories whose user column has an odd type."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "date32": pa.array([2**31 - 1] * ROWS, pa.date32()), "duration": pa.array([2**62] * ROWS, pa.duration("s")),
        "ns": pa.array([1] * ROWS, pa.timestamp("ns")), "far time": pa.array([2**61] * ROWS, pa.timestamp("ms")),
        "no UTF-8": pa.array([b"\xff\xfe"] * ROWS, pa.binary()).view(pa.string()), "null": pa.nulls(ROWS),
        "struct": pa.array([{"a": 1}] * ROWS), "float": pa.array([float("nan")] * ROWS),
        "bytes": pa.array([b"\xff"] * ROWS), "large": pa.array(["x" * 1_000_000] * ROWS),
    }  # fmt: skip
    name = str(rng.choice(list(kinds)))
    data = io.BytesIO()
    pq.write_table(pa.table({"user": kinds[name], "history": [keys[:2]] * ROWS}), data)
    return data.getvalue(), f"users of type {name}"


def spoiled(rng: np.random.Generator, data: bytes, suffix: str) -> tuple[bytes, str]:
    """Return the data flipped, cut, or with something put in."""
    way = str(rng.choice(["flip", "cut", "insert", "insert", "empty", "doubled", "lines"]))
    place = int(rng.integers(0, len(data)))
    if way == "insert" and suffix != ".parquet":
        put = INSERTS[rng.integers(len(INSERTS))]
        return data[:place] + put + data[place:], f"{put[:12]!r} at {place}"
    if way == "cut":
        return data[:place], f"cut at {place}"
    if way == "empty":
        return data[: data.find(b"\n") + 1] if rng.random() < 0.5 else b"", "emptied, or a heading alone"
    if way == "doubled":
        return data + data, "twice"
    if way == "lines":
        return data.replace(b"\n", b"\r\n" if rng.random() < 0.5 else b"\r"), "other line ends"
    return folders.flipped(data, rng)


def read_log(case: children.Case) -> None:
    """Read a log that is hostile in itself, or whose name is."""
    suffix = str(case.rng.choice(LOGS))
    if case.rng.random() < 0.2:
        read_named(case, suffix)
        return
    data, what = spoiled(case.rng, text_log(suffix), suffix)
    case.begins("inputs: logs", f"{suffix}: {what}")
    path = case.folder / f"log{suffix}"
    path.write_bytes(data)
    datasets.load(str(path))


def read_named(case: children.Case, suffix: str) -> None:
    """Read a good log with `[`, `*` or `?` in its name, beside one that the name would match."""
    stem = str(case.rng.choice(list(GLOBS)))
    path, decoy = case.folder / f"{stem}{suffix}", GLOBS[stem]
    case.begins("inputs: logs with [, * and ? in their names", path.name)
    path.write_bytes(text_log(suffix, "right"))
    if decoy:
        (case.folder / f"{decoy}{suffix}").write_bytes(text_log(suffix, "wrong") * 2)
    try:
        log = datasets.load(str(path))
    except TrainError as error:
        raise Wrong("a good log refused", str(error)) from error
    rows = int(log.histories.item_ids.size)
    if any(key.startswith("wrong") for key in log.item_keys) or rows != 3 * ROWS:
        raise Wrong("another file read", f"{rows} rows, {log.item_keys!r:.100}")


def score(case: children.Case, bundle: Path, keys: list[str], limit_s: float) -> None:
    """Score a hostile file of histories, and count its rows."""
    suffix = str(case.rng.choice(TABLES))
    data, what = spoiled(case.rng, table(suffix, keys), suffix)
    if suffix == ".parquet" and case.rng.random() < 0.3:
        data, what = odd_parquet(case.rng, keys)
    stem = str(case.rng.choice(["histories", "h[1]", "h*"]))
    case.begins(f"inputs: score, {suffix}", f"{stem}{suffix}: {what}")
    path, out = case.folder / f"{stem}{suffix}", case.folder / f"out{case.rng.choice(TABLES)}"
    path.write_bytes(data)
    (case.folder / f"h1{suffix}").write_bytes(table(suffix, keys) * 2)
    line = ("score", str(bundle), "--histories", str(path), "--out", str(out), "-k", "2", "--json")
    done = shell.command(*line, limit_s=limit_s)
    if not shell.judge(done):
        if out.exists():
            raise Wrong("refused, but written", done.err[-200:])
        case.counts(refused=1)
        return
    rows, lines = json.loads(done.out)["rows"], rows_of(data, suffix)
    if lines and rows not in lines:
        raise Wrong("rows lost", f"{rows} rows of {max(lines)}")


def rows_of(data: bytes, suffix: str) -> set[int]:
    """Return how many rows a file of histories has, a row a line, empty lines counted or not; none if not plain."""
    if suffix == ".parquet" or b"\r" in data or b"\0" in data:
        return set()
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    heading = suffix == ".csv"
    return {len(lines) - heading, sum(1 for line in lines if line.strip()) - heading}


@click.command()
@options(cases=1500, limit_s=60)
def main(how: children.How) -> None:
    """Read one hostile log, or score one hostile file of histories, a case."""
    shell.preload()
    with tempfile.TemporaryDirectory(prefix="attack-") as scratch:
        bundle = made.write_tiny_bundle(made.tiny_run(Path(scratch, "run")), Path(scratch, "bundle"))
        keys = made.keys_of(bundle)

        def attempt(case: children.Case) -> None:
            if case.rng.random() < 0.5:
                read_log(case)
            else:
                score(case, bundle, keys, how.limit_s - 5)

        sys.exit(children.run(how, attempt))


if __name__ == "__main__":
    main()
