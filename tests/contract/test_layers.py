"""Imports run one way inside each package, too. The rules are data; the imports are read from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LAYERS = {
    "runtime/sasrec_runtime": (
        "signature errors versions",
        "manifest",
        "history atomic digests recommendations",
        "bundle_folder folder_state vocabulary",
        "bundle",
        "engines",
        "batching",
        "selection",
        "arguments scoring",
        "recommender",
        "batch checks",
        "cli memory verify __init__",
    ),
    "train/sasrec_train": (
        "errors memory tensorflow_import untrusted_files npz",
        "config adaptive loss_registry",
        "log",
        "datasets split negatives",
        "network",
        "training evaluation",
        "warm_start",
        "run",
        "new_items",
        "cli",
        "__init__",
    ),
    "export/sasrec_export": (
        "errors markdown search_plan stopping streams command_options",
        "table export_options",
        "recipes encoder",
        "written",
        "onnx_writer tflite_writer",
        "report.variant_schema report.schema report.progress",
        "report.formatting",
        "report.verdict",
        "report.measure report.show",
        "bundle",
        "report.commands",
        "cli",
        "__init__ report.__init__",
    ),
}
"""Package → its layers, the lowest first: a file or folder imports only what stands in its own layer or below."""

REGISTRIES = {"loss_registry"}
"""Names what stands above it, and imports it only when it is used: those imports count for nothing here."""

APART = {("onnx_writer", "tflite_writer"), ("report.measure", "report.show")}
"""Pairs of export's folders of which neither imports the other."""


def imports(package: str) -> dict[str, set[str]]:
    """Return module → the modules of its own package that it imports, also inside functions; registries left out."""
    folder, name = ROOT / package, Path(package).name
    modules = {".".join(path.relative_to(folder).with_suffix("").parts): path for path in folder.rglob("*.py")}
    found: dict[str, set[str]] = {module: set() for module in modules}
    for module, path in modules.items():
        if module in REGISTRIES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for imported in (full.removeprefix(f"{name}.") for full in names if full.startswith(f"{name}.")):
                ways = (imported, f"{imported}.__init__", imported.rpartition(".")[0] or "__init__")
                found[module] |= {next((way for way in ways if way in modules), f"{ways[2]}.__init__")} - {module}
    return found


def place(package: str, module: str) -> int:
    """Return the layer of a module; the whole name counts first, then the folders that it lies in."""
    names = [layer.split() for layer in LAYERS[package]]
    for part in (module, *(module.rsplit(".", n)[0] for n in range(1, module.count(".") + 1))):
        for number, layer in enumerate(names):
            if part in layer:
                return number
    pytest.fail(f"{module} of {package} has no layer. Add it to LAYERS.")


@pytest.mark.parametrize("package", LAYERS)
def test_no_import_goes_up(package: str) -> None:
    upward = [
        f"{module} → {imported}"
        for module, found in imports(package).items()
        for imported in found
        if place(package, imported) > place(package, module)
    ]
    assert upward == []


@pytest.mark.parametrize("package", LAYERS)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    left = imports(package)
    while free := [module for module, found in left.items() if not found & set(left)]:
        for module in free:
            del left[module]
    assert sorted(left) == []


def test_folders_that_stand_apart_do_not_import_each_other() -> None:
    def lies_in(module: str, folder: str) -> bool:
        return f"{module}.".startswith(f"{folder}.")

    crossing = [
        f"{module} → {imported}"
        for module, found in imports("export/sasrec_export").items()
        for imported in found
        for one, other in (*APART, *(pair[::-1] for pair in APART))
        if lies_in(module, one) and lies_in(imported, other)
    ]
    assert crossing == []


EXPORT = """
import sys
from pathlib import Path
from sasrec_export import recipes
from sasrec_export.bundle.write import write_bundle
from sasrec_train.run import Run

write_bundle(Run.load({run!r}), Path({out!r}), plans=recipes.plan(({runtime!r},), ("fp32", "wi8")))
sys.exit({unwanted!r} in sys.modules)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN of a network that was trained for one epoch."""
    from sasrec_train import config, datasets
    from sasrec_train import run as run_module

    log = datasets.load("synthetic:items=30,users=40,mean_length=8,seed=3")
    small = {"max_len": 6, "hidden_dim": 8, "ffn_dim": 8}
    out = tmp_path_factory.mktemp("layers") / "run"
    run_module.create(log, *config.preset("modern", n_items=log.n_items, model=small, train={"epochs": 1}), out)
    return out


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize(
    ("runtime", "unwanted"), [("tflite", "onnx_ir"), ("onnx", "ai_edge_litert.schema_py_generated")]
)
def test_an_export_to_one_runtime_loads_nothing_of_the_other_writer(
    runtime: str, unwanted: str, run: Path, tmp_path: Path
) -> None:
    code = EXPORT.format(run=str(run), out=str(tmp_path / "bundle"), runtime=runtime, unwanted=unwanted)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] or f"{unwanted} was loaded"
