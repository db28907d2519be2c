"""The Recommender behind HTTP, on the frozen bundle."""

import json
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sasrec_runtime import Recommender

BUNDLE = Path(__file__).parents[1] / "golden" / "bundle_v2"
KEYS = (BUNDLE / "items.txt").read_text().split()


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    return Recommender.load(BUNDLE, variant="onnx-wi8", unknown="drop")


@pytest.fixture(scope="module")
def ask(example, recommender):
    """Send a request to a running server; return its status and its JSON."""
    server = example("serve_http").RecommenderServer(("127.0.0.1", 0), recommender)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def send(path: str, body: bytes | None = None) -> tuple[int, dict]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", body, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    yield send
    server.shutdown()
    thread.join()
    server.server_close()


def test_many_threads_get_the_answers_of_the_recommender(ask, recommender) -> None:
    histories = [KEYS[i : i + 5] for i in range(20)]
    bodies = [json.dumps({"history": history, "k": 4}).encode() for history in histories]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: ask("/recommend", body), bodies))
    assert {status for status, _ in answers} == {200}
    assert [[item["key"] for item in answer["items"]] for _, answer in answers] == [
        [item.key for item in recommender.recommend(history, 4)] for history in histories
    ]


def test_an_empty_history_is_answered_by_what_is_popular(ask) -> None:
    status, answer = ask("/recommend", b"{}")
    assert (status, answer["is_fallback"], len(answer["items"])) == (200, True, 10)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"no json", "Expecting value"),
        (b"", "Content-Length is 0"),
        (b"[]", "not an object"),
        (b'{"histroy": []}', "not an object"),
        (b'{"history": "50"}', "lists of item keys"),
        (b'{"history": [50]}', "history"),
        (b'{"k": 0}', "k is 0, expected a whole number from 1 to 1000"),
        (b'{"k": true}', "k is True"),
        (b'{"k": 1000}', "k is 1000"),
    ],
)
def test_a_bad_request_gets_a_sentence(ask, body: bytes, message: str) -> None:
    status, answer = ask("/recommend", body)
    assert status == 400
    assert message in answer["error"]


def test_health_names_the_variant(ask) -> None:
    assert ask("/health") == (200, {"variant": "onnx-wi8"})


@pytest.mark.parametrize(("path", "body"), [("/", None), ("/other", b"{}")])
def test_other_paths_do_not_exist(ask, path: str, body: bytes | None) -> None:
    assert ask(path, body)[0] == 404
