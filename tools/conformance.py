"""Run a bundle's golden.json on every client: onnxruntime and LiteRT in Python, Node, Chromium. Prints a table.

Each cell is the largest difference of a score from the golden one; exit code 3 where a client fails.

Example: python tools/conformance.py demo/bundle
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden
from sasrec_runtime.errors import MissingRuntimeError
from sasrec_runtime.recommender import Recommender

JS = Path(__file__).parents[1] / "runtime" / "js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
Row = dict[str, Any]


def main(path: str) -> int:
    bundle = Bundle.open(path)
    bundle.verify_digests()
    clients: dict[str, dict[str, Row] | None] = {
        "Python": {variant.name: in_python(bundle, variant.name) for variant in bundle.manifest.variants},
        "Node": in_javascript("node", bundle),
        "Chromium": in_javascript("chromium", bundle) if CHROMIUM else None,
    }
    print("| variant | atol |", " | ".join(clients), "|")
    print("|---|---|" + "---|" * len(clients))
    failed = False
    for variant in bundle.manifest.variants:
        rows = [None if seen is None else seen[variant.name] for seen in clients.values()]
        print(f"| `{variant.name}` | {variant.atol:.2g} |", " | ".join(map(cell, rows)), "|")
        failed |= any(row is not None and row["status"] == "failed" for row in rows)
    for client, seen in clients.items():
        for name, row in (seen or {}).items():
            for sentence in row["failures"]:
                print(f"{client}, {name}: {sentence}", file=sys.stderr)
    return 3 if failed else 0


def in_python(bundle: Bundle, name: str) -> Row:
    """Check one variant with the Python package: onnxruntime, or LiteRT."""
    try:
        recommender = Recommender.load(bundle, variant=name)
    except MissingRuntimeError as error:
        return {"status": "skipped", "failures": [str(error)], "largestDifference": None}
    cases = golden.read(bundle)
    failures = golden.check(cases, recommender)
    largest = 0.0
    for case in cases.cases:
        if name in case.answers:
            seen = golden.answer(recommender.session, recommender.vocabulary, case)
            expected = case.answers[name]
            pairs = zip(
                [*seen.scores, *seen.candidate_scores], [*expected.scores, *expected.candidate_scores], strict=False
            )
            largest = max([largest, *(abs(a - b) for a, b in pairs)])
    return {"status": "failed" if failures else "passed", "failures": failures, "largestDifference": largest}


def in_javascript(client: str, bundle: Bundle) -> dict[str, Row] | None:
    """Check every variant on one JavaScript client; None where it is not installed."""
    if shutil.which("node") is None or not (JS / "dist" / "node.js").is_file():
        return None
    line = ["node", "tools/conformance.mjs", client, str(bundle.path.resolve())]
    environment = {**os.environ, "SASREC_CHROMIUM": CHROMIUM or ""}
    done = subprocess.run(line, cwd=JS, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{client}: {done.stderr.strip()[-2000:]}")
    return {row["variant"]: row for row in json.loads(done.stdout)}


def cell(row: Row | None) -> str:
    if row is None:
        return "not installed"
    if row["status"] != "passed":
        return str(row["status"])
    return f"{row['largestDifference']:.1e}" if row["largestDifference"] else "0"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
