"""The integration card: a bundle's README.md, written from the bundle's own names, shapes, ids and numbers."""

from importlib import resources
from typing import Any

import jinja2

from sasrec_runtime.golden import Golden
from sasrec_runtime.manifest import Manifest

__all__ = ["write"]


def write(manifest: Manifest, golden: Golden, report: dict[str, Any]) -> str:
    """Return README.md of a bundle.

    Args:
        manifest: The bundle's, with all its variants.
        golden: Its golden cases; the first is the example that the snippets run.
        report: Its report, for the sizes and the quality in the variants' table.
    """
    source = resources.files("sasrec_export").joinpath("templates/card.md.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(  # noqa: S701 - Markdown, not HTML
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    case = golden.cases[0]
    by_runtime = {runtime: _first(manifest, runtime) for runtime in ("onnx", "tflite")}
    chosen = manifest.variants[0]
    return environment.from_string(source).render(
        manifest=manifest,
        model=manifest.model,
        case=case,
        answer=case.answers[chosen.name],
        default=chosen,
        onnx=by_runtime["onnx"],
        tflite=by_runtime["tflite"],
        measured={row["name"]: row for row in report["variants"]},
    )


def _first(manifest: Manifest, runtime: str) -> Any:
    return next((variant for variant in manifest.variants if variant.runtime == runtime), None)
