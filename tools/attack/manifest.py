"""Hostile manifest.json and golden.json, and things that are not files in the places of files.

What is accepted must answer by its laws; the rest must be refused in one sentence, soon, and in bounded memory.

Example: python tools/attack/manifest.py demo/bundle --cases 1500
"""

import copy
import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import children
import click
import folders
import made
import numpy as np
import shell
from tally import Wrong, options

NUMBERS = (
    -1, 0, 1, 2, 3, 7, 255, 65_536, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**20, -(10**20), -(2**63),
    1.5, -0.0, 1e308, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
TEXTS = (
    "", " ", ".", "..", "/", "../x", "/etc/passwd", "a/../../b", "C:\\x", "\\\\host\\x", "a\0b", "\x1b[31m", "\ufeff",
    "\u202e", "é", "🎬", "a" * 100_000, "9" * 5000, "1." * 5000, "null", "onnx", "manifest.json", "items.txt",
    "0" * 64, "0" * 64 + "\n", "<img src=x onerror=alert(1)>", "%s{}$(x)`x`",
)  # fmt: skip
OTHERS = (None, True, [], {}, [[]], {"a": {"b": 1}}, [1] * 100_000, {str(i): i for i in range(20_000)})
SPECIAL = ("FIFO", "link to /dev/zero", "device", "socket", "link out", "dangling link", "link to itself", "folder")
WAYS = ("inspect", "verify", "recommend", "load")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value[:20]) if isinstance(value, list) else ()
    return [path, *(place for key, part in inside for place in places(part, (*path, key)))]


def hostile(rng: np.random.Generator) -> Any:
    kind = rng.random()
    choices: Any = NUMBERS if kind < 0.5 else TEXTS if kind < 0.85 else OTHERS
    return choices[rng.integers(len(choices))]


def change(rng: np.random.Generator, value: Any) -> tuple[bytes, str]:
    """Return a JSON value with one place changed, as bytes, and what was changed."""
    value = copy.deepcopy(value)
    place = places(value)[1:]
    chosen = place[rng.integers(len(place))]
    parent = value
    for key in chosen[:-1]:
        parent = parent[key]
    key, where = chosen[-1], ".".join(map(str, chosen))
    way = rng.choice(["value", "delete", "unknown", "twice", "deep", "many"], p=[0.7, 0.08, 0.06, 0.06, 0.05, 0.05])
    if way == "delete":
        del parent[key]
    elif way == "unknown" and isinstance(parent, dict):
        parent[str(TEXTS[rng.integers(len(TEXTS))])] = hostile(rng)
    elif way == "twice":
        old = json.dumps(parent[key])
        parent[key] = "@@"
        again = f'"{key}": {old}, ' if isinstance(key, str) else f"{old}, "
        text = json.dumps(value).replace(f'"{key}": "@@"', f'{again}"{key}": {old}').replace('"@@"', old)
        return text.encode(), f"{where} twice"
    elif way == "deep":
        parent[key] = "@@"
        depth = int(rng.choice([100, 5000, 500_000]))
        return json.dumps(value).replace('"@@"', "[" * depth + "]" * depth).encode(), f"{where} is {depth} deep"
    elif way == "many" and isinstance(parent, list):
        parent.extend(copy.deepcopy(parent[key]) for _ in range(int(rng.choice([1, 1000, 20_000]))))
    else:
        parent[key] = hostile(rng)
        return json.dumps(value).encode(), f"{where} = {parent[key]!r:.60}"
    return json.dumps(value).encode(), f"{where}: {way}"


def specialize(path: Path, kind: str, original: Path) -> None:
    """Put something that is not a regular file of the bundle in a file's place."""
    path.unlink()
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, 0o20666, os.makedev(1, 5))  # as /dev/zero
    elif kind == "socket":
        server = socket.socket(socket.AF_UNIX)
        here = Path.cwd()
        os.chdir(path.parent)  # the name of a socket may have a hundred bytes
        server.bind(path.name)
        os.chdir(here)
    elif kind == "folder":
        path.mkdir()
    else:
        target = {"link to /dev/zero": "/dev/zero", "link out": original.resolve(), "link to itself": path.name}
        path.symlink_to(target.get(kind, "/nowhere/at/all"))


def obeys(recommender: Any, keys: list[str]) -> None:
    """Ask a loaded bundle for something, and refuse what breaks the laws of Recommender."""
    found = recommender.recommend(keys[:6], 5)
    rows = [found, *recommender.recommend_batch([keys[:6]] * 8, 5)]
    for row in rows:
        seen = [item.key for item in row]
        if len(set(seen)) < len(seen) or (set(seen) & set(keys[:6]) and not row.is_fallback):
            raise Wrong("law broken", repr(seen)[:200])
    recommender.score(keys[:6], keys[6:])


@click.command()
@click.argument("bundle", default="demo/bundle", type=click.Path(exists=True, path_type=Path))
@options(cases=1500, limit_s=40)
def main(bundle: Path, how: children.How) -> None:
    """Change one field of manifest.json or golden.json of BUNDLE a case, or put a special file in a file's place."""
    shell.preload()
    from sasrec_runtime import Recommender

    with tempfile.TemporaryDirectory(prefix="attack-") as scratch:
        base = made.copy_here(bundle, Path(scratch))
        documents = {name: json.loads((base / name).read_bytes()) for name in ("manifest.json", "golden.json")}
        variants = [variant["name"] for variant in documents["manifest.json"]["variants"]]
        names, keys = folders.files(base), made.keys_of(base)

        def attempt(case: children.Case) -> None:
            spoiled = folders.copy(base, case.folder / "bundle")
            draw, way = case.rng.random(), str(case.rng.choice(WAYS))
            variant = str(case.rng.choice(variants))
            if draw < 0.25:
                name, kind = str(case.rng.choice(names)), str(case.rng.choice(SPECIAL))
                case.begins("manifest: special files", f"{kind} as {name}, {way} of {variant}")
                specialize(spoiled / name, kind, base / name)
            elif draw < 0.45:
                data, what = change(case.rng, documents["golden.json"])
                case.begins("manifest: golden.json, signed again", f"{what}, verify of {variant}")
                folders.put(spoiled / "golden.json", data)
                folders.resign(spoiled)
                way = "verify"
            else:
                data, what = change(case.rng, documents["manifest.json"])
                case.begins("manifest: manifest.json", f"{what}, {way} of {variant}")
                folders.put(spoiled / "manifest.json", data)
            if way == "load":
                obeys(Recommender.load(spoiled, variant=variant), keys)
                accepted = True
            else:
                arguments = {"inspect": (), "verify": ("--variant", variant), "recommend": (*keys[:6], "-k", "5")}[way]
                accepted = shell.judge(shell.command(way, str(spoiled), *arguments, limit_s=how.limit_s - 5))
            if accepted and draw < 0.25:
                raise Wrong("special file accepted")
            if not accepted:
                case.counts(refused=1)

        sys.exit(children.run(how, attempt))


if __name__ == "__main__":
    main()
