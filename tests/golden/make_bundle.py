"""Write bundle_v2, a bundle of format version 2 that every later version must read. Run by `make goldens` only.

The network is small and its weights are random: what is frozen is the format, not a model worth having.
"""

import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from sasrec_export import recipes
from sasrec_export.bundle.write import write_bundle
from sasrec_train import config, datasets
from sasrec_train import run as run_module

OUT = Path(__file__).with_name("bundle_v2")


def main() -> None:
    log = datasets.load("synthetic:items=40,users=60,mean_length=8,seed=1")
    model, train = config.preset(
        "modern",
        n_items=log.n_items,
        model={"max_len": 8, "hidden_dim": 16, "ffn_dim": 16, "num_blocks": 1},
        train={"epochs": 1},
    )
    with tempfile.TemporaryDirectory() as folder:
        trained = run_module.create(log, model, train, Path(folder) / "run")
        shutil.rmtree(OUT, ignore_errors=True)
        write_bundle(trained, OUT, plans=recipes.plan(recipes=("wi8", "fp32")))


if __name__ == "__main__":
    main()
