"""Write the JSON Schemas and the TypeScript types of runtime/js from the Python structs: one source for both.

Example: python tools/write_js_schema.py
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from sasrec_runtime import manifest
from sasrec_runtime.checks import golden

JS = Path(__file__).parents[1] / "runtime" / "js"
TYPES = {"integer": "number", "number": "number", "string": "string", "null": "null"}


def main() -> None:
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(JS))


def files() -> dict[Path, str]:
    """Return path → content of what this script writes."""
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schemas = {"manifest": manifest.json_schema(), "golden": {**draft, **msgspec.json.schema(golden.Golden)}}
    types = "/** What manifest.json and golden.json hold. Written by tools/write_js_schema.py: change the structs. */\n"
    for schema in schemas.values():
        types += "".join(interface(name, definition) for name, definition in schema["$defs"].items())
    written = {JS / f"schema/{name}.schema.json": json.dumps(schema, indent=2) for name, schema in schemas.items()}
    return {**{path: f"{text}\n" for path, text in written.items()}, JS / "src/types.ts": types}


def interface(name: str, definition: dict[str, Any]) -> str:
    """Return one struct as an interface; the reader fills in defaults, so that no field is optional."""
    fields = "".join(f"  readonly {field}: {type_of(schema)};\n" for field, schema in definition["properties"].items())
    return f"\n/** {definition['description']} */\nexport interface {name} {{\n{fields}}}\n"


def type_of(schema: dict[str, Any]) -> str:
    """Return a schema as a TypeScript type."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(map(type_of, schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(json.dumps, schema["enum"]))
    if schema["type"] == "array":
        return f"readonly {type_of(schema['items'])}[]"
    if schema["type"] == "object":
        values = schema.get("additionalProperties")
        return f"Readonly<Record<string, {type_of(values) if isinstance(values, dict) else 'unknown'}>>"
    return TYPES[schema["type"]]


if __name__ == "__main__":
    main()
