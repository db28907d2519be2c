"""Held-out items of one's own."""

import sys

import pytest

from sasrec_train import datasets


def test_each_user_is_asked_for_the_first_later_item_that_is_known(example, write_log, tmp_path) -> None:
    log = datasets.load(str(write_log("before.csv", times=range(10))))
    (tmp_path / "after.csv").write_text("user,item,time\nu3,new,1\nu3,i7,2\nu3,i8,3\nstranger,i1,1\nu4,new,1\n")
    asked = example("custom_split").held_out(log, datasets.load(str(tmp_path / "after.csv")))
    assert [log.user_keys[row] for row in asked.users] == ["u3"]
    assert [log.item_keys[item_id - 1] for item_id in asked.targets] == ["i7"]
    assert len(asked.histories[0]) == 10


@pytest.mark.tf
@pytest.mark.slow
def test_it_prints_the_metrics_of_the_network_and_of_popularity(example, write_log, monkeypatch, capsys) -> None:
    pytest.importorskip("tensorflow")
    before, after = write_log("before.csv", times=range(10)), write_log("after.csv", times=range(10, 12))
    monkeypatch.setattr(sys, "argv", ["custom_split.py", str(before), str(after), "--epochs", "1"])
    example("custom_split").main()
    counts, _, model, popularity = capsys.readouterr().out.splitlines()[-4:]
    assert counts == "30 users are asked for a later item, 25 items in the catalogue"
    assert model.startswith("model ")
    assert popularity.startswith("popularity ")
    assert all(0 <= float(value) <= 1 for line in (model, popularity) for value in line.split()[1:])


def test_logs_of_other_users_end_in_a_sentence(example, write_log, tmp_path, monkeypatch) -> None:
    (tmp_path / "after.csv").write_text("user,item\nstranger,i1\n")
    before = write_log("before.csv", times=range(10))
    monkeypatch.setattr(sys, "argv", ["custom_split.py", str(before), str(tmp_path / "after.csv")])
    with pytest.raises(SystemExit, match="nothing to judge"):
        example("custom_split").main()
