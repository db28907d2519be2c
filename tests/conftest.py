"""The versions of a test run at its head, what differs between them, and how pytest-xdist divides the tests."""

import functools
import inspect
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, settings

if "mix_stderr" in inspect.signature(CliRunner).parameters:  # click 8.1: stdout and stderr are one unless it is told
    CliRunner.__init__ = functools.partialmethod(CliRunner.__init__, mix_stderr=False)

# A busy machine is slow at making inputs, too; that is not a failure of what is tested.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

SHOWN = (
    "numpy", "onnxruntime", "msgspec", "click", "ai-edge-litert", "onnx", "onnx-ir", "tf2onnx", "tensorflow", "keras",
    "polars",
)  # fmt: skip


def pytest_report_header() -> str:
    installed = []
    for name in SHOWN:
        try:
            installed.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            installed.append(f"no {name}")
    return "versions: " + ", ".join(installed)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with files of the runtime, while workers are small (some fork, some collect garbage), then slow ones."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    runtime = Path(__file__).parent / "runtime"
    items.sort(key=lambda item: (not item.path.is_relative_to(runtime), item.path not in slow))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give every file to one worker, and all of tests/js to one, so that what their fixtures make is made once.

    The marker `xdist_group` does nothing here: pytest-xdist 3.8 writes the group into a private attribute that pytest
    no longer reads since 9.2, without a warning.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/js" if nodeid.startswith("tests/js/") else nodeid.partition("::")[0]

    config.option.loadscopereorder = False  # the order is that of pytest_collection_modifyitems
    return ByFile(config, log)
