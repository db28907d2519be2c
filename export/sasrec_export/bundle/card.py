"""The integration card: a bundle's README.md, filled with the names, shapes, ids and numbers of the bundle."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import jinja2

from sasrec_export import markdown
from sasrec_runtime.checks.golden import Answer, Case, Golden
from sasrec_runtime.manifest import FileEntry, Manifest, Variant

__all__ = ["write"]


@dataclass(frozen=True, slots=True)
class Client:
    """What the snippets of one runtime are written from."""

    variant: Variant
    """The variant that the snippets run: the bundle's first of that runtime."""
    answer: Answer
    """The answer that the snippets must give."""
    rows: int
    """Rows of a call; the user's is the first."""
    columns: int
    """Columns of `history`."""
    exclude: int
    """Columns of `exclude`, at least one."""
    weights: list[dict[str, str]]
    """Files beside the models: `path` in the bundle, `name` as the model knows it."""


def write(manifest: Manifest, golden: Golden, report: dict[str, Any], *, app: str | None = None) -> str:
    """Return README.md of a bundle.

    Args:
        manifest: The bundle's, with all its variants.
        golden: Its golden cases; the first is the example that the snippets run.
        report: Its report, for the sizes and the quality in the variants' table.
        app: `android`, `ios` or `web` where the bundle holds just what that app ships: snippets of other platforms
            are left out.
    """
    case = golden.cases[0]
    clients = {runtime: _client(manifest, case, runtime) for runtime in ("onnx", "tflite")}
    text = (
        _environment()
        .get_template("card.md.j2")
        .render(
            manifest=manifest,
            model=manifest.model,
            case=case,
            answer=case.answers[manifest.variants[0].name],
            default=manifest.variants[0],
            items_path=manifest.vocabulary.items.path,
            measured={row["name"]: row for row in report["variants"]},
            app=app,
            **clients,
        )
    )
    return text.rstrip() + "\n"


def _client(manifest: Manifest, case: Case, runtime: str) -> Client | None:
    variant = next((variant for variant in manifest.variants if variant.runtime == runtime), None)
    if variant is None:
        return None
    return Client(
        variant=variant,
        answer=case.answers[variant.name],
        rows=variant.fixed_batch or 1,
        columns=variant.fixed_history or manifest.model.max_len,
        exclude=variant.fixed_exclude or max(1, len(case.exclude_ids)),
        weights=_weights(variant),
    )


def _weights(variant: Variant) -> list[dict[str, str]]:
    def name(file: FileEntry) -> str:
        folder = variant.entries["recommend"].rpartition("/")[0]
        return file.path.removeprefix(f"{folder}/")

    models = set(variant.entries.values())
    return [{"path": file.path, "name": name(file)} for file in variant.files if file.path not in models]


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 - Markdown, not HTML
        loader=jinja2.PackageLoader("sasrec_export"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        json=_json,
        kotlin=_kotlin,
        swift=_swift,
        cpp=_cpp,
        decimal=_decimal,
        comment=_comment,
        code=markdown.code,
        cell=markdown.cell,
    )
    return environment


def _json(value: Any) -> str:
    """Return a value as JSON, which Python and JavaScript read alike, with hidden characters as escapes."""
    return "".join(
        f"\\u{ord(character):04x}" if markdown.is_hidden(character) else character
        for character in json.dumps(value, ensure_ascii=False)
    )


def _comment(text: str) -> str:
    """Return text for a comment: it cannot end the comment, nor begin another one inside."""
    return markdown.visible(text).replace("*/", "* /").replace("/*", "/ *")


COMMON = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _quoted(text: str, special: dict[str, str], escaped: Callable[[str], str]) -> str:
    """Return a literal: special characters by the table `special`, invisible ones by the function `escaped`."""
    spelled = (
        special.get(character) or (escaped(character) if markdown.is_hidden(character) else character)
        for character in text
    )
    return f'"{"".join(spelled)}"'


def _kotlin(text: str) -> str:
    return _quoted(text, {**COMMON, "$": "\\$"}, lambda character: f"\\u{ord(character):04x}")


def _swift(text: str) -> str:
    return _quoted(text, COMMON, lambda character: f"\\u{{{ord(character):x}}}")


def _cpp(text: str) -> str:
    """Return a literal of UTF-8: three octal digits a byte, which no digit after them can join."""
    return _quoted(text, COMMON, lambda character: "".join(f"\\{byte:03o}" for byte in character.encode()))


def _decimal(number: float) -> str:
    """Return a number without an exponent, with a point: a literal in every language here."""
    spelled = format(Decimal(repr(number)), "f")
    return spelled if "." in spelled else f"{spelled}.0"
