"""Several worker processes on loopback: the same model as one worker, and a worker that dies and comes back."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from sasrec_train.errors import ConfigError
from sasrec_train.run import Run
from sasrec_train.training import distribute

pytestmark = [pytest.mark.tf, pytest.mark.slow]

TRAIN = (
    "train --data synthetic:items=80,users=120,mean_length=8 --max-len 6 --hidden-dim 8 --ffn-dim 8 "
    "--blocks 1 --loss sampled_softmax --negatives 20 --batch-size 128 --dropout 0"
)
ATOL = 1e-4  # Of the scores, which reach to ±12: sums are taken in another order.
PATIENCE_S = 240


def start(out: Path, *options: str, worker: int | None = None, ports: tuple[int, ...] = ()) -> subprocess.Popen:
    """Start the command as one of the workers, or alone."""
    environment = dict(os.environ)
    if worker is not None:
        cluster = {"worker": [f"localhost:{port}" for port in ports]}
        environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": worker}})
        options = ("--distribute", "multi-worker", *options)
    code = "import sys; from sasrec_export.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *TRAIN.split(), "--out", str(out), *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def free_ports() -> tuple[int, ...]:
    """Two ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(2)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = tuple(each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    return ports


def finish(*processes: subprocess.Popen) -> list[str]:
    """Wait for all to end well and return what they said on stderr."""
    said = []
    try:
        for process in processes:
            _, errors = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 0, errors
            said.append(errors)
    finally:
        for process in processes:
            process.kill()
    return said


def scores(run: Path) -> np.ndarray:
    loaded = Run.load(run)
    histories = np.arange(1, 61, dtype=np.int32).reshape(10, 6)
    return np.asarray(loaded.model().scores(histories))[:, 1:]


def test_two_workers_train_what_one_trains_on_the_same_batches(tmp_path):
    ports = free_ports()
    two = [start(tmp_path / "two", "--epochs", "2", worker=i, ports=ports) for i in range(2)]
    said = finish(*two, start(tmp_path / "one", "--epochs", "2"))
    assert "worker 1 is done; worker 0 writes" in said[1]
    np.testing.assert_allclose(scores(tmp_path / "two"), scores(tmp_path / "one"), rtol=0, atol=ATOL)


def test_two_workers_start_from_a_run_as_one_does(tmp_path):
    finish(start(tmp_path / "old", "--epochs", "1"))
    begin = ("--epochs", "2", "--init-from", str(tmp_path / "old"), "--stay-near", "0.1")
    ports = free_ports()
    two = [start(tmp_path / "two", *begin, worker=i, ports=ports) for i in range(2)]
    finish(*two, start(tmp_path / "one", *begin))
    np.testing.assert_allclose(scores(tmp_path / "two"), scores(tmp_path / "one"), rtol=0, atol=ATOL)


def test_a_worker_that_dies_and_comes_back_resumes(tmp_path):
    ports, out = free_ports(), tmp_path / "run"
    chief, dies = (start(out, "--epochs", "60", worker=i, ports=ports) for i in range(2))
    deadline = time.monotonic() + PATIENCE_S
    while not (tmp_path / "run.training" / "last.npz").exists():
        assert chief.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    dies.kill()
    dies.communicate()
    back = start(out, "--epochs", "60", "--resume", worker=1, ports=ports)
    said, _ = finish(chief, back)
    assert "worker 0 of 2 lost another worker" in said
    assert "This worker starts again, and waits for it." in said
    assert len((out / "history.csv").read_text().splitlines()) == 61


@pytest.mark.parametrize(
    "told",
    [
        "", "{", "[]", '{"cluster": {}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}',
    ],
)  # fmt: skip
def test_a_cluster_that_is_not_said_is_asked_for(told, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", told)
    with pytest.raises(ConfigError, match=r"TF_CONFIG is .*expected the cluster and this worker's index, such as"):
        distribute.connect()


def test_a_cluster_of_one_is_no_cluster(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}')
    assert distribute.connect() is distribute.ALONE
