"""Time recommending within an allowed set: microseconds of Recommender.recommend for sets of several sizes.

A bundle with random weights is written. Calls take turns, in random order: sets of each size by the entry that the
package chooses, by `score` always and by `recommend` always. Where the last two cost the same, SCORED_SHARE of
sasrec_runtime/selection/search.py should lie. Sets are AllowedSet, made once. One thread, medians.

Example: python tools/bench_among.py --items 20000
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import random_bundle
from sasrec_runtime.recommender import AllowedSet, Recommender
from sasrec_runtime.selection import search

K = 10
WARM_UP_CALLS = 5
ENTRIES = {"as chosen": None, "by score": 1 << 62, "by recommend": 0}
"""How an allowed set is answered → SCORED_ITEMS for it; None: as the package has it."""


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--items", type=int, default=20_000, help="of the catalogue")
    options.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000, 2000, 10_000], help="of allowed sets")
    options.add_argument("--calls", type=int, default=200, help="of each kind")
    options.add_argument("--runtimes", nargs="+", default=["onnx", "tflite"])
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        network = random_bundle.network(options.items)
        bundle = random_bundle.write(Path(folder), network, ("wi8",), tuple(options.runtimes), top_k=K)
        print(f"| µs at {options.items:,} items | variant | {' | '.join(ENTRIES)} |\n|---|---|{'---|' * len(ENTRIES)}")
        for variant in bundle.manifest.variants:
            recommender = Recommender.load(bundle, variant=variant.name)
            for name, medians in measure(recommender, options.sizes, options.calls).items():
                print(f"| {name} | {variant.name} | {' | '.join(f'{us:.0f}' for us in medians)} |", flush=True)


def measure(recommender: Recommender, sizes: list[int], calls: int) -> dict[str, list[float]]:
    """Return what was asked → medians in microseconds, one for each of ENTRIES; without a set there is one."""
    model = recommender.bundle.manifest.model
    rng = np.random.default_rng(0)
    keys = [str(item_id) for item_id in rng.integers(1, model.n_items + 1, model.max_len)]
    kinds: dict[tuple[str, str], Callable[[], object]] = {
        ("recommend", "as chosen"): lambda: recommender.recommend(keys, K)
    }
    for size in sizes:
        drawn = rng.choice(model.n_items, size, replace=False) + 1
        among = AllowedSet.of([str(item_id) for item_id in drawn], recommender)
        for entry in ENTRIES:
            kinds[f"among {size:,}", entry] = lambda among=among: recommender.recommend(keys, K, among=among)
    seconds = {kind: [] for kind in kinds}
    usual = search.SCORED_ITEMS, search.SCORED_SHARE
    for turn in range(-WARM_UP_CALLS, calls):
        for place in rng.permutation(len(kinds)):  # no kind always finds the caches that one other left
            (name, entry), call = list(kinds.items())[place]
            if ENTRIES[entry] is not None:
                search.SCORED_ITEMS, search.SCORED_SHARE = ENTRIES[entry], model.n_items + 1
            started = time.perf_counter()
            call()
            taken = time.perf_counter() - started
            search.SCORED_ITEMS, search.SCORED_SHARE = usual
            if turn >= 0:
                seconds[name, entry].append(taken)
    names = dict.fromkeys(name for name, _ in kinds)
    medians = {kind: float(np.median(times)) * 1e6 for kind, times in seconds.items()}
    return {name: [medians[name, entry] for entry in ENTRIES if (name, entry) in medians] for name in names}


if __name__ == "__main__":
    main()
