"""What importing costs: each check runs in a process of its own and looks at sys.modules."""

import subprocess
import sys

import pytest

from sasrec_export.cli import main

HEAVY = ("numpy", "onnx", "onnxruntime", "tensorflow", "keras", "polars", "ai_edge_litert", "matplotlib", "jinja2")

HELP = """
import sys
from click.testing import CliRunner
from sasrec_export.cli import main
result = CliRunner().invoke(main, {arguments!r})
assert result.exit_code == 0, result.output
"""


def heavy_modules_after(code: str) -> set[str]:
    """Run code in a fresh interpreter and return the heavy modules it loaded."""
    report = f"{code}\nimport sys\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", report], check=True, capture_output=True, text=True).stdout.split()
    return set(HEAVY) & set(loaded)


def test_import_sasrec_runtime_loads_nothing_heavy() -> None:
    assert heavy_modules_after("import sasrec_runtime") == set()


def test_import_of_the_bundle_reader_loads_no_runtime() -> None:
    assert heavy_modules_after("from sasrec_runtime import Recommender") == {"numpy"}


@pytest.mark.parametrize("module", ["errors", "signature", "manifest", "cli"])
def test_the_leaves_load_nothing_heavy(module: str) -> None:
    assert heavy_modules_after(f"import sasrec_runtime.{module}") == set()


def test_what_training_imports_of_the_runtime_is_of_the_standard_library() -> None:
    modules = ("disk", "folder", "kinds", "legacy", "locks", "overlap", "scratch", "side")
    code = "import sys\nbefore = set(sys.modules)\n"
    code += "".join(f"import sasrec_runtime.atomic.{module}\n" for module in modules)
    code += "print(*({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["sasrec_runtime"]


@pytest.mark.parametrize("command", [None, *main.commands])
def test_help_loads_nothing_heavy(command: str | None) -> None:
    arguments = [*([command] if command else []), "--help"]
    assert heavy_modules_after(HELP.format(arguments=arguments)) == set()
