"""A bundle from a URL: whole, or one sentence that says which file is not."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

Client = Callable[..., list[dict[str, Any]]]


class Troubled(SimpleHTTPRequestHandler):
    """Serves a folder; what the path in `trouble` asks for goes wrong."""

    trouble: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        kind = self.trouble.get(self.path.lstrip("/"))
        if kind == "server error":
            self.send_error(503)
        elif kind == "breaks off":
            data = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
        elif kind == "stale" and "no-cache" not in self.headers.get("Cache-Control", ""):
            data = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[::-1])
        elif kind == "never ends":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                while True:
                    self.wfile.write(b"x" * 65536)
        else:
            super().do_GET()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def serve(tiny_bundle: Path) -> Iterator[Callable[..., str]]:
    handler = functools.partial(Troubled, directory=str(tiny_bundle))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def url(**trouble: str) -> str:
            Troubled.trouble = {name.replace("__", "."): kind for name, kind in trouble.items()}
            return f"http://127.0.0.1:{server.server_address[1]}"

        yield url
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("variant", ["onnx-fp32", "onnx-inline"])
def test_a_bundle_from_a_url_verifies(client: Client, serve: Callable[..., str], variant: str) -> None:
    loaded, check = client(serve(), ["verify"], variant=variant)
    assert loaded == {"value": variant}
    assert (check["value"]["status"], check["value"]["cases"]) == ("passed", 3)


def test_no_bundle_there(client: Client, serve: Callable[..., str]) -> None:
    error = client(serve() + "/onnx")[0]["error"]
    assert error["name"] == "BundleError"
    assert error["message"].endswith(
        "/onnx/ has no manifest.json, expected a bundle. Give the folder that `sasrec-edge export` wrote with --out."
    )


def test_no_server_there(client: Client) -> None:
    error = client("http://127.0.0.1:9")[0]["error"]
    assert error["name"] == "BundleError"
    assert "http://127.0.0.1:9/: manifest.json cannot be fetched (" in error["message"]


def test_a_file_that_breaks_off(client: Client, serve: Callable[..., str]) -> None:
    error = client(serve(items__txt="breaks off"))[0]["error"]
    assert error["name"] == "BundleError"
    assert "items.txt broke off after 21 bytes, expected 42 (" in error["message"]


def test_a_server_that_fails(client: Client, serve: Callable[..., str]) -> None:
    error = client(serve(titles__txt="server error"))[0]["error"]
    assert error["name"] == "BundleError"
    assert "titles.txt: the server answered 503, expected the file. Try again later." in error["message"]


def test_a_file_that_is_missing(client: Client, serve: Callable[..., str], tiny_bundle: Path) -> None:
    url = serve()
    (tiny_bundle / "onnx/weights.bin").unlink()
    error = client(url, variant="onnx-fp32")[0]["error"]
    assert error["name"] == "BundleError"
    assert "/: onnx/weights.bin is missing, expected 64 bytes. Copy that file again from where" in error["message"]


def test_a_file_of_another_size(client: Client, serve: Callable[..., str], tiny_bundle: Path) -> None:
    url = serve()
    (tiny_bundle / "items.txt").write_bytes(b"short")
    error = client(url)[0]["error"]
    assert error["name"] == "DigestError"
    assert "/: items.txt is 5 bytes, expected 42. Copy that file again" in error["message"]


def test_a_file_that_is_no_model(client: Client, serve: Callable[..., str], tiny_bundle: Path) -> None:
    url = serve()
    model = tiny_bundle / "inline/recommend.onnx"
    model.write_bytes(b"\0" * model.stat().st_size)
    error = client(url, variant="onnx-inline", verify="sizes")[0]["error"]
    assert error["name"] == "BundleError"
    assert "inline/recommend.onnx: onnxruntime-node 1." in error["message"]
    assert "cannot load it for variant onnx-inline: " in error["message"]
    assert client(url, variant="onnx-inline")[0]["error"]["name"] == "DigestError"


def test_an_old_copy_in_a_cache_is_asked_for_again(client: Client, serve: Callable[..., str]) -> None:
    assert client(serve(items__txt="stale"))[0] == {"value": "onnx-fp32"}


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("items__txt", "items.txt is larger than expected, 42 bytes. Copy that file again"),
        ("manifest__json", "manifest.json is 4194305 bytes, expected at most 4194304."),
    ],
)
def test_a_file_without_an_end_is_not_read_to_it(
    client: Client, serve: Callable[..., str], file: str, sentence: str
) -> None:
    assert sentence in client(serve(**{file: "never ends"}))[0]["error"]["message"]
