"""The integration card: its Python runs as it stands, the rest parses in the grammar of its language."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from js import fixed
from sasrec_export import markdown
from sasrec_export.bundle import card
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden as golden_module

BUNDLE = Path(__file__).parents[2] / "golden" / "bundle_v1"
ODD_KEYS = [
    "plain",
    'a "quote"',
    "it's",
    "$dollar ${x}",
    "back\\slash",
    "tab\tbell\x07 feed\x0c",
    "\\(swift)",
    "日本語 é",
    "\\u0041 \\f \\n",
    "del\x7f nel\x85 1",
    "line\u2028paragraph\u2029",
    "turned \u202e back",
    "?\x011",
]
HOSTILE = [
    "`<img src=x onerror=alert(1)>`",
    "``` <script>alert(1)</script>",
    "``a``` `",
    "`",
    " ",
    "| a | b |",
    "[a](http://example.org) ![b](http://example.org/b.png) <http://example.org>",
    "line\n\n<b>bold</b>\r\n# heading",
    "nul\x00 escape\x1b]0;title\x07 \x1b[31mred",
    "&lt;b&gt; &amp; www.example.org a@example.org",
    "</code></pre><img src=x>",
    "*/ alert(1) /* \\",
    "]]>--><img src=x>",
]


def kotlin_text(literal: str) -> str:
    """What the body of a Kotlin literal stands for."""
    return json.loads(f'"{literal}"'.replace("\\$", "$"))


def swift_text(literal: str) -> str:
    """What the body of a Swift literal stands for."""
    spelled = re.sub(r"(\\\\)|\\u\{([0-9a-f]+)\}", lambda f: f[1] or f"\\u{int(f[2], 16):04x}", literal)
    return json.loads(f'"{spelled}"')


def cpp_text(literal: str) -> str:
    """What the body of a C++ literal stands for."""
    named = {"n": b"\n", "r": b"\r", "t": b"\t", '"': b'"', "\\": b"\\"}
    parts = re.findall(r"\\([0-7]{1,3})|\\(.)|([^\\])", literal)
    return b"".join(
        bytes([int(octal, 8)]) if octal else named[special] if special else other.encode()
        for octal, special, other in parts
    ).decode()


def written(bundle: Path = BUNDLE, *, variants: str = "", app: str | None = None, keys: list[str] | None = None) -> str:
    """Return the card of a bundle, of the variants whose name starts so, with other keys in its first case."""
    opened = Bundle.open(bundle)
    manifest, golden = opened.manifest, golden_module.read(opened)
    chosen = [variant for variant in manifest.variants if variant.name.startswith(variants)]
    report = json.loads((bundle / "report.json").read_bytes())
    if keys is not None:
        first = msgspec.structs.replace(golden.cases[0], history=keys)
        golden = msgspec.structs.replace(golden, cases=[first, *golden.cases[1:]])
    return card.write(msgspec.structs.replace(manifest, variants=chosen), golden, report, app=app)


def hostile_card(text: str) -> str:
    """A card in which every text from outside is this one; the paths, which the manifest restricts, are not."""
    opened = Bundle.open(BUNDLE)
    manifest, golden = opened.manifest, golden_module.read(opened)
    first, *others = manifest.variants
    name = first.name + text
    variant = msgspec.structs.replace(first, name=name, recipe=text, min_runtime_version=text)
    answers = golden.cases[0].answers
    answer = msgspec.structs.replace(answers[first.name], item_keys=[text] * len(answers[first.name].item_keys))
    case = msgspec.structs.replace(golden.cases[0], name=text, history=[text, text], answers={**answers, name: answer})
    manifest = msgspec.structs.replace(
        manifest,
        variants=[variant, *others],
        provenance=msgspec.structs.replace(manifest.provenance, data=text),
    )
    return card.write(manifest, msgspec.structs.replace(golden, cases=[case]), {"variants": []})


def rendered(text: str) -> list[Any]:
    """The tokens of Markdown, those within lines too."""
    markdown_it = pytest.importorskip("markdown_it")
    tokens = markdown_it.MarkdownIt("commonmark").enable("table").parse(text)
    return [inner for token in tokens for inner in (token, *(token.children or []))]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_is_read_as_markdown_or_html(text: str) -> None:
    tokens = rendered(hostile_card(text))
    kinds = [token.type for token in tokens if token.type not in ("text", "softbreak")]
    assert kinds == [token.type for token in rendered(hostile_card("plain")) if token.type not in ("text", "softbreak")]
    assert not {"html_inline", "html_block", "link_open", "image"} & set(kinds)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_comes_from_outside_is_shown_whole_with_hidden_characters_as_escapes(text: str) -> None:
    (heading,) = [token for token in rendered(hostile_card(text)) if token.type == "inline"][:1]
    (shown,) = [token.content for token in heading.children if token.type == "code_inline"]
    assert shown.strip(" ") == markdown.visible(text).strip(" ")
    assert not any(markdown.is_hidden(character) for character in hostile_card(text).replace("\n", ""))


def test_a_renderer_finds_a_live_tag() -> None:
    assert "html_inline" in [token.type for token in rendered("a <img src=x> b")]


@pytest.mark.parametrize("text", [*HOSTILE, *ODD_KEYS])
def test_the_python_of_the_card_holds_the_very_key(text: str) -> None:
    snippets = code(hostile_card(text), "python")
    for tree in map(ast.parse, snippets):
        assert [text, text] in [
            ast.literal_eval(node) for node in ast.walk(tree) if isinstance(node, ast.List) and node.elts
            and all(isinstance(part, ast.Constant) for part in node.elts)
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "spell"),
    [("kotlin", kotlin_text), ("swift", swift_text), ("cpp", cpp_text)],
    ids=["kotlin", "swift", "cpp"],
)
@pytest.mark.parametrize("text", [*HOSTILE, *ODD_KEYS])
def test_the_other_languages_hold_the_very_key(language: str, spell: Any, text: str) -> None:
    for snippet in code(written(keys=[text]), language):
        literals = re.findall(r'"((?:[^"\\]|\\.)*)"', snippet)
        assert text in [spell(literal) for literal in literals]


def code(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("variants", ["", "onnx-fp32", "onnx", "tflite"])
def test_the_python_of_the_card_runs(variants: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    if variants == "tflite":
        pytest.importorskip("ai_edge_litert")
    monkeypatch.chdir(BUNDLE)
    snippets = code(written(variants=variants), "python")
    assert len(snippets) == (1 if variants == "tflite" else 2)
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), {})
    assert capsys.readouterr().out


def test_the_python_of_a_bundle_of_fixed_shapes_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed.tiny_fixed(tmp_path / "bundle")
    opened = Bundle.open(tmp_path / "bundle")
    text = card.write(opened.manifest, golden_module.read(opened), {"variants": []})
    monkeypatch.chdir(tmp_path / "bundle")
    exec(compile(code(text, "python")[1], "README.md", "exec"), {})


def test_the_python_of_the_card_finds_a_changed_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BUNDLE)
    snippet = code(written(), "python")[1]
    wrong = re.sub(r"EXPECTED = \[", "EXPECTED = [9.0 + ", snippet)
    with pytest.raises(AssertionError):
        exec(compile(wrong, "README.md", "exec"), {})


GRAMMARS = [("kotlin", "tree_sitter_kotlin", 2), ("swift", "tree_sitter_swift", 2), ("cpp", "tree_sitter_cpp", 1)]


def parses(language: str, module: str, source: str) -> bool:
    grammar = pytest.importorskip(module)
    tree_sitter = pytest.importorskip("tree_sitter")
    tree = tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse(source.encode())
    return not tree.root_node.has_error


@pytest.mark.parametrize(("language", "module", "count"), GRAMMARS)
@pytest.mark.parametrize("keys", [None, ODD_KEYS, []], ids=["its own keys", "odd keys", "no keys"])
def test_the_other_languages_parse(language: str, module: str, count: int, keys: list[str] | None) -> None:
    snippets = code(written(keys=keys), language)
    assert len(snippets) == count
    for snippet in snippets:
        assert parses(language, module, snippet), snippet


@pytest.mark.parametrize(("language", "module", "count"), GRAMMARS)
def test_the_grammar_finds_a_broken_snippet(language: str, module: str, count: int) -> None:
    for snippet in code(written(), language):
        assert not parses(language, module, snippet.replace("(", "", 1))


@pytest.mark.parametrize("language", ["kotlin", "swift", "cpp"])
def test_each_snippet_holds_the_numbers_of_the_bundle(language: str) -> None:
    opened = Bundle.open(BUNDLE)
    case = golden_module.read(opened).cases[0]
    for snippet in code(written(), language):
        runtime = "tflite" if "model.tflite" in snippet else "onnx"
        variant = next(variant for variant in opened.manifest.variants if variant.runtime == runtime)
        assert variant.entries["recommend"] in snippet
        assert str(case.answers[variant.name].scores[0]) in snippet
        assert all(f'"{key}"' in snippet for key in case.history)


@pytest.mark.parametrize(
    ("app", "variants", "languages"),
    [
        ("android", "tflite-wi8", ["kotlin"]),
        ("android", "onnx-wi8", ["kotlin"]),
        ("ios", "tflite-wi8", ["swift"]),
        ("ios", "onnx-wi8", ["swift"]),
        ("web", "onnx-wi8", ["javascript"]),
    ],
)
def test_the_card_of_an_app_speaks_its_language_only(app: str, variants: str, languages: list[str]) -> None:
    text = written(variants=variants, app=app)
    assert sorted(set(re.findall(r"^```(\w+)$", text, re.MULTILINE))) == languages


def test_the_card_ends_with_one_line_feed_and_leaves_no_gap() -> None:
    text = written()
    assert "\n\n\n" not in text
    assert re.search(r"[^\n]\n\Z", text)
