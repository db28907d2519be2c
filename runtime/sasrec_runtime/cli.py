"""Commands that run, check and time a bundle."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from sasrec_runtime.bundle import Bundle
    from sasrec_runtime.recommender import Recommendations

__all__ = ["COMMANDS"]

NEGATIVE: Final = 3
"""Exit code of a check that ran and said no."""

Decorator = Callable[[Callable[..., None]], Callable[..., None]]

bundle_argument: Decorator = click.argument("bundle", type=click.Path(path_type=Path))
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
threads_option: Decorator = click.option(
    "--threads", default=1, show_default=True, type=click.IntRange(min=1), help="Threads one call computes on."
)
k_option: Decorator = click.option("-k", "k", default=10, show_default=True, help="Number of items to return.")


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
    from sasrec_runtime.verify import verify as verify_bundle

    opened = Bundle.open(bundle)
    total_bytes = sum(entry.bytes for entry in opened.manifest.all_files())
    if as_json:
        checks = verify_bundle(opened, variants)
    else:
        with click.progressbar(length=total_bytes, label="Reading", file=sys.stderr) as bar:
            checks = verify_bundle(opened, variants, progress=bar.update)
    failed = any(check.status == "failed" for check in checks)
    if as_json:
        _print_json({"output_version": 1, "passed": not failed, "bytes": total_bytes, "variants": checks})
    else:
        _print_table([(check.variant, check.status, _verdict(check)) for check in checks])
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
        _print_json({"output_version": 1, "path": str(bundle), "total_bytes": total_bytes, "manifest": manifest})
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
    facts |= {"format_version": manifest.format_version, "total": _size(total_bytes)}
    _print_table([(name, str(value)) for name, value in facts.items()])
    click.echo()
    _print_table(_variant_rows(opened))


def _variant_rows(bundle: "Bundle") -> list[tuple[str, ...]]:
    """One row per variant under a heading; a column per quality and parity that any of them reports."""
    from sasrec_runtime.session import MODULES

    variants = bundle.manifest.variants
    qualities = list(dict.fromkeys(name for variant in variants for name in variant.quality))
    parities = list(dict.fromkeys(name for variant in variants for name in variant.parity))
    heading = ("variant", "size", "needs", "atol", *qualities, *(f"parity {name}" for name in parities))
    rows = [
        (
            variant.name,
            _size(sum(file.bytes for file in variant.files)),
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
@click.option("--variant", metavar="NAME", help="Variant to run.  [default: the first whose runtime is installed]")
@click.option("--exclude", multiple=True, metavar="KEY", help="Item not to return; may be repeated.")
@click.option("--keep-seen", is_flag=True, help="Return items of the history too.")
@click.option(
    "--unknown",
    type=click.Choice(["error", "drop", "map"]),
    default="error",
    show_default=True,
    help="For a key of the history that is no item: fail, leave it out, or keep its place empty.",
)
@threads_option
@json_option
def recommend(
    bundle: Path,
    keys: tuple[str, ...],
    k: int,
    variant: str | None,
    exclude: tuple[str, ...],
    keep_seen: bool,
    unknown: Any,
    threads: int,
    as_json: bool,
) -> None:
    """Print the best next items for a history of item KEYs, oldest first.

    `-` reads keys from standard input, separated by white space. Without any KEY the most popular items are printed.

    Example: sasrec-edge recommend bundle 50 181 172 -k 5
    """
    from sasrec_runtime.recommender import Recommender

    recommender = Recommender.load(bundle, variant=variant, threads=threads, unknown=unknown)
    items = recommender.recommend(_with_stdin(keys), k, exclude=exclude, exclude_seen=not keep_seen)
    if items.is_fallback:
        click.echo("The history is empty: these are the most popular items.", err=True)
    if as_json:
        result = {"output_version": 1, "variant": recommender.variant.name, "is_fallback": items.is_fallback}
        _print_json({**result, "items": list(items)})
    else:
        _print_table(_item_rows(items))


def _with_stdin(keys: Sequence[str]) -> list[str]:
    """Put the keys of standard input where `-` stands."""
    position = keys.index("-") if "-" in keys else len(keys)
    piped = sys.stdin.read().split() if position < len(keys) else []
    return [*keys[:position], *piped, *keys[position + 1 :]]


def _item_rows(items: "Recommendations") -> list[tuple[str, ...]]:
    """Rank from 1, score, key and title of each item."""
    return [
        (str(rank), "–" if item.score is None else f"{item.score:.4f}", item.key, item.title or "")
        for rank, item in enumerate(items, 1)
    ]


@click.command()
@bundle_argument
@click.option("--variant", "variants", multiple=True, metavar="NAME", help="Time only this one; may be repeated.")
@threads_option
@k_option
@click.option("--calls", default=1000, show_default=True, help="Measured calls of each variant.")
@json_option
def bench(bundle: Path, variants: tuple[str, ...], threads: int, k: int, calls: int, as_json: bool) -> None:
    """Time BUNDLE on this machine with the histories of its golden.json.

    Calls take turns over the variants. `session` is the part of p50 that the runtime itself takes.

    Example: sasrec-edge bench bundle --variant onnx-wi8 --calls 5000
    """
    from sasrec_runtime.bench import bench as bench_bundle

    timings = bench_bundle(bundle, variants, threads=threads, k=k, calls=calls)
    if as_json:
        _print_json({"output_version": 1, "threads": threads, "k": k, "calls": calls, "variants": timings})
        return
    heading = ("variant", "load ms", "first call ms", "p50 µs", "p90 µs", "p99 µs", "session p50 µs")
    names = [timing.variant for timing in timings]
    numbers = [
        (timing.load_ms, timing.first_call_ms, timing.p50_us, timing.p90_us, timing.p99_us, timing.session_p50_us)
        for timing in timings
    ]
    _print_table([heading, *((name, *(f"{x:.1f}" for x in row)) for name, row in zip(names, numbers, strict=True))])


def _print_json(result: dict[str, Any]) -> None:
    """Print one JSON object; msgspec structs become objects, a number that JSON has no word for becomes null."""
    import msgspec

    click.echo(json.dumps(msgspec.to_builtins(result), indent=2, ensure_ascii=False, allow_nan=False))


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as their longest cell; those of numbers, a heading aside, stand right."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(_is_number(cell) for cell in column[1:]) for column in columns]
    for row in rows:
        cells = zip(row, widths, right, strict=True)
        click.echo("  ".join(c.rjust(width) if to_right else c.ljust(width) for c, width, to_right in cells).rstrip())


def _is_number(cell: str) -> bool:
    return cell == "–" or cell.removeprefix("-").replace(".", "", 1).isdecimal()


def _size(size_bytes: int) -> str:
    """Return a size in words, decimal units."""
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


COMMANDS: tuple[click.Command, ...] = (verify, inspect, recommend, bench)
