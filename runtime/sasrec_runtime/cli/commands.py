"""Commands that run, check and time a bundle."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sasrec_runtime.cli.options import (
    among_option,
    bundle_argument,
    group_options,
    json_option,
    k_option,
    session_options,
    unknown_option,
    variant_option,
)
from sasrec_runtime.cli.printing import print_json, print_table, size_in_words
from sasrec_runtime.cli.score_command import score
from sasrec_runtime.errors import RequestError

if TYPE_CHECKING:
    from sasrec_runtime.bundle import Bundle
    from sasrec_runtime.checks.bench import Timing
    from sasrec_runtime.engines.options import OptionNames
    from sasrec_runtime.recommendations import Recommendations

__all__ = ["COMMANDS"]

NEGATIVE: Final = 3
"""Exit code of a check that ran and failed."""


@click.command()
@bundle_argument
@click.option("--variant", "variants", multiple=True, metavar="NAME", help="Check only this one; may be repeated.")
@json_option
def verify(bundle: Path, variants: tuple[str, ...], as_json: bool) -> None:
    """Check every file of BUNDLE, then the answers of each variant.

    Files are compared with the digests of the manifest, answers with those recorded at export. Exit code 3: an
    answer differs.

    Example: sasrec-edge verify bundle
    """
    from sasrec_runtime.bundle import Bundle
    from sasrec_runtime.checks.verify import verify as verify_bundle

    opened = Bundle.open(bundle)
    total_bytes = sum(entry.bytes for entry in opened.manifest.all_files())
    if as_json:
        checks = verify_bundle(opened, variants)
    else:
        with click.progressbar(length=total_bytes, label="Reading", file=sys.stderr) as bar:
            checks = verify_bundle(opened, variants, progress=bar.update)
    failed = any(check.status == "failed" for check in checks)
    if as_json:
        print_json({"output_version": 1, "passed": not failed, "bytes": total_bytes, "variants": checks})
    else:
        print_table([(check.variant, check.status, _verdict(check)) for check in checks])
    if failed:
        click.get_current_context().exit(NEGATIVE)


def _verdict(check: Any) -> str:
    """Sum up a check in one line."""
    if check.status == "skipped":
        return str(check.reason)
    if check.failures:
        more = len(check.failures) - 1
        return f"{check.failures[0]}{f' And {more} more: see --json.' if more else ''}"
    return f"{check.cases} cases in {check.check_ms:.0f} ms"


@click.command()
@bundle_argument
@json_option
def inspect(bundle: Path, as_json: bool) -> None:
    """Print what BUNDLE holds: model, variants, vocabulary, origin.

    Example: sasrec-edge inspect bundle
    """
    from sasrec_runtime.bundle import Bundle

    opened = Bundle.open(bundle)
    manifest = opened.manifest
    total_bytes = sum(entry.bytes for entry in manifest.all_files())
    if as_json:
        print_json({"output_version": 1, "path": str(bundle), "total_bytes": total_bytes, "manifest": manifest})
        return
    model = manifest.model
    facts = {f"model.{name}": getattr(model, name) for name in model.__struct_fields__ if name != "hyper_parameters"}
    facts |= {f"model.{name}": value for name, value in model.hyper_parameters.items()}
    facts |= {"vocabulary.items": manifest.vocabulary.items.path}
    facts |= {"vocabulary.titles": manifest.vocabulary.titles.path if manifest.vocabulary.titles else "none"}
    facts |= {"fallback_items": len(manifest.fallback_items)}
    facts |= {"data": manifest.provenance.data, "data_sha256": manifest.provenance.data_sha256}
    facts |= {"seed": manifest.provenance.seed}
    facts |= {f"version.{name}": version for name, version in manifest.provenance.versions.items()}
    facts |= {"format_version": manifest.format_version, "total": size_in_words(total_bytes)}
    print_table([(name, str(value)) for name, value in facts.items()])
    click.echo()
    print_table(_variant_rows(opened))


def _variant_rows(bundle: "Bundle") -> list[tuple[str, ...]]:
    """One row per variant under a heading; a column per quality and parity that any of them reports."""
    from sasrec_runtime.engines.installed import MODULES

    variants = bundle.manifest.variants
    qualities = list(dict.fromkeys(name for variant in variants for name in variant.quality))
    parities = list(dict.fromkeys(name for variant in variants for name in variant.parity))
    heading = ("variant", "size", "needs", "atol", *qualities, *(f"parity {name}" for name in parities))
    rows = [
        (
            variant.name,
            size_in_words(sum(file.bytes for file in variant.files)),
            f"{MODULES[variant.runtime]} ≥ {variant.min_runtime_version}",
            f"{variant.atol:.1g}",
            *(f"{variant.quality[name]:.4f}" if name in variant.quality else "–" for name in qualities),
            *(f"{variant.parity[name]:.1e}" if name in variant.parity else "–" for name in parities),
        )
        for variant in variants
    ]
    return [heading, *rows]


@click.command()
@bundle_argument
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@k_option
@variant_option
@click.option("--exclude", multiple=True, metavar="KEY", help="Item not to return; may be repeated.")
@click.option("--keep-seen", is_flag=True, help="Return items of the history too.")
@among_option
@group_options
@unknown_option
@session_options
@json_option
def recommend(
    bundle: Path,
    keys: tuple[str, ...],
    k: int,
    variant: str | None,
    exclude: tuple[str, ...],
    keep_seen: bool,
    among: Path | None,
    groups: Path | None,
    exclude_groups: tuple[str, ...],
    at_most_per_group: int | None,
    unknown: Any,
    options: "OptionNames",
    as_json: bool,
) -> None:
    """Print the best next items for a history of item KEYs, oldest first.

    `-` reads keys from standard input, separated by white space. Without any KEY the most popular items are printed.

    Example: sasrec-edge recommend bundle 50 181 172 -k 5
    """
    from sasrec_runtime.cli import selecting
    from sasrec_runtime.recommender import Recommender

    if "-" in keys and among == Path("-"):
        raise click.UsageError("KEY and --among are both -, expected standard input once. Name a file for one of them.")
    recommender = Recommender.load(bundle, variant=variant, unknown=unknown, **options)
    items = recommender.recommend(
        _with_stdin(keys),
        k,
        exclude=exclude,
        exclude_seen=not keep_seen,
        among=selecting.allowed_set(among, recommender),
        **selecting.limits(groups, exclude_groups, at_most_per_group, recommender),
    )
    if items.is_fallback:
        click.echo("The history is empty: these are the most popular items.", err=True)
    if as_json:
        result = {"output_version": 1, "variant": recommender.variant.name, "is_fallback": items.is_fallback}
        print_json({**result, "items": list(items)})
    else:
        print_table(_item_rows(items))


def _with_stdin(keys: Sequence[str]) -> list[str]:
    """Put the keys of standard input where `-` stands."""
    position = keys.index("-") if "-" in keys else len(keys)
    piped = _piped_keys() if position < len(keys) else []
    return [*keys[:position], *piped, *keys[position + 1 :]]


def _piped_keys() -> list[str]:
    if sys.stdin is None:
        raise RequestError("Standard input is closed, expected item keys, for a KEY is `-`. Give the keys instead.")
    try:
        return sys.stdin.read().split()
    except UnicodeDecodeError as error:
        raise RequestError(
            f"Standard input is not {error.encoding.upper()} at byte {error.start}, expected item keys. Convert it."
        ) from error


def _item_rows(items: "Recommendations") -> list[tuple[str, ...]]:
    """Rank from 1, score, key and title of each item."""
    return [
        (str(rank), "–" if item.score is None else f"{item.score:.4f}", item.key, item.title or "")
        for rank, item in enumerate(items, 1)
    ]


@click.command()
@bundle_argument
@click.option("--variant", "variants", multiple=True, metavar="NAME", help="Time only this one; may be repeated.")
@session_options
@k_option
@click.option(
    "--calls", default=1000, show_default=True, type=click.IntRange(min=1), help="Measured calls of each variant."
)
@click.option(
    "--batch",
    "batches",
    multiple=True,
    type=click.IntRange(min=1),
    help="Histories in a batch; repeatable.",
)
@json_option
def bench(
    bundle: Path,
    variants: tuple[str, ...],
    options: "OptionNames",
    k: int,
    calls: int,
    batches: tuple[int, ...],
    as_json: bool,
) -> None:
    """Time BUNDLE on this machine with the histories of its golden.json, and measure its memory.

    Calls take turns over the variants; each is loaded in a process of its own for its memory (MiB over the imported
    runtime, n/a where there is no /proc). `session` is the part of p50 that the runtime itself takes.

    Example: sasrec-edge bench bundle --variant onnx-wi8 --calls 5000
    """
    from sasrec_runtime.checks.bench import BATCH_SIZES
    from sasrec_runtime.checks.bench import bench as bench_bundle

    timings = bench_bundle(bundle, variants, k=k, calls=calls, batch_sizes=batches or BATCH_SIZES, **options)
    if as_json:
        print_json({"output_version": 2, "options": options, "k": k, "calls": calls, "variants": timings})
        return
    print_table(_timing_rows(timings))


def _timing_rows(timings: Sequence["Timing"]) -> list[tuple[str, ...]]:
    """One row per variant under a heading."""
    times = ("load ms", "first call ms", "p50 µs", "p90 µs", "p99 µs", "session p50 µs")
    rates = (f"rows/s of {size}" for size in timings[0].rows_per_s)
    heading = ("variant", *times, "resident MiB", "anonymous MiB", *rates)
    rows = []
    for timing in timings:
        times_of = (timing.load_ms, timing.first_call_ms, timing.p50_us, timing.p90_us, timing.p99_us)
        numbers = (*times_of, timing.session_p50_us, timing.resident_mib, timing.anonymous_mib)
        rows.append(
            (
                timing.variant,
                *("n/a" if number is None else f"{number:.1f}" for number in numbers),
                *(f"{rate:.0f}" for rate in timing.rows_per_s.values()),
            )
        )
    return [heading, *rows]


COMMANDS: tuple[click.Command, ...] = (verify, inspect, recommend, score, bench)
