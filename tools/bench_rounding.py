"""What each way of rounding the item table keeps of the top ten: overlap@10 with the float table, on test users.

In numpy, so that the table alone differs: "users rounded" adds what integer scoring does to user vectors.

Example: python tools/bench_rounding.py run
"""

import argparse
import os
from pathlib import Path

import numpy as np

from sasrec_export.encoder import calibration
from sasrec_export.encoder.export_model import ExportModel
from sasrec_export.table import transform as transforms
from sasrec_export.table.quantized_table import QuantizedTable, quantize_rows
from sasrec_export.table.spec import INT4_QMAX, INT8_QMAX
from sasrec_export.table.transform_search import overlap
from sasrec_export.table.user_rounding import round_users
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
    trained = ExportModel(run.model(), calibration=sample, top_k=K)
    seen = [row.tolist() for row in split.test.sample(options.users, 1).histories]
    history = history_module.encode_batch([row[-max_len:] for row in seen], max_len=max_len)
    exact = top(trained, trained.table, history, seen, rounded_for=None)
    print("| | int8 | int8, users rounded | 4 bits | 4 bits, users rounded |\n|---|---|---|---|---|")
    for name, of in WAYS.items():
        cells = []
        for levels in (INT8_QMAX, INT4_QMAX):
            table = of(trained, levels)
            for held in (None, table):
                kept = top(trained, table.dequantize(), history, seen, rounded_for=held)
                cells.append(f"{overlap(kept, exact):.4f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def top(
    trained: ExportModel,
    table: np.ndarray,
    history: np.ndarray,
    seen: list[list[int]],
    *,
    rounded_for: QuantizedTable | None,
) -> np.ndarray:
    """The ten best unseen items of each user on `table`; user vectors are rounded where a quantized table is given."""
    best = []
    for start in range(0, len(history), ROWS):
        rows = history[start : start + ROWS]
        users = np.asarray(trained.encode(table[rows], (rows > 0).astype(np.int32)))
        if rounded_for is not None:
            asked = round_users(transforms.apply(users, rounded_for.transform))
            users = transforms.apply(asked, transforms.inverse(rounded_for.transform))
        scores = users @ table.T
        scores[:, 0] = -np.inf
        for row, item_ids in zip(scores, seen[start : start + ROWS], strict=True):
            row[item_ids] = -np.inf
        best.append(np.argpartition(-scores, K, axis=1)[:, :K])
    return np.concatenate(best)


def least_error(trained: ExportModel, levels: int) -> QuantizedTable:
    """The scale of the least squared error, and rounding to the nearest: no user has a say."""
    table = trained.table
    best = quantize_rows(table, levels)
    error = np.square(best.dequantize() - table).sum(axis=1)
    for factor in np.linspace(0.5, 1.0, 21, dtype=np.float32)[:-1]:
        scales = quantize_rows(table, levels).scales * factor
        values = np.clip(np.rint(table / scales[:, None]), -levels, levels)
        its_error = np.square(values * scales[:, None] - table).sum(axis=1)
        better = its_error < error
        best.values[better], best.scales[better], error[better] = values[better], scales[better], its_error[better]
    return best


WAYS = {
    "to the nearest, scale by the largest entry": lambda trained, levels: quantize_rows(trained.table, levels),
    "to the nearest, scale of the least squared error": least_error,
    "for the scores": lambda trained, qmax: trained.quantized(qmax),
    "for the scores, smoothed": lambda trained, qmax: trained.quantized(qmax, "smooth"),
    "for the scores, whitened": lambda trained, qmax: trained.quantized(qmax, "whiten"),
}


if __name__ == "__main__":
    main()
