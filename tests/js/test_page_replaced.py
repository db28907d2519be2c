"""The page and its service worker when the bundle behind them is replaced: one bundle at a time, and no dead end."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from js import fixed
from js.conftest import JS
from js.test_page import served

Step = Callable[[str], dict[str, Any]]


@contextmanager
def visitor(url: str, chromium: str) -> Iterator[Step]:
    """Do steps of test/page_replaced.mjs in one browser, one after the other."""
    process = subprocess.Popen(
        ["node", JS / "test" / "page_replaced.mjs", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SASREC_CHROMIUM": chromium},
    )

    def step(name: str) -> dict[str, Any]:
        process.stdin.write(f"{name}\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    try:
        yield step
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()


def rename_titles(path: Path, _: object) -> None:
    titles = (path / "titles.txt").read_text(encoding="utf-8").splitlines()
    (path / "titles.txt").write_text("".join(f"New {title}\n" for title in titles), encoding="utf-8")


@pytest.fixture(scope="module")
def titled(tmp_path_factory: pytest.TempPathFactory, exported_bundle: Path) -> Path:
    """A bundle whose items have names."""
    path = tmp_path_factory.mktemp("titled") / "bundle"
    shutil.copytree(exported_bundle, path)
    items = (path / "items.txt").read_text(encoding="utf-8").splitlines()

    def add_titles(path: Path, manifest: dict[str, Any]) -> None:
        (path / "titles.txt").write_text("".join(f"Item {key}\n" for key in items), encoding="utf-8")
        manifest["vocabulary"]["titles"] = {"path": "titles.txt"}

    fixed.edit(path, add_titles)
    return path


def copy_over(source: Path, target: Path, *names: str) -> None:
    for name in names or [file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file()]:
        shutil.copyfile(source / name, target / name)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def kept_of(seen: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The stores of bundles."""
    return {name: files for name, files in seen["kept"].items() if name != "page"}


def digests(bundle: Path) -> dict[str, str]:
    """URL path → digest of every file but the manifest."""
    files = {file for file in bundle.rglob("*") if file.is_file() and file.name != "manifest.json"}
    return {f"bundle/{file.relative_to(bundle).as_posix()}": sha256(file) for file in files}


@pytest.fixture(scope="module")
def seen(node: object, chromium: str, titled: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Step → what the page showed, while the bundle is replaced, damaged and mended."""
    folder = tmp_path_factory.mktemp("served")
    old, new, current = folder / "old", folder / "new", folder / "current"
    for path in (old, new, current):
        shutil.copytree(titled, path)
    fixed.edit(new, rename_titles)
    steps: dict[str, Any] = {"old": digests(old), "new": digests(new)}
    steps["store"] = {
        "old": f"bundle-{sha256(old / 'manifest.json')}",
        "new": f"bundle-{sha256(new / 'manifest.json')}",
    }
    with served(current) as (url, _), visitor(url, chromium) as step:
        steps["first visit"] = step("visit")
        copy_over(new, current)
        steps["replaced"] = step("verify")
        steps["second visit"] = step("visit")
        step("forget")
        copy_over(old, current, "titles.txt")  # its size is another one, and so is its digest
        steps["damaged"] = step("visit")
        copy_over(new, current, "titles.txt")
        steps["mended"] = step("visit")
    return steps


def test_the_first_visit_keeps_the_bundle(seen: dict[str, Any]) -> None:
    first = seen["first visit"]
    assert first["alert"] is None
    assert first["titles"][0].startswith("Item ")
    assert list(kept_of(first)) == [seen["store"]["old"]]
    assert kept_of(first)[seen["store"]["old"]].items() <= seen["old"].items()


def test_a_page_whose_bundle_was_replaced_says_so(seen: dict[str, Any]) -> None:
    assert "was replaced or removed after it was opened" in seen["replaced"]["alert"]


def test_the_next_visit_shows_and_keeps_the_new_bundle_only(seen: dict[str, Any]) -> None:
    second = seen["second visit"]
    assert (second["alert"], second["titles"][0][:9]) == (None, "New Item ")
    assert list(kept_of(second)) == [seen["store"]["new"]]
    assert kept_of(second)[seen["store"]["new"]].items() <= seen["new"].items()


def test_a_file_that_is_not_the_manifests_is_named_and_not_kept(seen: dict[str, Any]) -> None:
    damaged = seen["damaged"]
    assert "titles.txt is " in damaged["alert"]
    assert all(files.items() <= seen["new"].items() for files in kept_of(damaged).values())


def test_a_mended_bundle_works_at_once(seen: dict[str, Any]) -> None:
    assert (seen["mended"]["alert"], seen["mended"]["titles"]) == (None, seen["second visit"]["titles"])
