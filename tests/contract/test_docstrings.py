"""Every public field says what it holds, in a string right below it: shape, unit, range, and what None stands for."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("runtime/sasrec_runtime", "export/sasrec_export", "train/sasrec_train")
RECORDS = {"Struct", "NamedTuple", "dataclass"}
"""Bases and decorators that make fields of a class's annotated names."""

PLANTED = '''
import msgspec
from dataclasses import dataclass, field
from typing import ClassVar

class Base(msgspec.Struct, frozen=True):
    told: int
    """Items."""
    untold: int

class Derived(Base):
    inherits: int = 0
    """ """

@dataclass(frozen=True)
class Plain:
    values: list[int] = field(default_factory=list)
    KINDS: ClassVar = ()
    _hidden: int = 0

class NotARecord:
    name: str

@dataclass
class _Private:
    name: str
'''


def last_name(node: ast.expr) -> str:
    """Return the name at the end of an expression: `Struct` of `msgspec.Struct[int]`, `dataclass` of a call of it."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def fields_without_docstring(sources: dict[str, str]) -> list[str]:
    """Return `file:line Class.field` of each public field that is not followed by a string, of file → source."""
    classes = [
        (file, node)
        for file, source in sources.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
    ]
    records: set[str] = set()
    while True:  # until no class derives from a record that was found in the last pass
        found = {
            node.name
            for _, node in classes
            if {last_name(each) for each in (*node.bases, *node.decorator_list)} & (RECORDS | records)
        }
        if found == records:
            break
        records = found
    missing = []
    for file, node in classes:
        if node.name not in records or node.name.startswith("_"):
            continue
        for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
            if is_public_field(statement) and not is_text(following):
                missing.append(f"{file}:{statement.lineno} {node.name}.{ast.unparse(statement.target)}")
    return missing


def is_public_field(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and not statement.target.id.startswith("_")
        and last_name(statement.annotation) != "ClassVar"
    )


def is_text(statement: ast.stmt | None) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str) and bool(value.value.strip())


def test_every_public_field_has_a_docstring() -> None:
    sources = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    missing = fields_without_docstring(sources)
    assert not missing, "Put a string right below each of these fields:\n" + "\n".join(missing)


def test_a_field_without_docstring_is_named_with_its_line() -> None:
    assert fields_without_docstring({"planted.py": PLANTED}) == [
        "planted.py:9 Base.untold",
        "planted.py:12 Derived.inherits",
        "planted.py:17 Plain.values",
    ]
