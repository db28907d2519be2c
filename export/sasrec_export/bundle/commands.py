"""The export command: from a trained RUN to a bundle."""

import json
from pathlib import Path
from typing import Any

import click

from sasrec_export.command_options import keep_seen_option
from sasrec_runtime.cli.options import json_option
from sasrec_runtime.cli.printing import print_lines, print_table

__all__ = ["COMMANDS"]


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
@click.option("--opset", type=int, default=17, show_default=True, help="Of the .onnx files: 17 to 27.")
@click.option("--ort-format", is_flag=True, help="Write .ort files and required_operators.config beside .onnx.")
@click.option("--strict-int8", is_flag=True, help="wi8_ai8: quantize all operators, not only where it saves time.")
@click.option(
    "--calibration", default="Percentile", show_default=True, metavar="NAME", help="wi8_ai8: MinMax or Percentile."
)
@click.option(
    "--app",
    type=click.Choice(["android", "ios", "web"]),
    help="Write just what that app ships: one variant, items, goldens and its card.",
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
    app: str | None,
    keep_seen: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write the bundle of a trained RUN: models, vocabulary, goldens, integration card and report.

    Every variant is compared with the trained model on real histories before the bundle appears.

    Example: sasrec-edge export run --out bundle --recipe wi8
    """
    from sasrec_export import export_options
    from sasrec_export import recipes as recipes_module
    from sasrec_export.bundle import app as app_module

    if app is not None:
        runtimes, recipes = app_module.choose(app, runtimes, recipes)
    options = export_options.ExportOptions(
        single_file=single_file,
        **export_options.ExportOptions.sizes(fixed_shapes),
        opset=opset,
        ort_format=ort_format,
        strict_int8=strict_int8,
        calibration=calibration,
        batched_entry=app is None,
    )
    plans = recipes_module.plan(runtimes, recipes, options=options)
    from sasrec_runtime.atomic import folder
    from sasrec_runtime.bundle_folder import BUNDLE
    from sasrec_train import tensorflow_import
    from sasrec_train.run import Run

    folder.check(out, BUNDLE, force=force, inputs=[run])
    loaded = Run.load(run)
    tensorflow_import.import_tensorflow()
    from sasrec_export.bundle.write import write_bundle
    from sasrec_export.report import schema
    from sasrec_export.report.show import text

    bundle, measured = write_bundle(
        loaded,
        out,
        plans=plans,
        top_k=top_k,
        keep_seen=keep_seen,
        app=app,
        force=force,
        say=_say,
    )
    if as_json:
        parity = {variant.name: variant.parity for variant in bundle.manifest.variants}
        result = {"output_version": 1, "bundle": str(out), "parity": parity, "report": schema.plain(measured)}
        if app is not None:
            result["app"] = {"name": app, "files": app_module.sizes(bundle)}
        click.echo(json.dumps(result))
        return
    click.echo("largest difference from Keras")
    print_table(_parity_rows(bundle.manifest.variants))
    click.echo()
    print_lines(text.table(measured))
    if app is not None:
        print_lines(f"\n{app_module.table(app, bundle)}")


def _say(what: str) -> None:
    print_lines(what, err=True)


def _parity_rows(variants: list[Any]) -> list[list[str]]:
    """Return the largest difference of each output from Keras, one row for each variant under a heading."""
    outputs = list(variants[0].parity)
    return [["", *outputs]] + [
        [variant.name, *(f"{variant.parity[output]:.2g}" for output in outputs)] for variant in variants
    ]


COMMANDS: tuple[click.Command, ...] = (export,)
