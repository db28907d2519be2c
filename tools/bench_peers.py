"""Time next-item recommendation beside other ways to serve SASRec, in one run: ids in, the ten best out.

For each catalogue size, calls take turns: every ONNX and TFLite variant through this project's public Recommender,
RePlay's compiled SASRec (OpenVINO) with torch.topk in a process of its own, the whole Keras model converted by tf2onnx
as it stands, and what onnxruntime's quantize_dynamic makes of that. Medians and 10th percentiles in microseconds, one
thread. "read" is the time to read the int8 table once, with numpy: no exact search can do without that.

Example: make peers && .venv/bin/python tools/bench_peers.py --items 3000 20000 100000 1000000
"""

import argparse
import datetime as dt
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
K = 10
NAIVE_LIMIT = 200_000  # Items: beyond, tf2onnx of the whole model needs 20 GB and is killed.

Call = Callable[[], object]


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.disable(logging.WARNING)  # advice of quantize_dynamic
    options = parse()
    results = []
    for n_items in options.items:
        with tempfile.TemporaryDirectory() as folder:
            results.append(bench(n_items, options, Path(folder)))
            print("\n".join(table(results[-1])), flush=True)
    if options.out:
        options.out.write_text(json.dumps({"setting": setting(options), "results": results}, indent=2) + "\n")
    print(setting(options))


def parse() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--items", type=int, nargs="+", default=[3000, 20_000, 100_000, 1_000_000])
    options.add_argument("--rows", type=int, default=1, help="histories in a call; beyond 1, recommend_batch")
    options.add_argument("--length", type=int, default=50)
    options.add_argument("--heads", type=int, default=2)
    options.add_argument("--recipes", nargs="+", default=[], help="all, if none is named")
    options.add_argument("--runtimes", nargs="+", default=["onnx", "tflite"])
    options.add_argument("--seconds", type=float, default=20.0, help="of measuring, for each catalogue size")
    options.add_argument("--environments", type=Path, default=ROOT / ".peers", help="folder that `make peers` fills")
    options.add_argument("--no-replay", action="store_true")
    options.add_argument("--no-naive", action="store_true")
    options.add_argument("--out", type=Path, help="JSON file to write")
    return options.parse_args()


def bench(n_items: int, options: argparse.Namespace, folder: Path) -> dict:
    import random_bundle

    model = random_bundle.network(n_items, num_heads=options.heads, max_len=options.length)
    rng = np.random.default_rng(2)
    histories = [[str(i) for i in row] for row in rng.integers(1, n_items + 1, (options.rows, options.length))]
    place = folder / "bundle"
    place.mkdir()
    bundle = random_bundle.write(place, model, tuple(options.recipes), tuple(options.runtimes), top_k=K)
    calls: dict[str, Call] = {
        variant.name: ours(bundle, variant.name, histories) for variant in bundle.manifest.variants
    }
    sizes = {variant.name: sum(file.bytes for file in variant.files) for variant in bundle.manifest.variants}
    loads = {name: load_ms(place, name) for name in calls}
    if not options.no_naive and n_items > NAIVE_LIMIT:
        print(f"\nnaive: left out, tf2onnx needs some 20 GB for the whole model of {n_items:,} items")
    elif not options.no_naive:
        ids = np.array(histories, np.int64).astype(np.int32)
        for name, path in naive(model, folder).items():
            sizes[name] = path.stat().st_size
            calls[name] = of_onnx(path, ids)
    table8 = np.zeros(n_items * model.config.hidden_dim // 8, np.int64)
    calls["read"] = lambda: np.bitwise_or.reduce(table8)
    timings = {name: [] for name in calls}
    replay = None if options.no_replay else Replay(options, n_items)
    if replay:
        timings["replay"] = []
    stop = time.monotonic() + options.seconds
    while time.monotonic() < stop or min(map(len, timings.values())) < 10:
        for name, call in calls.items():
            call()
            timings[name] += [clock(call) for _ in range(2)]
        if replay:
            timings["replay"] += replay.time(3)[1:]
    if replay:
        replay.close()
    rows = {
        name: {
            "median_us": float(np.median(ns)) / 1e3,
            "p10_us": float(np.percentile(ns, 10)) / 1e3,
            "bytes": sizes.get(name),
            **loads.get(name, {}),
        }
        for name, ns in timings.items()
    }
    return {"n_items": n_items, "rows": options.rows, "length": options.length, "timings": rows}


def clock(call: Call) -> int:
    start = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - start


def ours(bundle, name: str, histories: list[list[str]]) -> Call:
    from sasrec_runtime import Recommender

    recommender = Recommender.load(bundle, variant=name)
    if len(histories) == 1:
        return lambda: recommender.recommend(histories[0], K)
    return lambda: recommender.recommend_batch(histories, K)


def load_ms(place: Path, name: str) -> dict:
    """Load time of the Recommender and its anonymous memory after the first call, medians of three fresh processes."""
    from sasrec_runtime.checks.probe import probe

    runs = [probe(place, name, k=K) for _ in range(3)]
    return {key: float(np.median([getattr(run, key) for run in runs])) for key in ("load_ms", "anonymous_mib")}


def naive(model, folder: Path) -> dict[str, Path]:
    """Return the whole model as tf2onnx converts it, with top-k, and that after quantize_dynamic."""
    import tensorflow as tf
    import tf2onnx
    from onnxruntime.quantization import quantize_dynamic

    def recommend(history):
        scores = model.scores(history)
        best = tf.math.top_k(scores, K)
        return {"scores": best.values, "items": best.indices}

    signature = [tf.TensorSpec((None, model.config.max_len), tf.int32, name="history")]
    paths = {"naive tf2onnx": folder / "naive.onnx", "quantize_dynamic": folder / "dynamic.onnx"}
    tf2onnx.convert.from_function(
        tf.function(recommend, input_signature=signature),
        input_signature=signature,
        opset=17,
        output_path=str(paths["naive tf2onnx"]),
    )
    quantize_dynamic(paths["naive tf2onnx"], paths["quantize_dynamic"])
    return paths


def of_onnx(path: Path, ids: np.ndarray) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: ids}
    return lambda: session.run(None, feed)


class Replay:
    """RePlay's compiled model in a process of its own, which answers timing requests."""

    def __init__(self, options: argparse.Namespace, n_items: int):
        python = options.environments.absolute() / "replay" / "bin" / "python"
        if not python.exists():
            sys.exit(f"{options.environments} has no environment for replay. Run `make peers`, or give --no-replay.")
        self._process = subprocess.Popen(
            [python, ROOT / "tools" / "peers" / "replay_scorer.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        sizes = {"hidden_dim": 64, "blocks": 2, "heads": options.heads, "max_len": options.length}
        self._ask({"build": {"n_items": n_items, "rows": options.rows, "threads": 1, **sizes}})

    def time(self, calls: int) -> list[int]:
        return self._ask({"time": calls, "k": K})["ns"]

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, request: dict) -> dict:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        sys.exit("The RePlay process ended. Run tools/peers/replay_scorer.py by hand to see why.")


def table(result: dict) -> list[str]:
    timings = result["timings"]
    replay = timings.get("replay", {}).get("median_us")
    lines = [
        f"\n{result['n_items']:,} items, {result['rows']} rows of {result['length']}",
        "",
        "| | median µs | p10 µs | × faster than RePlay | MB | load ms | anonymous MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in timings.items():
        ratio = f"{replay / row['median_us']:.2f}" if replay and name != "read" else "–"
        megabytes = f"{row['bytes'] / 1e6:.2f}" if row["bytes"] else "–"
        extra = [f"{row[key]:.0f}" if key in row else "–" for key in ("load_ms", "anonymous_mib")]
        lines.append(
            f"| {name} | {row['median_us']:.0f} | {row['p10_us']:.0f} | {ratio} | {megabytes} | {' | '.join(extra)} |"
        )
    return lines


def setting(options: argparse.Namespace) -> str:
    from importlib import metadata

    names = ("tensorflow", "tf2onnx", "onnxruntime", "ai-edge-litert", "numpy")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, 1 thread; hidden_dim 64, 2 blocks, {options.heads} heads, "
        f"random weights; {versions}; RePlay 0.22.0 on OpenVINO; {dt.datetime.now(tz=dt.UTC).date()}"
    )


if __name__ == "__main__":
    main()
