"""Bundles and runs that the experiments need beside the one they are given, small or untrained, made in children."""

import shutil
import sys
from pathlib import Path
from typing import Any

import children
import folders

__all__ = [
    "RECIPES",
    "TINY",
    "answer",
    "ask_all",
    "copy_here",
    "keys_of",
    "other_model",
    "other_size",
    "tiny_run",
    "write_tiny_bundle",
]

TINY = "synthetic:items=60,users=80,mean_length=8,seed=3"
"""A log that trains in a second."""

RECIPES = ("wi8", "wi4")


def other_model(bundle: Path, folder: Path, seed: int = 1) -> Path:
    """Write a bundle of another model of the same catalogue and sizes, as the next training would be."""
    from sasrec_runtime.bundle import Bundle

    model = Bundle.open(bundle).manifest.model
    _random(folder, model.n_items, model.max_len, model.hidden_dim, seed)
    for name in ("items.txt", "titles.txt"):
        if (bundle / name).exists() and (folder / name).exists():
            folders.put(folder / name, (bundle / name).read_bytes())
    folders.resign(folder)
    return folder


def other_size(bundle: Path, folder: Path, seed: int = 2) -> Path:
    """Write a bundle of a model of another, larger catalogue, with keys of its own."""
    from sasrec_runtime.bundle import Bundle

    model = Bundle.open(bundle).manifest.model
    n_items = 2 * model.n_items
    _random(folder, n_items, model.max_len, model.hidden_dim, seed)
    (folder / "items.txt").write_text("".join(f"{100_000 + item_id}\n" for item_id in range(n_items)))
    folders.resign(folder)
    return folder


def _random(folder: Path, n_items: int, max_len: int, hidden_dim: int, seed: int) -> None:
    def make() -> None:
        sys.path.insert(0, str(Path(__file__).parents[1]))
        import random_bundle
        from sasrec_train import tensorflow_import

        tensorflow_import.import_tensorflow()
        network = random_bundle.network(n_items, seed, max_len=max_len, hidden_dim=hidden_dim)
        random_bundle.write(folder, network, RECIPES, ("onnx", "tflite"), top_k=100)

    folder.mkdir(parents=True)
    children.ask(make)


def tiny_run(folder: Path) -> Path:
    """Train the smallest run there can be."""

    def make() -> None:
        from sasrec_train import config, datasets, tensorflow_import
        from sasrec_train import run as run_module

        tensorflow_import.import_tensorflow()
        log = datasets.load(TINY)
        model, recipe = config.preset(
            "modern", n_items=log.n_items, model={"max_len": 10, "hidden_dim": 16, "ffn_dim": 16}, train={"epochs": 1}
        )
        run_module.create(log, model, recipe, folder)

    children.ask(make)
    return folder


def write_tiny_bundle(run: Path, folder: Path, recipes: tuple[str, ...] = ("wi8",)) -> Path:
    """Export a run, ONNX only."""

    def make() -> None:
        from sasrec_export import recipes as recipes_module
        from sasrec_export.bundle.write import write_bundle
        from sasrec_train import tensorflow_import
        from sasrec_train.run import Run

        tensorflow_import.import_tensorflow()
        write_bundle(Run.load(run), folder, plans=recipes_module.plan(("onnx",), recipes))

    children.ask(make)
    return folder


def answer(bundle: Any, variant: str, keys: list[str]) -> dict[str, Any]:
    """Load a variant and ask each of its entries: what one model says, to be compared with what another says.

    The history is the first half of `keys`, the candidates the other; keys that are not in the vocabulary are dropped.
    """
    from sasrec_runtime import Recommender

    recommender = Recommender.load(bundle, variant=variant, unknown="drop")
    return ask_all(recommender, keys)


def ask_all(recommender: Any, keys: list[str]) -> dict[str, Any]:
    """Return what each entry of a loaded variant says: keys and scores."""
    half = len(keys) // 2
    known = [key for key in keys[half:] if key in recommender.vocabulary]
    said: dict[str, Any] = {}
    for name, found in (
        ("recommend", [recommender.recommend(keys[:half], 5)]),
        ("recommend_batch", recommender.recommend_batch([keys[: 1 + i % half] for i in range(8)], 5)),
    ):
        said[name] = [[(item.key, item.score) for item in one] for one in found]
    said["score"] = recommender.score(keys[:half], known).tolist() if known else []
    return said


def keys_of(bundle: Path, number: int = 12) -> list[str]:
    """Return some item keys of a bundle: as many for a history as for candidates."""
    lines = (bundle / "items.txt").read_text(encoding="utf-8").splitlines()
    return lines[:: max(1, len(lines) // number)][:number]


def copy_here(folder: Path, scratch: Path) -> Path:
    """Copy a folder into the scratch folder, for links to be made from; the original is never touched."""
    return Path(shutil.copytree(folder, scratch / folder.resolve().name))
