"""ONNX graphs of the right names and types that answer wrongly: none of their answers may be believed.

Each stands, signed again, in the place of one entry of the first ONNX variant. Refused properly is what should happen.

Example: python tools/attack/answers.py demo/bundle
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import children
import click
import folders
import made
import numpy as np
import shell
from tally import Wrong, options

NAN, INF = float("nan"), float("inf")
K = 10
RANKS = [float(-i) for i in range(K)]

SCORES: dict[str, list[float] | int] = {
    "NaN": [NAN], "inf": [INF], "-inf": [-INF], "no columns": [], "two columns": [1.0, 2.0], "0 rows": 0, "3 rows": 3,
}  # fmt: skip
"""What `score` answers for one candidate: a row, or how many rows of it."""


def recommendations(seen: list[int], free: list[int]) -> dict[str, tuple[list[int], list[float], int | None]]:
    """Return name → (items, scores, rows); rows None: as many as the history has."""
    return {
        "id -1": ([-1, *free[1:K]], RANKS, None),
        "id 5000000": ([5_000_000, *free[1:K]], RANKS, None),
        "id -2^31": ([-(2**31), *free[1:K]], RANKS, None),
        "id 2^31-1 last": ([*free[: K - 1], 2**31 - 1], RANKS, None),
        "one id ten times": ([free[0]] * K, RANKS, None),
        "one id twice": ([*free[: K - 1], free[0]], RANKS, None),
        "items of the history": ([*seen[:3], *free[3:K]], RANKS, None),
        "scores rising": (free[:K], RANKS[::-1], None),
        "two scores swapped": (free[:K], [0.0, -2.0, -1.0, *RANKS[3:]], None),
        "NaN first": (free[:K], [NAN, *RANKS[1:]], None),
        "NaN last": (free[:K], [*RANKS[:-1], NAN], None),
        "inf": (free[:K], [INF, *RANKS[1:]], None),
        "-inf": (free[:K], [*RANKS[:-1], -INF], None),
        "100 items": (free[:100], [float(-i) for i in range(100)], None),
        "9 items": (free[: K - 1], RANKS[:-1], None),
        "no items": ([], [], None),
        "more scores than items": (free[:K], [*RANKS, -10.0], None),
        "fewer scores than items": (free[:K], RANKS[:-1], None),
        "0 rows": (free[:K], RANKS, 0),
        "rows too many": (free[:K], RANKS, 21),
        "padding before items": ([0, *free[1:K]], RANKS, None),
    }


def graph(entry: str, outputs: dict[str, np.ndarray], rows: int | None) -> bytes:
    """Return an ONNX file that answers each row of `history` with the same constants."""
    from onnx import TensorProto, helper, numpy_helper

    inputs = {"history": (TensorProto.INT32, ["B", "T"])}
    inputs |= (
        {"candidates": (TensorProto.INT32, ["B", "C"])}
        if entry == "score"
        else {"exclude": (TensorProto.INT32, ["B", "E"]), "k": (TensorProto.INT64, [1])}
    )
    nodes = [helper.make_node("Shape", ["history"], ["rows_seen"], start=0, end=1)]
    constants = {"rows_wanted": np.array([rows or 0], np.int64)}
    for name, row in outputs.items():
        constants |= {f"{name}_row": row[None], f"{name}_width": np.array([row.size], np.int64)}
        given = "rows_seen" if rows is None else "rows_wanted"
        nodes += [
            helper.make_node("Concat", [given, f"{name}_width"], [f"{name}_shape"], axis=0),
            helper.make_node("Expand", [f"{name}_row", f"{name}_shape"], [name]),
        ]
    types = {"items": TensorProto.INT32, "scores": TensorProto.FLOAT}
    built = helper.make_graph(
        nodes,
        "crafted",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_tensor_value_info(name, types[name], ["R", f"{name}_W"]) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(built, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def crafted(entry: str, seen: list[int], free: list[int]) -> dict[str, bytes]:
    """Return name → file for one entry."""
    if entry != "score":
        return {
            name: graph(entry, {"items": np.array(items, np.int32), "scores": np.array(scores, np.float32)}, rows)
            for name, (items, scores, rows) in recommendations(seen, free).items()
        }
    return {
        name: graph(entry, {"scores": np.array(row if isinstance(row, list) else [1.0], np.float32)},
                    row if isinstance(row, int) else None)
        for name, row in SCORES.items()
    }  # fmt: skip


@click.command()
@click.argument("bundle", default="demo/bundle", type=click.Path(exists=True, path_type=Path))
@options(cases=100_000, limit_s=60)
def main(bundle: Path, how: children.How) -> None:
    """Put every crafted graph in the place of every entry of BUNDLE, and ask each way there is."""
    shell.preload()

    from sasrec_runtime import Recommender

    with tempfile.TemporaryDirectory(prefix="attack-") as scratch:
        base = made.copy_here(bundle, Path(scratch))
        manifest = json.loads((base / "manifest.json").read_bytes())
        variant = next(variant for variant in manifest["variants"] if variant["runtime"] == "onnx")
        items = (base / "items.txt").read_text(encoding="utf-8").splitlines()
        history, free = list(range(1, 7)), list(range(50, 50 + 200)) if len(items) > 250 else list(range(7, len(items)))
        keys = [items[item_id - 1] for item_id in history]
        table = base.parent / "histories.csv"
        table.write_text("user,history\n" + "".join(f"u{i},{' '.join(keys)}\n" for i in range(20)), encoding="utf-8")

        ways = {"recommend": ("load", "cli", "cli --json", "verify"), "recommend_batch": ("load", "cli", "verify"),
                "score": ("load", "cli", "verify")}  # fmt: skip
        tries = [
            (entry, name, data, way)
            for entry in variant["entries"]
            for name, data in crafted(entry, history, free).items()
            for way in ways[entry]
        ]

        def attempt(case: children.Case) -> None:
            entry, name, data, way = tries[case.number]
            case.begins(f"answers: {entry}, {way}", f"{entry} answers {name}")
            copy = folders.copy(base, case.folder / "bundle")
            path = copy / variant["entries"][entry]
            folders.put(path, data)
            folders.resign(copy)
            if way == "load":
                seen = _ask(Recommender.load(copy, variant=variant["name"]), entry, keys, items)
                raise Wrong("believed", repr(seen)[:200])
            out = case.folder / "out.csv"
            source = table
            if entry == "score":
                source = case.folder / "candidates.csv"
                source.write_text(f"user,history,candidates\nu,{' '.join(keys)},{items[20]}\n", encoding="utf-8")
            line = {
                "verify": ("verify", str(copy)),
                "cli": ("score", str(copy), "--histories", str(source), "--out", str(out)),
                "cli --json": ("recommend", str(copy), *keys, "--json"),
            }[way]
            if way == "cli" and entry == "recommend":
                line = ("recommend", str(copy), *keys)
            done = shell.command(*line, "--variant", variant["name"], limit_s=how.limit_s - 5)
            answered = not out.exists() or len(out.read_text(encoding="utf-8").splitlines()) > 1  # not bad rows alone
            if shell.judge(done) and answered:
                raise Wrong("believed", done.out[:200])
            if way == "cli --json" and done.out:
                raise Wrong("output and an error", done.out[:200])
            case.counts(refused=1)

        numbers = [number for number in how.numbers if number < len(tries)]
        sys.exit(children.run(children.How(numbers, how.seed, how.jobs, how.limit_s, how.shown), attempt))


def _ask(recommender: Any, entry: str, keys: list[str], items: list[str]) -> Any:
    if entry == "recommend":
        return list(recommender.recommend(keys, K))
    if entry == "score":
        return recommender.score(keys, [items[20]])
    return [list(row) for row in recommender.recommend_batch([keys] * 8, K)]


if __name__ == "__main__":
    main()
