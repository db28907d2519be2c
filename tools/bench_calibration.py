"""Export tflite-wi8_ai8 with several draws of calibration histories and print what each keeps of the ranking.

Example: .venv/bin/python tools/bench_calibration.py demo/run --seeds 0 1 2 3 4 --strict
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from sasrec_export.bundle import variants
from sasrec_export.encoder import calibration
from sasrec_export.encoder.export_model import ExportModel
from sasrec_export.export_options import ExportOptions
from sasrec_export.recipes import VariantPlan, plan
from sasrec_export.table.transform_search import overlap
from sasrec_runtime import history as history_module
from sasrec_runtime.signature import PAD_ID
from sasrec_train.run import Run

K = 10
EXCLUDED = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="A trained RUN.")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--users", type=int, default=1000, help="Test users at most.")
    parser.add_argument("--strict", action="store_true", help="With every operator in integers.")
    options = parser.parse_args()
    run = Run.load(options.run)
    split = run.split()
    test = split.test
    rows = np.random.default_rng(0).permutation(len(test.histories))[: options.users]
    histories, targets = test.histories.take(rows), np.asarray(test.targets)[rows]
    (reference,) = plan(("tflite",), ("fp32",))
    (chosen,) = plan(("tflite",), ("wi8_ai8",), options=ExportOptions(strict_int8=options.strict))
    print(f"| seed | overlap@{K} | NDCG@{K} | fp32 NDCG@{K} |\n|---|---|---|---|")
    model, kept = run.model(), []
    for seed in options.seeds:
        sample = calibration.sample(split.train, max_len=run.model_config.max_len, seed=seed)
        sample = np.random.default_rng(seed).permutation(sample)  # activations are measured on the first of them
        trained = ExportModel(model, calibration=sample, top_k=K)
        best, ours = (lists(trained, each, histories) for each in (reference, chosen))
        kept_share = overlap(np.array(ours), np.array(best))
        kept.append((kept_share, ndcg(ours, targets), ndcg(best, targets)))
        print(f"| {seed} | " + " | ".join(f"{value:.4f}" for value in kept[-1]) + " |", flush=True)
    print("| mean | " + " | ".join(f"{statistics.fmean(column):.4f}" for column in zip(*kept, strict=True)) + " |")


def lists(trained: ExportModel, chosen: VariantPlan, histories: object) -> list[list[int]]:
    """The best items of every user, without those of the history."""
    with tempfile.TemporaryDirectory() as folder:
        writer = variants.writers(trained, {"tflite"})["tflite"]
        path = writer.write(chosen, trained.item_table(chosen.engine.table), Path(folder)).files[0]
        recommend = Interpreter(model_path=str(path), num_threads=1).get_signature_runner("recommend")
        max_len, found = trained.model.config.max_len, []
        for row in histories:
            exclude = np.full((1, EXCLUDED), PAD_ID, np.int32)
            exclude[0, : len(row)] = row[-EXCLUDED:]
            history = history_module.encode_batch([row[-max_len:].tolist()], max_len=max_len)
            found.append(recommend(history=history, exclude=exclude)["items"][0, :K].tolist())
        return found


def ndcg(found: list[list[int]], targets: np.ndarray) -> float:
    return statistics.fmean(
        1 / np.log2(row.index(target) + 2) if target in row else 0.0
        for row, target in zip(found, targets.tolist(), strict=True)
    )


if __name__ == "__main__":
    main()
