"""The commands that need a trained run or its interaction log beside a bundle: export and report."""

import json
from pathlib import Path
from typing import Any

import click

from sasrec_train.data_options import LogOptions, data_options

__all__ = ["COMMANDS"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
keep_seen_option = click.option(
    "--keep-seen", is_flag=True, help="Recommend items of the user's own history too, for logs with repeats."
)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write, a bundle.")
@click.option(
    "--recipe", "recipes", multiple=True, metavar="NAME", help="Such as wi8 or fp32; repeatable.  [default: all]"
)
@click.option(
    "--runtime", "runtimes", multiple=True, metavar="NAME", help="onnx or tflite; repeatable.  [default: all]"
)
@click.option(
    "--top-k",
    default=100,
    show_default=True,
    type=click.IntRange(min=1),
    help="Items that a variant of fixed k returns: TFLite, and ONNX with --fixed-shapes.",
)
@click.option("--single-file", is_flag=True, help="Keep the weights inside each .onnx file.")
@click.option("--fixed-shapes", metavar="BxL", help="Fix rows and history columns, and all other sizes, as NPUs want.")
@click.option("--opset", type=int, default=17, show_default=True, help="Of the .onnx files: 17 or 18.")
@click.option("--ort-format", is_flag=True, help="Write .ort files and required_operators.config beside .onnx.")
@click.option("--strict-int8", is_flag=True, help="wi8_ai8: quantize all operators, not only where it saves time.")
@click.option(
    "--calibration", default="Percentile", show_default=True, metavar="NAME", help="wi8_ai8: MinMax or Percentile."
)
@keep_seen_option
@click.option("--force", is_flag=True, help="Replace an existing bundle, once the new one is whole.")
@json_option
def export(
    run: Path,
    out: Path,
    recipes: tuple[str, ...],
    runtimes: tuple[str, ...],
    top_k: int,
    single_file: bool,
    fixed_shapes: str | None,
    opset: int,
    ort_format: bool,
    strict_int8: bool,
    calibration: str,
    keep_seen: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write the bundle of a trained RUN: models, vocabulary, goldens, integration card and report.

    Every variant is compared with the trained model on real histories before the bundle appears.

    Example: sasrec-edge export run --out bundle --recipe wi8
    """
    from sasrec_export import recipe as recipe_module

    shape = recipe_module.Shape(
        single_file=single_file,
        **recipe_module.Shape.sizes(fixed_shapes),
        opset=opset,
        ort_format=ort_format,
        strict_int8=strict_int8,
        calibration=calibration,
    )
    plans = recipe_module.plan(runtimes, recipes, shape=shape)
    from sasrec_train import quiet, staging
    from sasrec_train.run import Run

    staging.check(out, force=force, marker="manifest.json")
    loaded = Run.load(run)
    quiet.import_tensorflow()
    from sasrec_export.report import render
    from sasrec_export.write_bundle import write_bundle

    bundle, report = write_bundle(
        loaded,
        out,
        plans=plans,
        top_k=top_k,
        keep_seen=keep_seen,
        force=force,
        say=_say,
    )
    if as_json:
        parity = {variant.name: variant.parity for variant in bundle.manifest.variants}
        click.echo(json.dumps({"output_version": 1, "bundle": str(out), "parity": parity, "report": report}))
        return
    click.echo(_parity_table(bundle.manifest.variants))
    click.echo()
    click.echo(render.table(report))


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@data_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder for report.json and report.html.")
@keep_seen_option
@click.option("--threads", default=1, show_default=True, type=click.IntRange(min=1), help="Threads of one call.")
@click.option("--force", is_flag=True, help="Replace an existing report.")
@json_option
def report(
    bundle: Path,
    source: LogOptions,
    out: Path | None,
    keep_seen: bool,
    threads: int,
    force: bool,
    as_json: bool,
) -> None:
    """Measure what quantization cost a BUNDLE: ranking quality, bytes and milliseconds of every variant.

    Example: sasrec-edge report bundle --data ml-100k --out report
    """
    from sasrec_export.report import log as log_module
    from sasrec_export.report import measure, render, write
    from sasrec_runtime.bundle import Bundle
    from sasrec_train import console

    if out is not None:
        write.check(out, force=force)
    opened = Bundle.open(bundle)
    with console.notes():
        log = source.load()
    held_out = log_module.held_out_of(log, opened, split_config=source.split, say=_say)
    data = log_module.shown_name(log)
    measured = measure.measure(opened, held_out, data=data, keep_seen=keep_seen, threads=threads, say=_say)
    if out is not None:
        write.write(measured, out, force=force)
    click.echo(json.dumps(measured) if as_json else render.table(measured))


def _say(what: str) -> None:
    click.echo(what, err=True)


def _parity_table(variants: list[Any]) -> str:
    """Return the largest difference of each output from Keras, a variant a line."""
    outputs = list(variants[0].parity)
    lines = ["largest difference from Keras"]
    lines.append(f"{'':<14}" + "".join(f"{output:>18}" for output in outputs))
    lines += [
        f"{variant.name:<14}" + "".join(f"{variant.parity[output]:>18.2g}" for output in outputs)
        for variant in variants
    ]
    return "\n".join(lines)


COMMANDS: tuple[click.Command, ...] = (export, report)
