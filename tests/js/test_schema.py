"""The bounds of the Python structs hold in JavaScript, in the same words."""

import json
import re
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from js.conftest import JS


class Bounded(msgspec.Struct, forbid_unknown_fields=True):
    """One field for each kind of bound that a struct can state."""

    whole: Annotated[int, Meta(ge=1, le=5)] = 1
    real: Annotated[float, Meta(ge=0.5, le=1000)] = 1
    between: Annotated[float, Meta(gt=0, lt=2)] = 1
    text: Annotated[str, Meta(min_length=1, max_length=3)] = "a"
    pattern: Annotated[str, Meta(pattern=r"^[0-9a-f]{2}\Z")] = "aa"
    anchored: Annotated[str, Meta(pattern=r"\A[^\x00-\x1f\\]+\Z")] = "aa"
    values: Annotated[list[int], Meta(min_length=1, max_length=2)] = msgspec.field(default_factory=lambda: [1])
    table: Annotated[dict[Annotated[str, Meta(max_length=2)], int], Meta(max_length=2)] = {}


SCHEMA = msgspec.json.schema(Bounded)

TEXTS = [
    "{}",
    '{"whole": 0}',
    '{"whole": 1}',
    '{"whole": 5}',
    '{"whole": 6}',
    '{"whole": 1e400}',
    '{"whole": 123456789012345678901234567890}',
    '{"real": 0.25}',
    '{"real": 1000}',
    '{"real": 1000.5}',
    '{"real": -1e400}',
    '{"between": 0}',
    '{"between": 1.5}',
    '{"between": 2}',
    '{"text": ""}',
    '{"text": "aaa"}',
    '{"text": "aaaa"}',
    '{"text": "😀😀😀"}',
    '{"text": "😀😀😀😀"}',
    '{"pattern": "0f"}',
    '{"pattern": "0Z"}',
    '{"pattern": "0f\\n"}',
    '{"anchored": "names"}',
    '{"anchored": "na\\u0000mes"}',
    '{"anchored": "na\\\\mes"}',
    '{"values": []}',
    '{"values": [1, 2]}',
    '{"values": [1, 2, 3]}',
    '{"values": [1, "2"]}',
    '{"table": {"a": 1, "b": 2}}',
    '{"table": {"a": 1, "b": 2, "c": 3}}',
    '{"table": {"abc": 1}}',
    '{"table": {"__proto__": 1}}',
    '{"__proto__": 1}',
    '{"constructor": 1}',
]


def python_says(text: str) -> str | None:
    try:
        msgspec.json.decode(text, type=Bounded)
    except msgspec.MsgspecError as error:
        return str(error)
    return None


def places(sentence: str | None) -> list[str]:
    """Return the places in the JSON that a sentence names; its words are each language's own."""
    return re.findall(r"`(\$[^`]*)`", sentence or "")


@pytest.fixture(scope="module")
def said(node: Callable[..., Any]) -> dict[str, str | None]:
    """Text → what JavaScript says of it."""
    done = node(JS / "test" / "schema.mjs", stdin=json.dumps([[SCHEMA, text] for text in TEXTS]))
    return dict(zip(TEXTS, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("text", TEXTS)
def test_a_bound_holds_as_in_python(said: dict[str, str | None], text: str) -> None:
    theirs, ours = python_says(text), said[text]
    assert (theirs is None) == (ours is None)
    assert places(theirs) == places(ours)


def keywords(schema: object) -> set[str]:
    """Return the words of JSON Schema in it; names of fields are none."""
    if isinstance(schema, list):
        return set().union(*map(keywords, schema))
    if not isinstance(schema, dict):
        return set()
    named = {"properties", "$defs"} & schema.keys()
    inside = [value for key, value in schema.items() if key not in {*named, "default", "enum", "required"}]
    inside += [value for key in named for value in schema[key].values()]
    return set(schema).union(*map(keywords, inside))


@pytest.mark.parametrize("name", ["manifest", "golden"])
def test_the_reader_knows_every_keyword_of_the_schemas(name: str) -> None:
    schema = json.loads((JS / "schema" / f"{name}.schema.json").read_text(encoding="utf-8"))
    source = (JS / "src" / "json_schema.ts").read_text(encoding="utf-8")
    unknown = {
        word for word in keywords(schema) - {"$schema", "title", "description"} if f"  readonly {word}?:" not in source
    }
    assert unknown == set()
