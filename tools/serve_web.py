"""Serve the page of runtime/js/web over a bundle, on this machine only.

Example: python tools/serve_web.py demo/bundle --port 8765
"""

import argparse
import functools
import gzip
import http.server
import sys
from pathlib import Path

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import SasrecError

PAGE = Path(__file__).parents[1] / "runtime" / "js" / "dist" / "web"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}
PACKED = {".css", ".html", ".js", ".json", ".mjs", ".svg", ".txt", ".wasm"}
"""What gzip makes smaller; weights it does not."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the files of the page, and under /bundle/ with those the bundle's manifest names."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, files: dict[str, Path]) -> None:
        self.files = files
        super().__init__(*arguments)

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].lstrip("/") or "index.html"
        file = self.files.get(name)
        data = file and contents(file, packed="gzip" in self.headers.get("Accept-Encoding", ""))
        if not file or data is None:
            self.send_error(404)
            return
        body, encoding = data
        self.send_response(200)
        self.send_header("Content-Type", TYPES.get(file.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(body)))
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.send_header("Cache-Control", "no-cache")
        # An isolated page has a clock of 5 µs; others get one of 100 µs.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Do not print a line for every request."""


def contents(file: Path, *, packed: bool) -> tuple[bytes, str | None] | None:
    """Return the bytes of a file and their encoding; None where it is gone."""
    if not file.is_file():
        return None
    if packed and file.suffix in PACKED:
        return compressed(file, file.stat().st_mtime_ns), "gzip"
    return file.read_bytes(), None


@functools.lru_cache(maxsize=64)
def compressed(file: Path, _changed_ns: int) -> bytes:
    return gzip.compress(file.read_bytes(), 6)


def served(folder: Path) -> dict[str, Path]:
    """Return URL path → file; nothing else of this disk can be asked for."""
    bundle = Bundle.open(folder)
    names = ["manifest.json", *(entry.path for entry in bundle.manifest.all_files())]
    page = {file.relative_to(PAGE).as_posix(): file for file in PAGE.rglob("*") if file.is_file()}
    return {**page, **{f"bundle/{name}": folder / name for name in names}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--port", type=int, default=8765, help="0 takes any free one (default: 8765)")
    arguments = parser.parse_args()
    if not (PAGE / "index.html").is_file():
        sys.exit(f"{PAGE} holds no page. Run: make js")
    try:
        files = served(arguments.bundle)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", arguments.port), functools.partial(Handler, files=files))
    except SasrecError as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        sys.exit(f"Error: port {arguments.port}: {error.strerror}. Choose another --port.")
    with server:
        print(f"http://127.0.0.1:{server.server_address[1]}/  (Ctrl+C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print(file=sys.stderr)


if __name__ == "__main__":
    main()
