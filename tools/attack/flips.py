"""Files of a bundle with other bytes: of one size, shorter, longer, missing, or swapped with those of another model.

Whatever is loaded must be refused or answer as it did. With digests signed again nobody can tell, but `verify` itself
must live.

Example: python tools/attack/flips.py demo/bundle --cases 2000
"""

import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import children
import click
import folders
import made
import shell
from tally import Wrong, options

KINDS = ("bytes", "words", "cut", "longer", "empty", "missing", "other model", "other variant")
WAYS = ("load", "recommend", "verify", "verify, signed again")
CHANCES = (0.3, 0.3, 0.07, 0.06, 0.03, 0.04, 0.12, 0.08)


def spoil(case: children.Case, bundle: Path, other: Path | None, name: str, kinds: tuple[str, ...]) -> str:
    """Change one file of a linked copy, and say how."""
    path = bundle / name
    kind = str(case.rng.choice(kinds) if kinds else case.rng.choice(KINDS, p=CHANCES))
    data: bytes = path.read_bytes()
    alike = [file for file in folders.files(bundle) if Path(file).name == path.name and file != name]
    if kind == "missing":
        path.unlink()
        return "removed"
    if kind == "cut":
        kept = int(case.rng.integers(0, len(data)))
        changed, what = data[:kept], f"cut to {kept} bytes"
    elif kind == "longer":
        changed, what = data + bytes(int(case.rng.integers(1, 100))), "made longer"
    elif kind == "empty":
        changed, what = b"", "emptied"
    elif kind == "other model" and other is not None and (other / name).is_file():
        changed, what = (other / name).read_bytes(), "taken from the other model"
    elif kind == "other variant" and alike:
        chosen = str(case.rng.choice(alike))
        changed, what = (bundle / chosen).read_bytes(), f"taken from {chosen}"
    elif kind == "words" and path.suffix in {".tflite", ".onnx"}:
        changed, what = other_words(case, data)
    else:
        changed, what = folders.flipped(data, case.rng)
    folders.put(path, changed)
    return what


def other_words(case: children.Case, data: bytes) -> tuple[bytes, str]:
    """Return the file with one or two words of its tables changed, and which."""
    changed, what = bytearray(data), []
    for place in case.rng.choice(folders.structural_words(data), int(case.rng.integers(1, 3))).tolist():
        old = int.from_bytes(data[place : place + 4], "little", signed=True)
        choices = (old + 1, old - 1, old * 2, 0, -1, -old, 2**31 - 1, int(case.rng.integers(-(2**31), 2**31)))
        new = choices[case.rng.integers(len(choices))]
        changed[place : place + 4] = (new % 2**32).to_bytes(4, "little")
        what.append(f"{place}: {old} -> {new}")
    return bytes(changed), f"words {', '.join(what)}"


def compare(seen: dict[str, Any], expected: dict[str, Any]) -> None:
    """Refuse another answer than the unspoiled bundle gives."""
    for entry, right in expected.items():
        scores = [right] if entry == "score" else [[score for _, score in row] for row in right]
        said = [seen[entry]] if entry == "score" else [[score for _, score in row] for row in seen[entry]]
        if not all(math.isfinite(score) for row in said for score in row):
            raise Wrong("not finite", f"{entry}: {said!r:.200}")
        same = entry == "score" or [[k for k, _ in row] for row in seen[entry]] == [
            [k for k, _ in row] for row in right
        ]
        near = all(
            len(a) == len(b) and all(abs(x - y) <= 1e-4 for x, y in zip(a, b, strict=True))
            for a, b in zip(said, scores, strict=True)
        )
        if not (same and near):
            raise Wrong("other answer", f"{entry}: {seen[entry]!r:.150}, expected {right!r:.150}")


@click.command()
@click.argument("bundle", default="demo/bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--other", type=click.Path(exists=True, path_type=Path), help="A bundle of another training, to swap.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only so.  [default: a mixture]")
@click.option("--variant", "chosen", multiple=True, help="Only files of these.  [default: all]")
@click.option("--way", "ways", multiple=True, type=click.Choice(WAYS), help="Only so.  [default: a mixture]")
@options(cases=1500)
def main(
    bundle: Path,
    other: Path | None,
    kinds: tuple[str, ...],
    chosen: tuple[str, ...],
    ways: tuple[str, ...],
    how: children.How,
) -> None:
    """Spoil one file of BUNDLE a case, then load it, or verify it."""
    shell.preload()
    with tempfile.TemporaryDirectory(prefix="attack-") as scratch:
        base = made.copy_here(bundle, Path(scratch))
        manifest = json.loads((base / "manifest.json").read_bytes())
        variants = {variant["name"]: [file["path"] for file in variant["files"]] for variant in manifest["variants"]}
        keys = made.keys_of(base)
        expected = children.ask(lambda: {name: made.answer(base, name, keys) for name in variants})
        names = folders.files(base)

        def attempt(case: children.Case) -> None:
            copy = folders.copy(base, case.folder / "bundle")
            variant = str(case.rng.choice(chosen or list(variants)))
            name = str(case.rng.choice(names if not chosen and case.rng.random() < 0.3 else variants[variant]))
            way = str(case.rng.choice(ways or ("load", "load", *WAYS)))
            case.begins(f"flips: {way}, any file", f"{name} of {variant}")
            what = f"{name} of {variant}: {spoil(case, copy, other, name, kinds)}"
            model = Path(name).suffix.removeprefix(".")
            kind = model.upper() if model in {"onnx", "tflite"} else "other file"
            if way == "verify, signed again" and (copy / name).exists() and name != "manifest.json":
                folders.resign(copy)
            case.begins(f"flips: {way}, {kind}", what)
            if way == "load":
                compare(made.answer(copy, variant, keys), expected[variant])
                return
            arguments = ("verify", str(copy)) if way != "recommend" else ("recommend", str(copy), *keys[:6], "-k", "5")
            done = shell.command(*arguments, "--variant", variant, limit_s=how.limit_s - 5)
            accepted = shell.judge(done)
            if accepted and way == "verify":
                same = (copy / name).exists() and (copy / name).read_bytes() == (base / name).read_bytes()
                if not same and name != "manifest.json":
                    raise Wrong("passed verify", done.out[-200:])
            if accepted and way == "recommend" and not _same_lines(done.out, expected[variant]["recommend"][0]):
                raise Wrong("other answer", done.out[-300:])
            if not accepted:
                case.counts(refused=1)

        sys.exit(children.run(how, attempt))


def _same_lines(out: str, expected: list[tuple[str, float]]) -> bool:
    lines = [line.split() for line in out.strip().splitlines()][-len(expected) :]
    return len(lines) == len(expected) and all(key in line for line, (key, _) in zip(lines, expected, strict=True))


if __name__ == "__main__":
    main()
