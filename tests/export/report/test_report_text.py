"""The report as a table, as Markdown, as JSON, and beside an older one."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sasrec_export import markdown
from sasrec_export.errors import ExportError
from sasrec_export.report import formatting, schema
from sasrec_export.report.schema import Change, Report
from sasrec_export.report.show import compare, html, plots, text

pytestmark = pytest.mark.tf


@pytest.fixture
def report(exported: Any) -> Report:
    found: Report = exported[1]
    return found


def replaced(report: Report, **fields: Any) -> Report:
    """The report with other fields of its first variant."""
    first, *others = report.variants
    return msgspec.structs.replace(report, variants=[msgspec.structs.replace(first, **fields), *others])


def test_the_table_has_a_line_per_variant_and_ends_with_the_verdict(report: Report) -> None:
    lines = text.table(report).splitlines()
    assert [line.split()[0] for line in lines[2 : 2 + len(report.variants)]] == [row.name for row in report.variants]
    assert lines[-1] == report.verdict.sentence


def test_the_table_is_at_most_110_columns_wide(report: Report) -> None:
    assert max(map(len, text.table(report).splitlines()[1:-1])) <= 110


def test_markdown_begins_with_the_verdict_and_has_a_table(report: Report) -> None:
    lines = text.markdown(report).splitlines()
    assert lines[0] == f"**{report.verdict.sentence}**"
    assert lines[2].count("|") == lines[3].count("|") == lines[4].count("|")


def test_a_report_reads_back_as_it_was_written(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(schema.encode(report))
    assert schema.decode(path) == report


def test_the_keys_of_the_first_version_are_still_there(report: Report) -> None:
    row = schema.plain(report)["variants"][0]
    kept = {"name", "runtime", "recipe", "hr@10", "ndcg@10", "mrr@10", "overlap@10", "bytes", "load_ms",
            "latency_p50_ms", "latency_p99_ms", "min_runtime_version"}  # fmt: skip
    assert kept <= row.keys()


def test_json_has_no_number_that_json_does_not_know(report: Report) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} in report.json")

    json.loads(schema.encode(report), parse_constant=refuse)


def test_a_report_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text('{"output_version": 1, "variants": []}')
    with pytest.raises(ExportError, match=r"report_version is 1, expected 2\. Measure again"):
        schema.decode(path)


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text('{"report_version": 2}')
    with pytest.raises(ExportError, match=r"is not a report\.json"):
        schema.decode(path)


def test_a_comparison_shows_what_changed_and_leaves_alone_what_did_not(report: Report) -> None:
    newer = replaced(report, ndcg_10=0.5, bytes=2 * report.variants[0].bytes)
    _, first, second, *_ = compare.render(report, newer).splitlines()
    assert "→ 0.5000" in first
    assert "(+100.0 %)" in first
    assert "→" not in second


def test_a_comparison_names_variants_that_came_and_went(report: Report) -> None:
    older = msgspec.structs.replace(report, variants=report.variants[:-1])
    newer = msgspec.structs.replace(report, variants=report.variants[1:])
    text = compare.render(older, newer)
    assert f"{report.variants[0].name} (gone)" in text
    assert f"{report.variants[-1].name} (new)" in text


def test_a_comparison_of_other_users_says_so(report: Report) -> None:
    newer = msgspec.structs.replace(report, users=7)
    assert f"Not the same measurement: users was {report.users}, is 7." in compare.render(report, newer)


def test_a_comparison_in_json_has_old_and_new(report: Report) -> None:
    found = compare.plain(report, replaced(report, ndcg_10=0.5))
    assert found["variants"][0]["ndcg@10"] == {"old": report.variants[0].ndcg_10, "new": 0.5}


@pytest.mark.parametrize(
    ("value", "shown"), [(0.00004, "0.0000"), (-0.0002, "−0.0002"), (0.0002, "+0.0002"), (None, "–")]
)
def test_a_difference_has_a_sign_unless_it_is_shown_as_nothing(value: float | None, shown: str) -> None:
    assert formatting.signed(value) == shown


@pytest.mark.parametrize(("size", "shown"), [(999_949, "1,000 kB"), (1_883_058, "1.88 MB"), (25_600_000, "25.6 MB")])
def test_sizes_are_in_powers_of_a_thousand(size: int, shown: str) -> None:
    assert formatting.size(size) == shown


def test_the_pareto_front_holds_what_nothing_beats_in_both() -> None:
    points = [(1.0, 0.1), (2.0, 0.3), (3.0, 0.2), (4.0, 0.4), (1.0, 0.05)]
    assert plots._pareto(points) == [(1.0, 0.1), (2.0, 0.3), (4.0, 0.4)]


def test_equal_reports_give_equal_pictures_that_share_no_id(report: Report) -> None:
    drawn = plots.draw(report)
    assert drawn == plots.draw(report)
    ids = [part.split('"')[0] for picture in drawn for part in picture.svg.split('id="')[1:]]
    assert len(ids) == len(set(ids))


def test_pictures_take_their_colours_from_the_page(report: Report) -> None:
    for picture in plots.draw(report):
        assert "var(--ink)" in picture.svg
        assert not set(plots.COLOURS) & set(picture.svg.split())


def test_a_report_without_a_reference_has_a_page(report: Report) -> None:
    def alone(buckets: list[schema.Bucket]) -> list[schema.Bucket]:
        return [msgspec.structs.replace(bucket, overlap=None, difference={}) for bucket in buckets]

    bare = [
        msgspec.structs.replace(
            row,
            difference={},
            score_error=None,
            by_target_count=alone(row.by_target_count),
            by_history_length=alone(row.by_history_length),
        )
        for row in report.variants
    ]
    shown = html.html(msgspec.structs.replace(report, reference=None, variants=bare))
    assert "no fp32 variant to compare with" in shown


HOSTILE = [
    "`<img src=x onerror=alert(1)>`",
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    "</title></style><svg onload=alert(1)>",
    "[a](http://example.org) ![b](http://example.org/b.png) <http://example.org>",
    "| a | b |\n\n# heading",
    "nul\x00 escape\x1b]0;title\x07 \x1b[31mred \r \u202e back \x9b31m",
    "$\\mathdefault{x}$ $x^2",
    "&lt;b&gt; {{ 7 * 7 }} {% raw %}",
]


def hostile(report: Report, text: str) -> Report:
    """The report of a bundle and a log in which every text from outside is this one."""
    item = schema.ListedItem(key=text, title=text, score=1.0, held_out=True)
    user = schema.WorstUser(
        user=text, history_length=1, history=[item], held_out=item, ndcg_lost=0.5, overlap=0.5, variant=[item],
        reference=[item],
    )  # fmt: skip
    row = schema.RowError(item_id=1, key=text, title=text, error=1.0, relative=0.5, suspect=True)
    first = report.variants[0]
    name = first.name + text
    verdict = schema.Verdict(
        ship=name, sentence=f"Ship {name}: here.", budget=report.verdict.budget,
        passed_over=[schema.PassedOver(name=text, fits=False, reason=text)],
    )  # fmt: skip
    variant = msgspec.structs.replace(
        first, name=name, recipe=text, min_runtime_version=text, operators={text: 2}, rows=[row], worst_users=[user]
    )
    return msgspec.structs.replace(
        report, data=text, protocol=text, machine=text, variants=[variant, *report.variants[1:]], verdict=verdict,
        not_measured=[schema.NotMeasured(name=text, reason=text)],
    )  # fmt: skip


class Tags(HTMLParser):
    """The tags of a page, in order, with their attributes but the words for people and the figures' paths."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


def outside_pictures(text: str) -> str:
    return re.sub(r"<svg.*?</svg>", "<svg></svg>", text, flags=re.DOTALL)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_is_live_on_the_page(report: Report, text: str) -> None:
    shown = html.html(hostile(report, text))
    tags = Tags(outside_pictures(shown)).found
    assert tags == Tags(outside_pictures(html.html(hostile(report, "plain")))).found
    every = Tags(shown).found
    assert not {"script", "img", "iframe", "object"} & {tag for tag, _ in every}
    assert not [name for _, names in every for name in names if name.startswith("on")]
    assert not any(markdown.is_hidden(character) for character in shown.replace("\n", ""))


def test_a_live_tag_on_the_page_would_be_found(report: Report) -> None:
    shown = html.html(report).replace("</h1>", "</h1><img src=x onerror=alert(1)>")
    assert ("img", ("src", "onerror")) in Tags(shown).found


@pytest.mark.parametrize("from_outside", HOSTILE)
def test_nothing_from_outside_reaches_a_terminal(report: Report, from_outside: str) -> None:
    damaged = hostile(report, from_outside)
    for shown in (text.table(damaged), compare.render(report, damaged), compare.render(damaged, report)):
        assert not any(markdown.is_hidden(character) for character in shown.replace("\n", ""))
    assert len(text.table(damaged).splitlines()) == len(text.table(hostile(report, "plain")).splitlines())


@pytest.mark.parametrize("from_outside", HOSTILE)
def test_nothing_from_outside_is_live_in_markdown(report: Report, from_outside: str) -> None:
    def kinds(shown: str) -> list[str]:
        markdown_it = pytest.importorskip("markdown_it")
        tokens = markdown_it.MarkdownIt("commonmark").enable("table").parse(shown)
        inner = [part for token in tokens for part in (token, *(token.children or []))]
        return [token.type for token in inner if token.type not in ("text", "text_special")]

    plain = hostile(report, "plain")
    assert kinds(text.markdown(hostile(report, from_outside))) == kinds(text.markdown(plain))
    theirs, ours = (compare.render(report, other, markdown=True) for other in (hostile(report, from_outside), plain))
    assert kinds(theirs) == kinds(ours)


def test_a_report_that_named_its_users_still_reads(report: Report, tmp_path: Path) -> None:
    written = schema.plain(hostile(report, "alice"))
    for user in written["variants"][0]["worst_users"]:
        del user["row"]  # as reports before it had none
    path = tmp_path / "report.json"
    path.write_text(json.dumps(written))
    assert schema.decode(path).variants[0].worst_users[0].user == "alice"
    assert compare.render(schema.decode(path), report)


def test_an_interval_is_shown_beside_its_difference() -> None:
    assert formatting.change(Change(value=-0.001, low=-0.002, high=0.0)) == "−0.0010 [−0.0020, 0.0000]"
