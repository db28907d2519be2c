"""Modules of the runtime import their own folder or lower ones, and never in a circle."""

import ast
from pathlib import Path

import pytest

import sasrec_runtime

PACKAGE = Path(sasrec_runtime.__file__).parent
LAYERS = [
    {"errors", "signature", "versions", "digests", "history", "recommendations", "manifest", "folder_state"},
    {"atomic", "vocabulary", "bundle_folder"},
    {"bundle"},
    {"engines"},
    {"batching"},
    {"selection", "arguments", "scoring"},
    {"recommender"},
    {"checks", "batch"},
    {"cli"},
    {"verify", "memory", "__init__"},
]
"""Folders and files, the lowest first; those of one layer may import each other."""

LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
MODULES = {path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in PACKAGE.rglob("*.py")}


def imports(module: str) -> set[str]:
    """Return the modules of the package that a module imports, inside its functions as well."""
    names = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    paths = {name.removeprefix("sasrec_runtime.").replace(".", "/") for name in names if "sasrec_runtime" in name}
    return paths & set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_no_import_leads_to_a_higher_layer(module: str) -> None:
    level = LEVEL[module.partition("/")[0]]
    assert {name for name in imports(module) if LEVEL[name.partition("/")[0]] > level} == set()


def test_no_import_leads_in_a_circle() -> None:
    left = {module: imports(module) - {module} for module in MODULES}
    while free := [module for module, others in left.items() if not others & set(left)]:
        for module in free:
            del left[module]
    assert left == {}
