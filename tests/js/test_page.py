"""The page of `make web`, in Chromium: it works by keyboard and without a server, and says what is wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from js.conftest import JS, ROOT
from sasrec_runtime.recommender import Recommender

VISIT = JS / "test" / "page.mjs"


@contextmanager
def served(bundle: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the server of `make web`."""
    path = os.pathsep.join([str(ROOT / "runtime"), os.environ.get("PYTHONPATH", "")])
    server = subprocess.Popen(
        [sys.executable, ROOT / "tools" / "serve_web.py", bundle, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        yield server.stdout.readline().split()[0], server
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=20)


@pytest.fixture(scope="module")
def seen(node: object, chromium: str, exported_bundle: Path) -> dict[str, Any]:
    """What a visitor sees whose server is gone once the page has loaded."""
    with served(exported_bundle) as (url, server):
        visitor = subprocess.Popen(
            ["node", VISIT, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "SASREC_CHROMIUM": chromium},
        )
        assert visitor.stdout.readline() == "loaded\n"
        server.send_signal(signal.SIGINT)
        server.wait(timeout=20)
        out, _ = visitor.communicate("go on\n", timeout=120)
        assert visitor.returncode == 0
    return json.loads(out)


def test_two_variants_stand_side_by_side(seen: dict[str, Any]) -> None:
    assert [column["variant"] for column in seen["clicked"]] == ["onnx-fp32", "onnx-wi8"]
    assert all(" ms" in column["facts"] and " kB" in column["facts"] for column in seen["clicked"])


def test_an_empty_history_shows_what_is_popular(seen: dict[str, Any], exported_bundle: Path) -> None:
    popular = [item.key for item in Recommender.load(exported_bundle).recommend([], k=10)]
    assert [column["titles"] for column in seen["popular"]] == [popular, popular]


def test_the_lists_are_those_of_python(seen: dict[str, Any], exported_bundle: Path) -> None:
    history = [name.removesuffix(" ✕") for name in seen["history"]]
    assert len(history) == 2
    expected = [item.key for item in Recommender.load(exported_bundle, variant="onnx-fp32").recommend(history)]
    assert seen["clicked"][0]["titles"] == expected
    assert seen["searched"] != seen["clicked"]


def test_the_search_finds_by_keyboard(seen: dict[str, Any]) -> None:
    wanted = seen["popular"][0]["titles"][2]
    assert seen["options"][0] == wanted
    assert seen["history"][0].startswith(wanted)


def test_what_differs_is_marked(seen: dict[str, Any]) -> None:
    first, second = (column["titles"] for column in seen["clicked"])
    moved = sum(a != b for a, b in zip(first, second, strict=True))
    assert seen["marked"] == 2 * moved
    shared = len(set(first) & set(second))
    assert seen["agreement"].startswith(f"{shared} of 10 in both lists, {10 - moved} at the same place")


def test_it_proves_itself_without_a_server(seen: dict[str, Any]) -> None:
    assert [line.split(",")[0] for line in seen["proof"]] == [
        "onnx-fp32 passed 8 golden cases",
        "onnx-wi8 passed 8 golden cases",
    ]


def test_it_opens_again_without_a_server(seen: dict[str, Any]) -> None:
    assert [column["titles"] for column in seen["reloaded"]] == [column["titles"] for column in seen["popular"]]
    assert (seen["alert"], seen["errors"]) == (None, [])


def test_it_fits_a_phone(seen: dict[str, Any]) -> None:
    assert seen["overflow"] <= 0


def newer(path: Path) -> None:
    manifest = json.loads((path / "manifest.json").read_bytes())
    (path / "manifest.json").write_text(json.dumps({**manifest, "format_version": 99}))


def short_items(path: Path) -> None:
    (path / "items.txt").write_bytes(b"short")


def no_model(path: Path) -> None:
    (path / "onnx/wi8/recommend.onnx").unlink()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (newer, "manifest.json: format_version is 99, this reader knows up to 2. Upgrade sasrec-edge, or export"),
        (short_items, "/bundle/: items.txt is 5 bytes, expected "),
        (no_model, "/bundle/: onnx/wi8/recommend.onnx is missing, expected 19281 bytes. Copy that file again"),
    ],
)
def test_it_shows_what_is_wrong(
    node: Callable[..., Any], chromium: str, exported_bundle: Path, tmp_path: Path, damage: Any, sentence: str
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(exported_bundle, bundle)
    with served(bundle) as (url, _):
        damage(bundle)
        assert sentence in json.loads(node(VISIT, url).stdout)["alert"]


def test_the_server_serves_nothing_but_the_page_and_the_bundle(exported_bundle: Path, tmp_path: Path) -> None:
    import http.client

    bundle = tmp_path / "bundle"
    shutil.copytree(exported_bundle, bundle)
    (bundle / "secret.txt").write_text("not in the manifest")
    if not (JS / "dist" / "web" / "index.html").is_file():
        pytest.skip("the page is not built: make js")
    with served(bundle) as (url, _):
        host = url.removeprefix("http://").rstrip("/")
        status = {}
        for path in ("/bundle/items.txt", "/bundle/secret.txt", "/bundle/../../secret.txt", "/..%2f..%2fetc/passwd"):
            connection = http.client.HTTPConnection(host)
            connection.request("GET", path)
            status[path] = connection.getresponse().status
            connection.close()
    assert list(status.values()) == [200, 404, 404, 404]
    assert url.startswith("http://127.0.0.1:")
