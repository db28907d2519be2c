"""A weight cache belongs to one model, is written whole, and never in the place of something else."""

import json
import shutil
import threading
from pathlib import Path

import pytest

from sasrec_runtime.engines import weight_cache
from sasrec_runtime.engines.weight_cache import Key, sidecar_of
from sasrec_runtime.errors import RequestError
from sasrec_runtime.recommender import Recommender

KEY = Key(model_sha256="a" * 64, engine="LiteRT 2.3.0", machine="x86_64")
OTHER = Key(model_sha256="b" * 64, engine="LiteRT 2.3.0", machine="x86_64")


class Engine:
    """Loads from a cache, or writes one that holds its name; notes which of them it did."""

    def __init__(self, name: str = "packed") -> None:
        self.name, self.done = name, []

    def __call__(self, path: Path) -> str:
        if path.exists():
            self.done.append("mapped")
            return path.read_text()
        self.done.append("packed")
        path.write_text(self.name)
        return self.name


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "wi8.cache"


def test_the_first_load_writes_it_and_the_next_maps_it(cache: Path) -> None:
    engine = Engine()
    assert [weight_cache.load(cache, KEY, engine) for _ in range(2)] == ["packed"] * 2
    assert engine.done == ["packed", "mapped"]
    assert sorted(path.name for path in cache.parent.iterdir()) == ["wi8.cache", "wi8.cache.json"]
    assert json.loads(sidecar_of(cache).read_bytes())["key"]["model_sha256"] == "a" * 64


@pytest.mark.parametrize(
    "key",
    [OTHER, Key(model_sha256="a" * 64, engine="LiteRT 2.4.0", machine="x86_64")],
    ids=["another model", "another version"],
)
def test_a_cache_of_something_else_is_written_anew(cache: Path, key: Key) -> None:
    weight_cache.load(cache, KEY, Engine("old"))
    assert weight_cache.load(cache, key, Engine("new")) == "new"
    assert cache.read_text() == "new"


@pytest.mark.parametrize("content", [b"pack", b"", b"PACKED"], ids=["half", "empty", "flipped"])
def test_a_damaged_cache_is_written_anew(cache: Path, content: bytes) -> None:
    weight_cache.load(cache, KEY, Engine())
    cache.write_bytes(content)
    engine = Engine()
    assert weight_cache.load(cache, KEY, engine) == "packed"
    assert engine.done == ["packed"]


def test_a_cache_too_large_to_hash_is_still_hashed_when_somebody_wrote_to_it(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_cache, "LIMIT_BYTES", 0)
    weight_cache.load(cache, KEY, Engine())
    cache.write_bytes(b"PACKED")
    assert weight_cache.load(cache, KEY, Engine()) == "packed"


def test_a_cache_that_was_copied_with_its_sidecar_fits(cache: Path, tmp_path: Path) -> None:
    weight_cache.load(cache, KEY, Engine())
    moved = tmp_path / "moved" / cache.name
    moved.parent.mkdir()
    shutil.copy(cache, moved)
    shutil.copy(sidecar_of(cache), sidecar_of(moved))
    engine = Engine()
    weight_cache.load(moved, KEY, engine)
    assert engine.done == ["mapped"]


def test_the_cache_of_one_model_never_passes_with_the_sidecar_of_another(cache: Path) -> None:
    weight_cache.load(cache, OTHER, Engine("other!"))
    foreign = cache.read_bytes()
    weight_cache.load(cache, KEY, Engine("packed"))
    cache.write_bytes(foreign)  # as large, so that only time, inode and digest tell
    assert weight_cache.load(cache, KEY, Engine(), verify="sizes") == "packed"


@pytest.mark.parametrize("sidecar", [None, b"", b"{}", b"[" * 9000, b'{"name": "my app"}'])
def test_a_file_that_is_not_a_cache_is_refused_and_kept(cache: Path, sidecar: bytes | None) -> None:
    cache.write_text("precious")
    if sidecar is not None:
        sidecar_of(cache).write_bytes(sidecar)
    with pytest.raises(RequestError, match=r"wi8.cache: a file is there, and wi8.cache.json beside it does not say"):
        weight_cache.load(cache, KEY, Engine())
    assert cache.read_text() == "precious"


def test_a_file_in_the_place_of_the_sidecar_is_kept(cache: Path) -> None:
    sidecar_of(cache).write_text("precious")
    with pytest.raises(RequestError, match="does not say that it is a weight cache"):
        weight_cache.load(cache, KEY, Engine())
    assert sidecar_of(cache).read_text() == "precious"


def test_a_folder_is_refused(cache: Path) -> None:
    cache.mkdir()
    with pytest.raises(RequestError, match="is not a regular file"):
        weight_cache.load(cache, KEY, Engine())


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"weight_cache .* cannot be used \(No such file or directory\)"):
        weight_cache.load(tmp_path / "nowhere" / "cache", KEY, Engine())


def test_a_load_that_fails_leaves_nothing(cache: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError):
        weight_cache.load(cache, KEY, fail)
    assert list(cache.parent.iterdir()) == []


def test_a_model_without_anything_to_pack_has_no_cache(cache: Path) -> None:
    assert weight_cache.load(cache, KEY, lambda _: "model") == "model"
    assert list(cache.parent.iterdir()) == []


def test_loads_at_once_of_two_models_never_mix(cache: Path) -> None:
    wrong: list[str] = []

    def keep_loading(key: Key, name: str) -> None:
        for _ in range(60):
            try:
                if weight_cache.load(cache, key, Engine(name)) != name:
                    wrong.append(name)
            except RequestError as error:
                if "was replaced" not in str(error):
                    wrong.append(str(error))

    threads = [
        threading.Thread(target=keep_loading, args=arguments)
        for arguments in [(KEY, "model a"), (OTHER, "model b")] * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.tf
def test_a_recommender_takes_and_keeps_one(tflite_bundle: Path, cache: Path) -> None:
    for _ in range(2):
        recommender = Recommender.load(tflite_bundle, variant="tflite-fp32", weight_cache=cache)
        assert [item.key for item in recommender.recommend(["apple", "bread"], 3)] == ["cheese", "dates", "eggs"]
