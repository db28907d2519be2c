"""Imports within training run one way, from the command line down to the leaves, and never in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "train" / "sasrec_train"
ORDER = (
    {"errors", "loss_registry", "memory", "npz", "tensorflow_import", "untrusted_files"},
    {"config"},
    {"log"},
    {"datasets", "negatives", "split"},
    {"network"},
    {"evaluation"},
    {"training"},
    {"run"},
    {"cli"},
)
"""Modules and folders of the package; each may import its own set's and those above it in this list."""
LATER = {("loss_registry", "training")}
"""Imports inside functions that go the other way: the registry names the losses, training computes them."""


def level(part: str) -> int:
    return next(number for number, parts in enumerate(ORDER) if part in parts)


def imported(path: Path) -> set[str]:
    """Return the modules of the package that a module imports, at its head or within functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sasrec_train"):
            inside = (node.module or "").removeprefix("sasrec_train").removeprefix(".")
            for alias in node.names:
                whole = f"{inside}.{alias.name}".removeprefix(".")
                file = PACKAGE / whole.replace(".", "/")
                is_module = file.with_suffix(".py").is_file() or (file / "__init__.py").is_file()
                names.add(whole if is_module else inside)
    return names


def modules() -> dict[str, set[str]]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            found[name] = imported(path)
    return found


def test_no_module_imports_from_a_later_stage() -> None:
    for name, others in modules().items():
        part = name.partition(".")[0]
        for other in (other.partition(".")[0] for other in others):
            assert level(other) <= level(part) or (part, other) in LATER, f"{name} imports {other}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = modules()
    for name in graph:
        if name.partition(".")[0] in {part for part, _ in LATER}:
            graph[name] = set()
    TopologicalSorter(graph).prepare()
