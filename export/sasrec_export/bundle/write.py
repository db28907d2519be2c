"""From a trained RUN to a bundle: write every variant, check its parity, record goldens, measure, describe."""

import dataclasses
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sasrec_export.bundle import card, goldens, parity, variants
from sasrec_export.bundle.goldens import Request
from sasrec_export.bundle.parity import OneByOne, Reference
from sasrec_export.bundle.variants import entry_of
from sasrec_export.encoder import calibration
from sasrec_export.encoder.export_model import ExportModel, ItemTable, check_weights
from sasrec_export.errors import ExportError, ParityError
from sasrec_export.recipes import VariantPlan
from sasrec_export.report import progress, schema
from sasrec_export.report.measure.build_report import build_report
from sasrec_export.report.measure.evaluation_set import evaluation_set_of_run, log_settings, shown_name
from sasrec_export.report.schema import Report
from sasrec_export.report.show import html
from sasrec_runtime import manifest as manifest_module
from sasrec_runtime.atomic import folder as atomic_folder
from sasrec_runtime.atomic import overlap
from sasrec_runtime.bundle import MANIFEST_NAME, Bundle
from sasrec_runtime.bundle_folder import BUNDLE
from sasrec_runtime.checks import golden as golden_module
from sasrec_runtime.checks.golden import Golden
from sasrec_runtime.engines.open import open_session
from sasrec_runtime.manifest import FileEntry, Manifest, ModelCard, Provenance, Variant, Vocabulary
from sasrec_runtime.recommender import Recommender
from sasrec_train.log.interactions import Histories
from sasrec_train.new_items import record
from sasrec_train.run import Run
from sasrec_train.split import Split

__all__ = ["FALLBACK_ITEMS", "write_bundle"]

FALLBACK_ITEMS = 100
"""Popular items in the manifest, which answer an empty history."""
EVALUATED_SCORES = 1 << 30
"""Users times items that each variant is evaluated on at export: some seconds."""
MIN_EVALUATED = 500
"""Users at least, however large the catalogue is."""
VERSIONED = (
    "sasrec-edge", "tensorflow", "keras", "tf2onnx", "onnx", "onnx-ir", "onnxruntime", "ai-edge-litert", "numpy",
)  # fmt: skip
SIGNATURE = {
    "recommend": {
        "inputs": {"history": "int32 (B, T)", "exclude": "int32 (B, E)", "k": "int64 (1)"},
        "outputs": {"items": "int32 (B, k)", "scores": "float32 (B, k)"},
    },
    "score": {
        "inputs": {"history": "int32 (B, T)", "candidates": "int32 (B, C)"},
        "outputs": {"scores": "float32 (B, C)"},
    },
}

Say = Callable[[str], None]


def write_bundle(
    run: Run,
    out: Path,
    *,
    plans: list[VariantPlan],
    top_k: int = 100,
    keep_seen: bool = False,
    app: str | None = None,
    force: bool = False,
    say: Say = lambda _: None,
) -> tuple[Bundle, Report]:
    """Write the bundle of a run and return it with its report.

    The folder appears when it is whole and verified; whatever fails before leaves `out` as it was.

    Args:
        run: The trained run.
        out: The folder to write.
        plans: The variants, the default one first.
        top_k: Items that a TFLite variant returns; at most n_items.
        keep_seen: Measure quality with items of the user's own history too.
        app: The app whose folder this is (see `sasrec_export.bundle.app`): its card is the only document then.
        force: Replace an existing bundle.
        say: Told what is being done.

    Raises:
        ExportError: A variant cannot be converted, or does not answer as the trained model (ParityError).
        OutputError: `out` is in the way, or cannot be written.
        RunError: The run is corrupted.
    """
    if top_k < 1:
        raise ExportError(f"top-k is {top_k}, expected at least 1.")
    out = overlap.resolved(out)  # it may be the working directory, which is replaced
    with atomic_folder.staged(out, BUNDLE, force=force, inputs=[run.path]) as folder:
        say("loading the trained model")
        split = run.split()
        added = record.read(run)
        histories = calibration.sample(
            split.train.up_to(added.trained_items), max_len=run.model_config.max_len, seed=run.seed
        )
        network = run.model()
        check_weights(network)
        model = ExportModel(
            network, calibration=histories, top_k=min(top_k, run.interactions.n_items), parts=added.parts
        )
        plans = [_with_places(plan, run) for plan in plans]
        manifest = _describe(run, split, folder)
        requests = _requests(run, split, manifest)
        writers = variants.writers(model, {plan.runtime for plan in plans})
        for plan in plans:
            say(f"{plan.name}: converting")
            table = model.item_table(plan.engine.table)
            variant = variants.describe(writers[plan.runtime], plan, table, folder, top_k=model.top_k)
            alone = Bundle(folder, _with(manifest, variants=[variant]))
            variant = _prove(model, plan, table, alone, split, requests, say)
            manifest = _with(manifest, variants=[*manifest.variants, variant])
        say("recording goldens")
        golden = goldens.record(Bundle(folder, manifest), requests)
        (folder / "golden.json").write_bytes(golden_module.encode(golden))
        manifest = _save(folder, _with(manifest, golden=entry_of(folder, folder / "golden.json")))
        report = build_report(
            Bundle.open(folder),
            evaluation_set_of_run(run, split),
            detail=False,  # histories of users do not belong on devices, and layers take long
            keep_seen=keep_seen,
            users=_evaluated_users(run, split),
            seed=run.seed,
            progress=progress.by_line(say),
        )
        _save(folder, _document(folder, manifest, golden, report, app))
        say("verifying the bundle")
        _verify(folder, golden)
    return Bundle.open(out), report


def _with_places(plan: VariantPlan, run: Run) -> VariantPlan:
    """Return the plan with as many places to exclude as the longest history of the run needs."""
    longest = min(int(run.interactions.histories.lengths.max()), run.interactions.n_items)
    return dataclasses.replace(plan, options=dataclasses.replace(plan.options, longest=longest))


def _evaluated_users(run: Run, split: Split) -> int | None:
    """Return how many test users the report inside a bundle is measured on; None: all. `report` takes any number."""
    most = max(MIN_EVALUATED, EVALUATED_SCORES // run.interactions.n_items)
    return most if most < len(split.test.targets) else None


def _describe(run: Run, split: Split, folder: Path) -> Manifest:
    """Write the vocabulary and return the manifest as far as it is known before any variant."""
    interactions = run.interactions
    config = run.model_config
    items = _write_lines(folder / "items.txt", interactions.item_keys)
    titles = _write_lines(folder / "titles.txt", interactions.titles) if interactions.titles else None
    counts = np.bincount(split.train.item_ids, minlength=interactions.n_items + 1)[1:]
    popular = np.argsort(-counts, kind="stable")[:FALLBACK_ITEMS] + 1
    return Manifest(
        format_version=manifest_module.FORMAT_VERSION,
        model=ModelCard(
            n_items=config.n_items,
            max_len=config.max_len,
            hidden_dim=config.hidden_dim,
            num_blocks=config.num_blocks,
            num_heads=config.num_heads,
            hyper_parameters={
                "preset": run.config.preset,
                "model": msgspec.to_builtins(config),
                "train": msgspec.to_builtins(run.train_config),
                "data": log_settings(run),
            },
        ),
        signature=SIGNATURE,
        variants=[],
        vocabulary=Vocabulary(
            items=entry_of(folder, items), titles=entry_of(folder, titles) if titles is not None else None
        ),
        fallback_items=popular.tolist(),
        golden=FileEntry(path="golden.json", bytes=0, sha256="0" * 64),
        documents=[],
        provenance=Provenance(
            data=shown_name(interactions),
            data_sha256=run.data_sha256,
            seed=run.seed,
            versions={name: metadata.version(name) for name in VERSIONED},
        ),
    )


def _requests(run: Run, split: Split, manifest: Manifest) -> list[Request]:
    """Return what the goldens ask, with histories that do not reveal those in the log."""
    real = [run.interactions.histories, split.train, split.validation.histories, split.test.histories]
    model = manifest.model
    return goldens.draw(
        real, n_items=model.n_items, max_len=model.max_len, popular=manifest.fallback_items, seed=run.seed
    )


def _prove(
    model: ExportModel,
    plan: VariantPlan,
    table: ItemTable,
    bundle: Bundle,
    split: Split,
    requests: list[Request],
    say: Say,
) -> Variant:
    """Check the parity of the one variant in `bundle` with Keras; return it with what was measured.

    Real histories come as one wide batch, and their differences are what is returned. The synthetic ones of the goldens
    come one by one and unpadded: a fault may show only in short ones, or only in the entry for few rows.
    """
    variant = bundle.manifest.variants[0]
    max_len = bundle.manifest.model.max_len
    seen = min(plan.options.history or max_len, max_len)
    expected = parity.reference(model.encode, seen, table, plan, split.test.histories)
    session = open_session(bundle, variant)
    k = min(model.top_k, bundle.manifest.model.n_items)
    differences = parity.check(variant.name, session, expected, k=k)
    synthetic = Histories.from_lists(request.history_ids for request in requests)
    expected_alone = parity.reference(model.encode, seen, table, plan, synthetic, calibrated=False)
    parity.check(f"{variant.name}, asked one by one", OneByOne(session), expected_alone, k=k)
    say(
        f"{variant.name}: parity with Keras on {len(expected.history)} histories, "
        + ", ".join(f"{output} {difference:.2g}" for output, difference in differences.items())
    )
    return msgspec.structs.replace(variant, parity=differences, atol=_atol(plan, expected, differences))


def _atol(plan: VariantPlan, expected: Reference, differences: dict[str, float]) -> float:
    """Return how far another engine's golden scores may lie from these.

    The sum of three parts: the bound on the rounding of the scoring, ten times the float tolerance (another engine
    sums in another order), and, for a quantized encoder, twice the largest difference that was measured here.
    """
    share = parity.FLOAT_TOLERANCE / (parity.FLOAT_TOLERANCE + plan.engine.encoder_tolerance)
    rounding = float((expected.scoring_atol - expected.float_atol).max())
    encoder = 2 * max(differences["recommend.scores"], differences["score.scores"])
    return (
        rounding + 10 * share * float(expected.float_atol.max()) + (0.0 if plan.engine.encoder == "float" else encoder)
    )


def _document(folder: Path, manifest: Manifest, golden: Golden, report: Report, app: str | None) -> Manifest:
    """Write the documents and return the whole manifest."""
    plain = schema.plain(report)
    measured = {row["name"]: row for row in plain["variants"]}
    described = [
        msgspec.structs.replace(
            variant,
            quality={
                name: measured[variant.name][name]
                for name in ("hr@10", "ndcg@10", "overlap@10")
                if name in measured[variant.name]
            },
        )
        for variant in manifest.variants
    ]
    manifest = _with(manifest, variants=described)
    texts = {"README.md": card.write(manifest, golden, plain, app=app)}
    if app is None:
        texts |= {"report.json": schema.encode(report).decode(), "report.html": html.html(report)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return _with(manifest, documents=[entry_of(folder, folder / name) for name in texts])


def _verify(folder: Path, golden: Golden) -> None:
    """Read the bundle as a user would, before it gets its name."""
    bundle = Bundle.open(folder)
    bundle.verify_digests()
    for variant in bundle.manifest.variants:
        failures = golden_module.check(golden, Recommender.load(bundle, variant=variant.name))
        if failures:
            raise ParityError(f"{variant.name}: {'; '.join(failures)}. No bundle was written.")


def _with(manifest: Manifest, **fields: Any) -> Manifest:
    return msgspec.structs.replace(manifest, **fields)


def _save(folder: Path, manifest: Manifest) -> Manifest:
    (folder / MANIFEST_NAME).write_bytes(manifest_module.encode(manifest))
    return manifest


def _write_lines(path: Path, lines: list[str]) -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path
