"""What each way of rounding the item table keeps of the top ten: overlap@10 with the float table, on test users.

In numpy, so that the table alone differs: "users rounded" adds what integer scoring does to user vectors.

Example: python tools/bench_rounding.py run
"""

import argparse
import os
from pathlib import Path

import numpy as np

from sasrec_export import calibration, quantize
from sasrec_export.quantize import INT4_MAX, INT8_MAX, QuantizedTable
from sasrec_export.trained import Trained
from sasrec_runtime import history as history_module
from sasrec_train.run import Run

K = 10
ROWS = 256


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path)
    options.add_argument("--users", type=int, default=2000, help="test users, drawn with seed 1")
    options = options.parse_args()
    run = Run.load(options.run)
    split, max_len = run.split(), run.model_config.max_len
    sample = calibration.sample(split.train, max_len=max_len, seed=run.seed)
    trained = Trained(run.model(), calibration=sample, top_k=K)
    seen = [row.tolist() for row in split.test.sample(options.users, 1).histories]
    history = history_module.encode_batch([row[-max_len:] for row in seen], max_len=max_len)
    exact = top(trained, trained.table, history, seen, step_of=None)
    print("| | int8 | int8, users rounded | 4 bits | 4 bits, users rounded |\n|---|---|---|---|---|")
    for name, of in WAYS.items():
        cells = []
        for levels in (INT8_MAX, INT4_MAX):
            table = of(trained, levels)
            for stretch in (None, table.stretch):
                kept = top(trained, table.dequantize(), history, seen, step_of=stretch)
                cells.append(f"{(exact[:, :, None] == kept[:, None, :]).any(axis=2).mean():.4f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def top(trained: Trained, table: np.ndarray, history: np.ndarray, seen: list[list[int]], *, step_of) -> np.ndarray:
    """The ten best unseen items of each user on `table`; user vectors are rounded where a stretch is given."""
    best = []
    for start in range(0, len(history), ROWS):
        rows = history[start : start + ROWS]
        users = np.asarray(trained.encode(table[rows], (rows > 0).astype(np.int32)))
        if step_of is not None:
            asked = users / step_of
            step = np.abs(asked).max(axis=1, keepdims=True) / INT8_MAX
            users = np.rint(asked / step) * step * step_of
        scores = users @ table.T
        scores[:, 0] = -np.inf
        for row, item_ids in zip(scores, seen[start : start + ROWS], strict=True):
            row[item_ids] = -np.inf
        best.append(np.argpartition(-scores, K, axis=1)[:, :K])
    return np.concatenate(best)


def least_error(trained: Trained, levels: int) -> QuantizedTable:
    """The scale of the least squared error, and rounding to the nearest: no user has a say."""
    width = trained.table.shape[1]
    scales = quantize._best_scales(trained.table, levels)
    values = np.clip(np.rint(trained.table / scales[:, None]), -levels, levels).astype(np.int8)
    return QuantizedTable(values, scales, np.ones(width, np.float32))


WAYS = {
    "to the nearest, scale by the largest entry": lambda trained, levels: quantize.quantize_rows(trained.table, levels),
    "to the nearest, scale of the least squared error": least_error,
    "for the users": Trained.quantized,
    "for the users, stretched": Trained.stretched,
}


if __name__ == "__main__":
    main()
