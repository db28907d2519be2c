"""What a training shows while it runs: a line for each epoch, and a bar where somebody watches."""

import io
import sys

import pytest

from sasrec_train.cli import console
from sasrec_train.training.state import Epoch, Step

pytest.importorskip("rich")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def epoch(number: int) -> Epoch:
    metrics = {"ndcg@10": 0.25, "hr@10": 0.5}
    return Epoch(epoch=number, total=2, loss=1.0, validation=metrics, seconds=2.0, validation_seconds=0.5)


def shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, *, plain: bool = False) -> str:
    """Return what two epochs of four steps show on stderr."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with console.progress(plain=plain) as training:
        for number in range(1, 9):
            if training.step is not None:
                training.step(Step(step=number, total=8, epoch=(number + 3) // 4, epochs=2))
            if number % 4 == 0:
                training.epoch(epoch(number // 4))
    return stream.getvalue()


def test_a_terminal_gets_every_epoch_as_a_line_that_stays(monkeypatch) -> None:
    lines = shown(monkeypatch, Terminal()).replace("\x1b[2K", "").replace("\r", "\n").splitlines()
    for number in (1, 2):
        line = f"epoch {number}/2  loss 1.0000  validation HR@10 0.5000  NDCG@10 0.2500  2.5 s"
        assert line in lines
        assert len(line) <= 80


def test_a_terminal_gets_a_bar_with_the_time_left(monkeypatch) -> None:
    said = shown(monkeypatch, Terminal())
    assert "epoch 2/2 " in said
    assert "100 %, left" in said


def test_the_bar_says_when_the_test_items_are_measured(monkeypatch) -> None:
    assert "measuring on the test items" in shown(monkeypatch, Terminal())


@pytest.mark.parametrize(("stream", "plain"), [(io.StringIO(), False), (Terminal(), True)], ids=["a pipe", "plain"])
def test_without_a_watcher_there_are_lines_alone(monkeypatch, stream, plain) -> None:
    said = shown(monkeypatch, stream, plain=plain)
    assert "\x1b" not in said
    assert len(said.splitlines()) == 2
