"""The figures of the report: by hand where they fit, and end to end."""

import json
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sasrec_export.cli import main
from sasrec_export.report import schema
from sasrec_export.report.measure import build_report, ranking
from sasrec_export.report.measure.evaluation_set import evaluation_set_of_log, evaluation_set_of_run, shown_name
from sasrec_export.report.measure.ranking import NOT_LISTED, Lists
from sasrec_export.report.show import html
from sasrec_runtime.engines import installed
from sasrec_runtime.errors import MissingRuntimeError
from sasrec_train.split import SplitConfig, split

LOG = "synthetic:items=140,users=150,mean_length=18,seed=3"
FLEETING = ("_ms", "_memory_bytes")

LISTS = Lists(
    items=np.array([[5, 2, 9], [4, 1, 3], [7, 0, 0]], np.int32),
    scores=np.array([[3.0, 2.0, 1.0], [1.5, 1.5, 0.5], [0.1, -np.inf, -np.inf]], np.float32),
)


def test_the_rank_is_the_place_in_the_list() -> None:
    assert ranking.ranks(LISTS, np.array([9, 3, 7])).tolist() == [2, 2, 0]


def test_a_tied_target_takes_the_worst_of_the_tied_places() -> None:
    assert ranking.ranks(LISTS, np.array([5, 4, 7])).tolist() == [0, 1, 0]


def test_a_target_outside_the_list_is_not_ranked() -> None:
    assert ranking.ranks(LISTS, np.array([1, 2, 3])).tolist() == [NOT_LISTED] * 3


def test_users_with_two_equal_scores_among_the_first_are_tied() -> None:
    # The second list has equal scores in places 1 and 2; the third has but one item.
    assert ranking.tied(LISTS, k=3) == pytest.approx(1 / 3)


def test_a_log_is_called_by_its_file_name_not_by_its_place() -> None:
    assert shown_name(SimpleNamespace(name="home/somebody/logs/games.txt")) == "games.txt"
    assert shown_name(SimpleNamespace(name="synthetic:items=9")) == "synthetic:items=9"


@pytest.mark.parametrize(("out", "relation"), [("b", "is read and to be"), ("b/report", "lies in"), (".", "holds")])
def test_the_bundle_that_is_measured_is_never_replaced(runner, tmp_path, out, relation) -> None:
    shutil.copytree(Path(__file__).parents[2] / "golden" / "bundle_v2", tmp_path / "b")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    arguments = ["report", str(tmp_path / "b"), "--data", LOG, "--out", str(tmp_path / out), "--force"]
    result = runner.invoke(main, arguments)
    assert result.exit_code == 1
    assert re.search(rf" {relation} .*\. Choose another --out", result.stderr)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_log_that_is_measured_on_is_never_replaced(runner, tmp_path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "log.txt").write_text("1 1\n")
    arguments = ["report", str(tmp_path / "b"), "--data", str(tmp_path / "report" / "log.txt")]
    result = runner.invoke(main, [*arguments, "--out", str(tmp_path / "report"), "--force"])
    assert result.exit_code == 1
    assert "log.txt, which is read" in result.stderr


def test_lists_of_a_batch_keep_the_order_of_the_users() -> None:
    from sasrec_train.log.interactions import Histories
    from sasrec_train.split import HeldOut

    histories = Histories.from_lists([[3] * (1 + user % 7) + [user + 1] for user in range(150)])
    held_out = HeldOut(np.arange(150), histories, np.ones(150, np.int32))
    echo = SimpleNamespace(recommend=lambda history, exclude, k: (history[:, -1:], history[:, -1:].astype(np.float32)))
    assert ranking.recommend_all(echo, held_out, k=1).items[:, 0].tolist() == list(range(1, 151))


def _row(run, place: int) -> int:
    """Row of the test users that is at that place of the log, from 1."""
    return run.split().test.users.tolist().index(place - 1)


def _lasting(row: dict) -> dict:
    """What must be equal when a variant is measured again: all but times and memory."""
    return {key: value for key, value in row.items() if not key.endswith(FLEETING)}


@pytest.mark.tf
class TestEndToEnd:
    """On the bundle of the export tests."""

    def test_the_report_agrees_with_the_evaluation_of_the_network(self, exported, run) -> None:
        _, report = exported
        fp32 = report.variant("onnx-fp32")
        for name in ("hr@10", "ndcg@10", "mrr@10", "hr@1"):
            assert fp32.metric(name) == pytest.approx(run.metrics["full"][name], abs=1e-9)

    def test_the_report_of_the_log_equals_that_of_the_export(self, reported, exported) -> None:
        _, report = exported
        again = json.loads((reported / "report.json").read_text())
        for ours, theirs in zip(again["variants"], schema.plain(report)["variants"], strict=True):
            ours.pop("worst_users", None)
            assert _lasting(ours) == _lasting(theirs)

    def test_the_same_report_twice_gives_the_same_numbers(self, reported, exported, runner) -> None:
        bundle, _ = exported
        result = runner.invoke(main, ["report", str(bundle.path), "--data", LOG, "--json"])
        assert result.exit_code == 0, result.output
        again, first = json.loads(result.stdout), json.loads((reported / "report.json").read_text())
        assert again["sensitivity"] == first["sensitivity"]
        assert [_lasting(row) for row in again["variants"]] == [_lasting(row) for row in first["variants"]]

    def test_a_report_inside_a_bundle_shows_nobodys_history(self, exported) -> None:
        bundle, _ = exported
        inside = json.loads((bundle.path / "report.json").read_text())
        assert [row.get("worst_users", []) for row in inside["variants"]] == [[]] * len(inside["variants"])

    def test_a_report_on_a_sample_says_of_how_many_users_and_by_which_seed(self, bundle, runner) -> None:
        command = ["report", str(bundle.path), "--data", LOG, "--users", "40", "--seed", "5"]
        result = runner.invoke(main, command)
        assert result.exit_code == 0, result.output
        assert "40 of 149 users (seed 5)" in result.stdout

    def test_a_budget_that_nothing_meets_ends_with_exit_code_3(self, bundle, runner) -> None:
        command = ["report", str(bundle.path), "--data", LOG, "--users", "20", "--max-mb", "0.001", "--markdown"]
        result = runner.invoke(main, command)
        assert result.exit_code == 3
        assert result.stdout.startswith("**Ship none of them")

    def test_the_users_who_lost_most_are_not_named(self, reported, run) -> None:
        written = json.loads((reported / "report.json").read_text())
        users = [user for row in written["variants"] for user in row.get("worst_users", [])]
        keys = set(run.interactions.user_keys)
        assert users
        for user in users:
            assert user["user"] == f"row {user['row']}"
            assert user["history_length"] == len(run.split().test.histories[_row(run, user["row"])])
            assert not keys & {user["user"]}
        assert "of the log: " in (reported / "report.html").read_text()

    def test_the_users_who_lost_most_are_named_where_that_is_asked_for(self, bundle, run, runner) -> None:
        command = ["report", str(bundle.path), "--data", LOG, "--users", "40", "--name-users", "--json"]
        result = runner.invoke(main, command)
        assert result.exit_code == 0, result.output
        rows = json.loads(result.stdout)["variants"]
        users = [user for row in rows for user in row.get("worst_users", [])]
        assert users
        assert {user["user"] for user in users} <= set(run.interactions.user_keys)
        assert {user["row"] for user in users} == {None}

    def test_a_log_with_telling_keys_leaves_none_of_them_in_a_report(self, bundle, run, runner, tmp_path) -> None:
        log = tmp_path / "somebodys folder" / "log.csv"
        log.parent.mkdir()
        interactions = run.interactions
        lines = [
            f"person{user}@example.org,{interactions.item_keys[item_id - 1]}\n"
            for user, history in enumerate(interactions.histories)
            for item_id in history
        ]
        log.write_text("user,item\n" + "".join(lines))
        out = tmp_path / "report"
        command = ["report", str(bundle.path), "--data", str(log), "--users", "40", "--out", str(out)]
        result = runner.invoke(main, command)
        assert result.exit_code == 0, result.output
        texts = [path.read_text() for path in out.iterdir()]
        texts += [bundle.file(name).read_text() for name in ("README.md", "report.json", "report.html", "golden.json")]
        place, host = str(tmp_path.parent), socket.gethostname()
        for text in texts:
            assert "example.org" not in text
            assert place not in text
            assert str(bundle.path.parent) not in text
            assert re.search(rf"\b{re.escape(host)}\b", text) is None

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            (["--seed", "-1"], "-1 is not in the range"),
            (["--max-mb", "nan"], "nan is not a finite number"),
            (["--max-mb", "inf"], "inf is not a finite number"),
            (["--max-p99-ms", "nan"], "nan is not a finite number"),
            (["--max-p99-ms", "-2"], "-2.0 is not in the range"),
            (["--max-ndcg-drop", "nan%"], "expected per cent from 0% to 100%"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_an_option_outside_its_range_is_refused(self, bundle, runner, option, message) -> None:
        result = runner.invoke(main, ["report", str(bundle.path), "--data", LOG, *option])
        assert result.exit_code == 2
        assert message in result.stderr

    def test_a_drop_without_a_per_cent_sign_is_refused(self, bundle, runner) -> None:
        result = runner.invoke(main, ["report", str(bundle.path), "--data", LOG, "--max-ndcg-drop", "0.5"])
        assert result.exit_code == 2
        assert "'0.5' is not a share, expected per cent from 0% to 100%, such as 0.5%." in result.stderr

    def test_an_unknown_variant_to_compare_with_is_refused(self, bundle, runner) -> None:
        result = runner.invoke(main, ["report", str(bundle.path), "--data", LOG, "--against", "onnx-fp23"])
        assert result.exit_code == 1
        assert "--against is 'onnx-fp23', expected a recipe or one of the variants" in result.stderr

    def test_two_reports_are_compared_without_a_bundle(self, reported, runner) -> None:
        path = str(reported / "report.json")
        result = runner.invoke(main, ["report", "--compare", path, path])
        assert result.exit_code == 0, result.output
        assert "Verdict now: Ship" in result.stdout

    def test_the_table_ends_with_the_verdict_and_the_place_of_the_page(self, reported_output, reported) -> None:
        *_, verdict, place = reported_output.splitlines()
        assert verdict.startswith("Ship ")
        assert place == f"Report: {reported / 'report.html'}"

    def test_a_variant_whose_engine_is_missing_is_listed_with_the_reason(self, bundle, run, monkeypatch) -> None:
        load = installed.load_runtime

        def without_litert(variant, submodule=""):
            if variant.runtime == "tflite":
                raise MissingRuntimeError("LiteRT is not here.")
            return load(variant, submodule)

        monkeypatch.setattr(installed, "load_runtime", without_litert)
        report = build_report.build_report(bundle, evaluation_set_of_run(run, run.split()), users=20, detail=False)
        assert {row.runtime for row in report.variants} == {"onnx"}
        assert {row.reason for row in report.not_measured} == {"not measured: LiteRT is not here."}

    def test_a_report_needs_no_tensorflow(self, bundle) -> None:
        code = (
            "import sys\n"
            "from sasrec_export.cli import main\n"
            f"main(['report', {str(bundle.path)!r}, '--data', {LOG!r}, '--users', '20'], standalone_mode=False)\n"
            "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    def test_a_report_splits_as_it_is_asked_and_says_where_the_training_did_not(self, bundle, run) -> None:
        timed = replace(run.interactions, times=np.arange(run.interactions.histories.item_ids.size))
        config = SplitConfig(kind="temporal", test_share=0.5)
        said: list[str] = []
        held_out = evaluation_set_of_log(timed, bundle, split_config=config, say=said.append).held_out
        expected = split(timed, config).apply(timed.histories).test
        assert held_out.users.tolist() == expected.users.tolist()
        assert held_out.targets.tolist() == expected.targets.tolist()
        assert held_out.histories.item_ids.tolist() == expected.histories.item_ids.tolist()
        (note,) = said
        assert "trained with --split leave-one-out, this report evaluates with --split temporal" in note
        assert "--validation-share 0.1 --test-share 0.5: it may have learned from the test items" in note

    def test_a_report_on_the_split_of_the_training_says_nothing_of_it(self, bundle, run) -> None:
        said: list[str] = []
        evaluation_set = evaluation_set_of_log(run.interactions, bundle, say=said.append)
        assert evaluation_set.held_out.users.size == run.split().test.users.size
        assert said == []

    def test_the_page_shows_every_variant_and_fetches_nothing(self, exported) -> None:
        _, report = exported
        shown = html.html(report)
        assert all(f"<td>{row.name}</td>" in shown for row in report.variants)
        assert "http" not in shown
        assert "<script" not in shown

    def test_a_log_of_other_items_is_refused(self, bundle, runner, tmp_path) -> None:
        alien = tmp_path / "log.csv"
        alien.write_text("user,item\n" + "".join(f"u,alien{i}\n" for i in range(5)))
        result = runner.invoke(main, ["report", str(bundle.path), "--data", str(alien)])
        assert result.exit_code == 1
        assert "none of its 1 held-out items is in the bundle's vocabulary" in result.stderr
