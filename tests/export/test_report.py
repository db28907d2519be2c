"""The figures of the report: by hand where they fit, and end to end."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from sasrec_export.report import quality, render
from sasrec_export.report.log import held_out_of, shown_name
from sasrec_export.report.quality import NOT_LISTED, Lists
from sasrec_train.split import SplitConfig, split

LISTS = Lists(
    items=np.array([[5, 2, 9], [4, 1, 3], [7, 0, 0]], np.int32),
    scores=np.array([[3.0, 2.0, 1.0], [1.5, 1.5, 0.5], [0.1, -np.inf, -np.inf]], np.float32),
)


def test_the_rank_is_the_place_in_the_list() -> None:
    assert quality.ranks(LISTS, np.array([9, 3, 7])).tolist() == [2, 2, 0]


def test_a_tied_target_takes_the_worst_of_the_tied_places() -> None:
    assert quality.ranks(LISTS, np.array([5, 4, 7])).tolist() == [0, 1, 0]


def test_a_target_outside_the_list_is_not_ranked() -> None:
    assert quality.ranks(LISTS, np.array([1, 2, 3])).tolist() == [NOT_LISTED] * 3


def test_overlap_is_the_share_of_the_reference() -> None:
    other = Lists(items=np.array([[2, 5, 1], [4, 1, 3], [8, 0, 0]], np.int32), scores=LISTS.scores)
    # 2 of 3, 3 of 3, 0 of the 1 item that the reference lists.
    assert quality.overlap(other, LISTS, k=3) == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_a_log_is_called_by_its_file_name_not_by_its_place() -> None:
    assert shown_name(SimpleNamespace(name="home/somebody/logs/games.txt")) == "games.txt"
    assert shown_name(SimpleNamespace(name="synthetic:items=9")) == "synthetic:items=9"


def test_lists_of_a_batch_keep_the_order_of_the_users() -> None:
    from sasrec_train.interactions import Histories
    from sasrec_train.split import HeldOut

    histories = Histories.from_lists([[3] * (1 + user % 7) + [user + 1] for user in range(150)])
    held_out = HeldOut(np.arange(150), histories, np.ones(150, np.int32))
    echo = SimpleNamespace(recommend=lambda history, exclude, k: (history[:, -1:], history[:, -1:].astype(np.float32)))
    assert quality.recommend_all(echo, held_out, k=1).items[:, 0].tolist() == list(range(1, 151))


@pytest.mark.tf
@pytest.mark.xdist_group("export")
class TestEndToEnd:
    """On the bundle of the export tests."""

    def test_the_report_agrees_with_the_evaluation_of_the_network(self, exported, run) -> None:
        _, report = exported
        fp32 = next(row for row in report["variants"] if row["name"] == "onnx-fp32")
        for name in ("hr@10", "ndcg@10", "mrr@10", "hr@1"):
            assert fp32[name] == pytest.approx(run.metrics["full"][name], abs=1e-9)

    def test_the_report_of_the_log_equals_that_of_the_export(self, exported, runner, tmp_path) -> None:
        from sasrec_export.cli import main

        bundle, report = exported
        log = "synthetic:items=140,users=150,mean_length=18,seed=3"
        out = tmp_path / "report"
        result = runner.invoke(main, ["report", str(bundle.path), "--data", log, "--out", str(out), "--json"])
        assert result.exit_code == 0, result.output
        again = json.loads(result.stdout)
        assert again == json.loads((out / "report.json").read_text())
        for ours, theirs in zip(again["variants"], report["variants"], strict=True):
            assert {k: v for k, v in ours.items() if not k.endswith("_ms")} == {
                k: v for k, v in theirs.items() if not k.endswith("_ms")
            }

    def test_a_report_splits_as_it_is_asked_and_says_where_the_training_did_not(self, bundle, run) -> None:
        log = replace(run.interactions, times=np.arange(run.interactions.histories.item_ids.size))
        config = SplitConfig(kind="temporal", test_share=0.5)
        said: list[str] = []
        held_out = held_out_of(log, bundle, split_config=config, say=said.append)
        expected = split(log, config).apply(log.histories).test
        assert held_out.users.tolist() == expected.users.tolist()
        assert held_out.targets.tolist() == expected.targets.tolist()
        assert held_out.histories.item_ids.tolist() == expected.histories.item_ids.tolist()
        (note,) = said
        assert "trained with --split leave-one-out, this report judges with --split temporal" in note
        assert "--validation-share 0.1 --test-share 0.5: it may have learned from the test items" in note

    def test_a_report_on_the_split_of_the_training_says_nothing_of_it(self, bundle, run) -> None:
        said: list[str] = []
        assert held_out_of(run.interactions, bundle, say=said.append).users.size == run.split().test.users.size
        assert said == []

    def test_a_log_of_other_items_is_refused(self, bundle, runner, tmp_path) -> None:
        from sasrec_export.cli import main

        log = tmp_path / "log.csv"
        log.write_text("user,item\n" + "".join(f"u,alien{i}\n" for i in range(5)))
        result = runner.invoke(main, ["report", str(bundle.path), "--data", str(log)])
        assert result.exit_code == 1
        assert "none of its 1 held-out items is in the bundle's vocabulary" in result.stderr

    def test_the_page_shows_every_variant_and_fetches_nothing(self, exported) -> None:
        _, report = exported
        page = render.html(report)
        assert all(f"<td>{row['name']}</td>" in page for row in report["variants"])
        assert "http" not in page
        assert "<script" not in page
