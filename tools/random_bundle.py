"""Write a bundle of a network with random weights, for benchmarks: what a call costs does not depend on training."""

from pathlib import Path

import msgspec
import numpy as np

from sasrec_export.bundle import goldens, variants
from sasrec_export.encoder import calibration
from sasrec_export.encoder.export_model import ExportModel
from sasrec_export.recipes import plan
from sasrec_runtime import manifest as manifest_module
from sasrec_runtime.bundle import MANIFEST_NAME, Bundle
from sasrec_runtime.checks import golden as golden_module
from sasrec_runtime.manifest import FileEntry, Manifest, ModelCard, Provenance, Vocabulary
from sasrec_train.config import preset
from sasrec_train.log.interactions import Histories
from sasrec_train.network.model import SASRec


def network(n_items: int, seed: int = 0, **options) -> SASRec:
    """Return the default preset's network, each weight drawn from where a trained one lies."""
    config, _ = preset("modern", n_items=n_items, model=options)
    model = SASRec(config)
    model(np.zeros((1, config.max_len), np.int32))
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        centre = 1.0 if "gamma" in weight.path else 0.0
        drawn = rng.standard_normal(weight.shape, np.float32)
        drawn *= 0.1
        drawn += centre
        weight.assign(drawn)
    return model


def write(folder: Path, model: SASRec, recipes: tuple[str, ...], runtimes: tuple[str, ...], top_k: int = 10) -> Bundle:
    """Write a bundle of `model` into `folder`, an existing empty one; no parity, no report."""
    c = model.config
    rng = np.random.default_rng(1)
    histories = Histories.from_lists(rng.integers(1, c.n_items + 1, (256, c.max_len)))
    sample = calibration.sample(histories, max_len=c.max_len, seed=0)
    exported = ExportModel(model, calibration=sample, top_k=top_k)
    plans = plan(runtimes, recipes)
    writers = variants.writers(exported, {chosen.runtime for chosen in plans})
    written = []
    for chosen in plans:
        table = exported.item_table(chosen.engine.table)
        variant = variants.describe(writers[chosen.runtime], chosen, table, folder, top_k=top_k)
        written.append(msgspec.structs.replace(variant, atol=1.0))
    items = folder / "items.txt"
    items.write_text("".join(f"{item_id}\n" for item_id in range(1, c.n_items + 1)), encoding="utf-8")
    manifest = Manifest(
        format_version=manifest_module.FORMAT_VERSION,
        model=ModelCard(
            n_items=c.n_items,
            max_len=c.max_len,
            hidden_dim=c.hidden_dim,
            num_blocks=c.num_blocks,
            num_heads=c.num_heads,
        ),
        signature={},
        variants=written,
        vocabulary=Vocabulary(items=variants.entry_of(folder, items)),
        fallback_items=[1],
        golden=FileEntry(path="golden.json", bytes=0, sha256="0" * 64),
        documents=[],
        provenance=Provenance(data="random weights", data_sha256="0" * 64, seed=0),
    )
    requests = goldens.draw([histories], n_items=c.n_items, max_len=c.max_len, popular=manifest.fallback_items)
    golden = goldens.record(Bundle(folder, manifest), requests)
    (folder / "golden.json").write_bytes(golden_module.encode(golden))
    manifest = msgspec.structs.replace(manifest, golden=variants.entry_of(folder, folder / "golden.json"))
    (folder / MANIFEST_NAME).write_bytes(manifest_module.encode(manifest))
    return Bundle.open(folder)
