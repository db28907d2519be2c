"""One bundle at a time: whatever is replaced, no answer comes from two models, and none from damaged files."""

import functools
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from js import fixed
from js.conftest import JS
from runtime import tiny

Client = Callable[..., list[dict[str, Any]]]
HISTORY, CANDIDATES = ["apple", "bread"], ["eggs"]
OTHER_TABLE = 2 * tiny.TABLE
OWN_ANSWER = [["cheese", 2.0], ["dates", 2.0], ["eggs", 2.0]]
OTHER_ANSWER = [["cheese", 8.0], ["dates", 8.0], ["eggs", 8.0]]
"""Every score is four times its own: the table is both the user's and the item's side. Files of both would give two."""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def two_trainings(tmp_path: Path) -> tuple[Path, Path]:
    """Two bundles of one catalogue, whose files have the same names and sizes."""
    current, other = tmp_path / "current", tmp_path / "other"
    tiny.write(current)
    shutil.copytree(current, other)

    def trained_again(path: Path, _: object) -> None:
        (path / "onnx/weights.bin").write_bytes(OTHER_TABLE.tobytes())
        for entry in ("recommend", "score"):
            file = path / f"inline/{entry}.onnx"
            file.write_bytes(file.read_bytes().replace(tiny.TABLE.tobytes(), OTHER_TABLE.tobytes()))

    fixed.edit(other, trained_again)
    return current, other


@pytest.fixture(params=["folder", "url"])
def place(request: pytest.FixtureRequest, two_trainings: tuple[Path, Path]) -> Iterator[str]:
    """Where the first of them is."""
    if request.param == "folder":
        yield str(two_trainings[0])
        return
    handler = functools.partial(Quiet, directory=str(two_trainings[0]))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("verify", ["digests", "sizes", None])
@pytest.mark.parametrize("variant", ["onnx-fp32", "onnx-inline"])
def test_a_bundle_replaced_at_any_moment_answers_from_one_model(
    node: Callable[..., Any], two_trainings: tuple[Path, Path], place: str, variant: str, verify: str | None
) -> None:
    current, other = map(str, two_trainings)
    options = {"variant": variant, "verify": verify} if verify else {"variant": variant}
    request = {"place": place, "current": current, "other": other, "options": options}
    request |= {"history": HISTORY, "candidates": CANDIDATES}
    rows = json.loads(node(JS / "test" / "replaced.mjs", stdin=json.dumps(request)).stdout)
    *loads, score, check, put_back = rows
    assert loads.pop() == ["never", OWN_ANSWER]
    assert [outcome for _, outcome in loads] == [OTHER_ANSWER] * len(loads), "it is loaded again, as a whole"
    assert len(loads) >= 3, "manifest, items and titles at least"
    assert (score, check) == (["before score", "BundleReplacedError"], ["before verify", "BundleReplacedError"])
    assert put_back == ["put back", [2.0]]


FILES = ["onnx/weights.bin", "onnx/recommend.onnx", "items.txt", "titles.txt"]


def change_a_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_the_right_size_with_another_content_is_refused(client: Client, tiny_bundle: Path, file: str) -> None:
    change_a_byte(tiny_bundle / file)
    error = client(tiny_bundle, variant="onnx-fp32")[0]["error"]
    assert error["name"] == "DigestError"
    assert f"{tiny_bundle}: {file}: sha256 is " in error["message"]


def test_score_is_compared_when_it_is_opened(client: Client, tiny_bundle: Path) -> None:
    change_a_byte(tiny_bundle / "onnx/score.onnx")
    loaded, first, scored = client(
        tiny_bundle, ["recommend", HISTORY, {"k": 2}], ["score", HISTORY, CANDIDATES], variant="onnx-fp32"
    )
    assert (loaded["value"], len(first["value"]["items"])) == ("onnx-fp32", 2)
    assert scored["error"]["name"] == "DigestError"


def test_all_files_that_differ_are_named(client: Client, tiny_bundle: Path) -> None:
    for file in ("onnx/weights.bin", "onnx/recommend.onnx"):
        change_a_byte(tiny_bundle / file)
    message = client(tiny_bundle, variant="onnx-fp32")[0]["error"]["message"]
    assert "recommend.onnx: sha256 is" in message
    assert "weights.bin: sha256 is" in message
    assert message.endswith("Copy those 2 files again from where the bundle was exported, or export it again.")


@pytest.fixture
def large_bundle(tiny_bundle: Path) -> Path:
    """A bundle whose first variant is too large to be hashed at every load; the largest of its files is damaged."""

    def enlarge(path: Path, manifest: dict[str, Any]) -> None:
        with (path / "onnx/more.bin").open("wb") as stream:
            os.truncate(stream.fileno(), 9 << 20)
        manifest["variants"][0]["files"].append({"path": "onnx/more.bin"})

    fixed.edit(tiny_bundle, enlarge)
    change_a_byte(tiny_bundle / "onnx/more.bin")
    return tiny_bundle


@pytest.mark.parametrize(("verify", "expected"), [("digests", "DigestError"), ("sizes", None), (None, None)], ids=str)
def test_models_too_large_to_hash_in_time_are_compared_on_demand(
    client: Client, large_bundle: Path, verify: str | None, expected: str | None
) -> None:
    loaded = client(large_bundle, variant="onnx-fp32", **({"verify": verify} if verify else {}))[0]
    assert loaded.get("error", {}).get("name") == expected


def test_sizes_leaves_the_digests_alone(client: Client, tiny_bundle: Path) -> None:
    change_a_byte(tiny_bundle / "titles.txt")
    assert client(tiny_bundle, verify="sizes")[0] == {"value": "onnx-fp32"}


def test_verify_takes_two_words(client: Client, shared_bundle: Path) -> None:
    error = client(shared_bundle, verify="always")[0]["error"]
    assert error == {"name": "RequestError", "message": "verify is 'always', expected one of digests, sizes."}


@pytest.mark.parametrize("threads", [0, 1.5, 100_000])
def test_threads_are_a_whole_number_within_reason(client: Client, shared_bundle: Path, threads: float) -> None:
    error = client(shared_bundle, threads=threads)[0]["error"]
    assert error["message"] == f"threads is {threads}, expected a whole number in 1…1024."


def test_graphs_are_hashed_where_the_weights_are_too_large(client: Client, large_bundle: Path) -> None:
    change_a_byte(large_bundle / "onnx/recommend.onnx")
    assert client(large_bundle, variant="onnx-fp32")[0]["error"]["name"] == "DigestError"


def test_a_bundle_that_is_removed_says_so(node: Callable[..., Any], tiny_bundle: Path) -> None:
    script = """
        import { rmSync } from "node:fs";
        const { Recommender } = await import(process.argv[2]);
        const recommender = await Recommender.load(process.argv[3]);
        rmSync(process.argv[3], { recursive: true });
        await recommender.score(["apple"], ["bread"]).catch((error) => console.log(`${error.name}: ${error.message}`));
    """
    file = tiny_bundle.parent / "removed.mjs"
    file.write_text(script)
    said = node(file, (JS / "dist" / "node.js").as_uri(), tiny_bundle).stdout.strip()
    assert said == (
        f"BundleReplacedError: {tiny_bundle} was replaced or removed after it was opened: its manifest.json is "
        "another one. Load it again."
    )


def test_a_folder_stays_the_same_when_the_process_goes_elsewhere(node: Callable[..., Any], tiny_bundle: Path) -> None:
    script = """
        const { Recommender } = await import(process.argv[2]);
        const recommender = await Recommender.load("bundle");
        process.chdir("/");
        console.log((await recommender.score(["apple"], ["bread"])).length);
    """
    file = tiny_bundle.parent / "chdir.mjs"
    file.write_text(script)
    assert node(file, (JS / "dist" / "node.js").as_uri(), cwd=tiny_bundle.parent).stdout.strip() == "1"
