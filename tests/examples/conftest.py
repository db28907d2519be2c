"""Fixtures of the examples: each script as a module, and a small log as a CSV."""

import importlib.util
import os
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def example() -> Callable[[str], ModuleType]:
    """Load a script of examples/ without running its main: example("serve_http")."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def write_log(tmp_path: Path) -> Callable[..., Path]:
    """Write a CSV of 30 users who each walk through 25 items in order, from a place of their own."""

    def write(name: str, *, times: range, items: int = 25) -> Path:
        rng = random.Random(0)
        starts = [rng.randrange(items) for _ in range(30)]
        rows = [f"u{user},i{(start + time) % items},{time}" for user, start in enumerate(starts) for time in times]
        path = tmp_path / name
        path.write_text("user,item,time\n" + "\n".join(rows) + "\n")
        return path

    return write
