"""Fixtures of the training tests."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

DATA = Path(os.environ.get("SASREC_EDGE_DATA") or Path(__file__).parents[3] / "shared" / "data")
"""The folder of the real logs, which are not part of the project."""


@pytest.fixture
def shared_data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} does not exist: set SASREC_EDGE_DATA to the folder of the real logs")
    return DATA


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


@pytest.fixture
def log(tmp_path: Path):
    """Write a file and return its path: log("a.csv", "user,item\\n…")."""

    def write(name: str, text: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write
