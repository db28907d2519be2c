"""Train on a synthetic log of 20 million interactions and 1 million items, and print how much memory that takes.

Example: .venv/bin/python tools/bench_memory.py --max-steps 2000
"""

import argparse
import datetime as dt
import os
import platform
import resource
import sys
import time
from importlib import metadata


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", default="synthetic:items=1000000,users=1000000,mean_length=20")
    options.add_argument("--max-steps", type=int, default=0, help="Stop after so many steps; 0: a whole epoch.")
    options.add_argument("--users", type=int, default=1000, help="Test users judged at the end.")
    chosen = options.parse_args()
    from sasrec_train import tensorflow_import

    tensorflow_import.import_tensorflow()
    from sasrec_train import config, datasets, split
    from sasrec_train.evaluation import evaluate
    from sasrec_train.training import loop

    started = time.perf_counter()
    log = datasets.load(chosen.data)
    parts = split.leave_one_out(log)
    told("log", started, f"{log.histories.item_ids.size:,} interactions, {log.n_items:,} items, "
         f"{len(log.user_keys):,} users")  # fmt: skip
    model_config, recipe = config.preset("modern", n_items=log.n_items, train={"epochs": 1, "validation_users": 500})
    if chosen.max_steps:
        limit(chosen.max_steps)
    started = time.perf_counter()
    trained = loop.train(log, model_config, recipe, split=parts)
    (epoch,) = trained.epochs
    told("training", started, f"loss {recipe.loss}, d {model_config.hidden_dim}, {epoch.seconds:.0f} s of steps")
    started = time.perf_counter()
    metrics = evaluate.on_test(trained.model, parts, users=chosen.users)
    told("test", started, f"{metrics['users']} users, NDCG@10 {metrics['full']['ndcg@10']:.4f}")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("tensorflow", "keras", "numpy"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}, "
          f"{dt.datetime.now(tz=dt.UTC).date()}")  # fmt: skip


def limit(steps: int) -> None:
    """Let an epoch end after so many steps."""
    import itertools

    from sasrec_train.training.batches import Batches

    whole = Batches.epoch
    Batches.epoch = lambda self, number, *, start=0: itertools.islice(whole(self, number, start=start), steps)


def told(what: str, started: float, more: str) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{what}: {time.perf_counter() - started:.0f} s, peak so far {peak:.2f} GiB; {more}",
        file=sys.stdout,
        flush=True,
    )


if __name__ == "__main__":
    main()
