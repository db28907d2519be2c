"""The Recommender inside an application: a small HTTP service of the standard library, one thread for each request.

    python examples/serve_http.py bundle --port 8080
    curl -d '{"history": ["50", "181", "172"], "k": 5}' http://127.0.0.1:8080/recommend

It needs a bare install only. The Recommender is loaded once, and may be asked from several threads. Fit for one machine
behind a proxy of yours: it listens on this machine only, and has neither TLS nor rights.
"""

import argparse
import http.server
import json
from typing import Any

from sasrec_runtime import Recommender
from sasrec_runtime.errors import SasrecError

MAX_BYTES = 1 << 20  # Of a request's body.
MAX_K = 1000


class RecommenderServer(http.server.ThreadingHTTPServer):
    """A server that holds the one Recommender of all its threads."""

    daemon_threads = True  # A slow client does not keep the service from ending.

    def __init__(self, address: tuple[str, int], recommender: Recommender):
        super().__init__(address, Handler)
        self.recommender = recommender


class Handler(http.server.BaseHTTPRequestHandler):
    """POST /recommend answers; GET /health says which variant runs."""

    server: RecommenderServer
    timeout = 10  # Seconds to wait for a client.

    def do_GET(self) -> None:
        """Answer /health."""
        if self.path == "/health":
            self.reply(200, {"variant": self.server.recommender.variant.name})
        else:
            self.reply(404, {"error": f"{self.path:.80} does not exist, expected /health or POST /recommend."})

    def do_POST(self) -> None:
        """Answer /recommend."""
        if self.path != "/recommend":
            self.reply(404, {"error": f"{self.path:.80} does not exist, expected /recommend."})
            return
        try:
            self.reply(200, answer(self.server.recommender, self.request_body()))
        except (SasrecError, ValueError) as error:  # the sentences are meant for whoever asked
            self.reply(400, {"error": str(error)})

    def request_body(self) -> Any:
        """Return the JSON of the request."""
        length = int(self.headers.get("Content-Length", "0"))
        if not 0 < length <= MAX_BYTES:
            raise ValueError(f"Content-Length is {length}, expected 1 to {MAX_BYTES}.")
        return json.loads(self.rfile.read(length))

    def reply(self, status: int, content: dict[str, Any]) -> None:
        """Send a JSON object."""
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def answer(recommender: Recommender, request: Any) -> dict[str, Any]:
    """Return what {"history": [KEY…], "k": 10, "exclude": [KEY…]} asks for.

    Raises:
        ValueError: The request has another form.
        SasrecError: A key is unknown, or k is out of range.
    """
    if not isinstance(request, dict) or not request.keys() <= {"history", "k", "exclude"}:
        raise ValueError("The body is not an object of history, k and exclude alone.")
    history, k, exclude = request.get("history", []), request.get("k", 10), request.get("exclude", [])
    if not isinstance(history, list) or not isinstance(exclude, list):
        raise ValueError("history and exclude are lists of item keys, oldest first.")  # noqa: TRY004 - for a bad request
    if type(k) is not int or not 1 <= k <= MAX_K:
        raise ValueError(f"k is {k!r:.80}, expected a whole number from 1 to {MAX_K}.")
    items = recommender.recommend(history, k, exclude=exclude)
    return {
        "is_fallback": items.is_fallback,  # the history was empty: the most popular items
        "items": [{"key": item.key, "score": item.score, "title": item.title} for item in items],
    }


def main() -> None:
    """Load the bundle and serve until Ctrl-C."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("bundle")
    options.add_argument("--variant", help="by default the first whose engine is installed")
    options.add_argument("--port", type=int, default=8080)
    given = options.parse_args()
    recommender = Recommender.load(given.bundle, variant=given.variant, unknown="drop")
    with RecommenderServer(("127.0.0.1", given.port), recommender) as server:
        print(
            f"{recommender.variant.name} at http://127.0.0.1:{server.server_port}/recommend (Ctrl-C ends it)",
            flush=True,
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("ended")


if __name__ == "__main__":
    main()
