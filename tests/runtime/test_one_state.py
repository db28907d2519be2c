"""All that a recommender reads comes from one state of the bundle's folder."""

import copy
import pickle
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime import tiny
from runtime.conftest import RUNTIMES
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden
from sasrec_runtime.errors import BundleError, BundleReplacedError, RequestError, SasrecError
from sasrec_runtime.folder_state import ATTEMPTS
from sasrec_runtime.recommender import Recommender

HISTORY = ["apple", "bread"]
BATCH = [HISTORY] * 8


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of another training: the same catalogue, files of the same sizes, and scores four times as high."""
    with monkeypatch.context() as patch:
        patch.setattr(tiny, "TABLE", 2 * tiny.TABLE)
        tiny.write(tmp_path / "other")
    return tmp_path / "other"


@pytest.fixture(params=RUNTIMES)
def live(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A bundle to replace, and the name of a variant."""
    folder = "tflite_bundle" if request.param.startswith("tflite") else "shared_bundle"
    shutil.copytree(request.getfixturevalue(folder), tmp_path / "live")
    return tmp_path / "live", request.param


def replace(live: Path, other: Path) -> None:
    """Put a copy of `other` into the place of `live`."""
    shutil.copytree(other, live.with_name("copy"))
    live.rename(live.with_name("old"))
    live.with_name("copy").rename(live)
    shutil.rmtree(live.with_name("old"))


def test_a_bundle_that_was_opened_and_replaced_is_not_loaded(live: tuple[Path, str], other: Path) -> None:
    path, variant = live
    bundle = Bundle.open(path)
    replace(path, other)
    with pytest.raises(BundleReplacedError, match=r"live was replaced or removed after it was opened.* Load it again"):
        Recommender.load(bundle, variant=variant)


def test_the_vocabulary_and_goldens_of_a_replaced_bundle_are_not_read(live: tuple[Path, str], other: Path) -> None:
    bundle = Bundle.open(live[0])
    replace(live[0], other)
    with pytest.raises(BundleReplacedError):
        _ = bundle.vocabulary
    with pytest.raises(BundleReplacedError):
        golden.read(bundle)
    with pytest.raises(BundleReplacedError):
        bundle.verify_digests()


@pytest.mark.parametrize("change", [replace, lambda live, _: shutil.rmtree(live)], ids=["replaced", "removed"])
def test_score_does_not_answer_from_another_bundle(
    live: tuple[Path, str], other: Path, change: Callable[[Path, Path], None]
) -> None:
    path, variant = live
    recommender = Recommender.load(path, variant=variant)
    before, scores = recommender.recommend(HISTORY, 3), [0.0, 2.0]
    change(path, other)
    assert recommender.recommend(HISTORY, 3) == before
    if variant.startswith("tflite"):  # one file holds both entries, and is loaded at once
        assert recommender.score(HISTORY, ["figs", "dates"]).tolist() == scores
    else:
        with pytest.raises(BundleReplacedError, match="Load it again"):
            recommender.score(HISTORY, ["figs", "dates"])


def test_score_answers_where_the_same_bundle_was_copied_into_its_place(tiny_bundle: Path, tmp_path: Path) -> None:
    recommender = Recommender.load(tiny_bundle)
    shutil.copytree(tiny_bundle, tmp_path / "same")
    replace(tiny_bundle, tmp_path / "same")
    assert recommender.score(HISTORY, ["figs", "dates"]).tolist() == [0.0, 2.0]


def test_the_batch_model_is_not_taken_from_another_bundle(tmp_path: Path) -> None:
    source = Path(__file__).parents[1] / "golden" / "bundle_v2"
    shutil.copytree(source, tmp_path / "live")
    name = next(v.name for v in Bundle.open(source).manifest.variants if "recommend_batch" in v.entries)
    recommender = Recommender.load(tmp_path / "live", variant=name)
    manifest = tmp_path / "live" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    with pytest.raises(BundleReplacedError):
        recommender.recommend_batch([[recommender.vocabulary.key(1)]] * 8, 3)


def test_a_relative_path_means_the_folder_it_meant_when_it_was_opened(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_bundle.parent)
    recommender = Recommender.load("bundle")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert recommender.score(HISTORY, ["figs"]).tolist() == [0.0]


def test_a_link_that_is_changed_leaves_the_loaded_bundle_alone(tiny_bundle: Path, other: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(tiny_bundle)
    recommender = Recommender.load(link)
    link.unlink()
    link.symlink_to(other)
    assert recommender.score(HISTORY, ["dates"]).tolist() == [2.0]
    assert Recommender.load(link).score(HISTORY, ["dates"]).tolist() == [8.0]


def test_a_folder_that_changes_twice_while_it_is_read_is_read_again(tiny_bundle: Path, other: Path) -> None:
    bundle, runs = Bundle.open(tiny_bundle), []

    def read() -> int:
        runs.append(1)
        if len(runs) == 1:  # away and back again: manifest.json is the same afterwards
            tiny_bundle.rename(tiny_bundle.with_name("away"))
            tiny_bundle.with_name("away").rename(tiny_bundle)
        return len(runs)

    assert bundle.steadily(read) == 2


def test_a_folder_that_never_rests_is_an_error(tiny_bundle: Path) -> None:
    bundle, runs = Bundle.open(tiny_bundle), []

    def read() -> None:
        runs.append(1)
        (tiny_bundle / f"new{len(runs)}").touch()

    with pytest.raises(BundleReplacedError, match=f"changed {ATTEMPTS} times while it was read"):
        bundle.steadily(read)


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone"), IndexError("list index"), ValueError("mmap")])
def test_what_a_replaced_folder_makes_fail_is_said_to_be_replaced(
    tiny_bundle: Path, other: Path, error: Exception
) -> None:
    bundle = Bundle.open(tiny_bundle)

    def read() -> None:
        replace(tiny_bundle, other)
        raise error

    with pytest.raises(BundleReplacedError) as caught:
        bundle.steadily(read)
    assert caught.value.__cause__ is error


def test_a_file_that_cannot_be_read_is_a_bundle_error(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)

    def read() -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(BundleError, match=r"cannot be read \(\[Errno 13\] Permission denied\)\. Give this user"):
        bundle.steadily(read)


def test_no_answer_comes_from_two_models_while_the_folder_is_replaced(tiny_bundle: Path, other: Path) -> None:
    shutil.copytree(tiny_bundle, tiny_bundle.with_name("first"))
    sources = [other, tiny_bundle.with_name("first")]
    expected = [[item.score for item in Recommender.load(source).recommend(HISTORY, 3)] for source in sources]
    stopped = threading.Event()

    def keep_replacing() -> None:
        turn = 0
        while not stopped.is_set():
            replace(tiny_bundle, sources[turn % 2])
            turn += 1
            time.sleep(0.002)

    thread = threading.Thread(target=keep_replacing)
    thread.start()
    assert expected[0][0] == 4 * expected[1][0]
    answered, until = 0, time.monotonic() + 3
    try:
        while time.monotonic() < until:
            try:
                recommender = Recommender.load(tiny_bundle)
                scores = [item.score for item in recommender.recommend(HISTORY, 3)]
                assert scores in expected
                assert recommender.score(HISTORY, ["dates"]).tolist() == scores[:1]
                answered += 1
            except SasrecError:
                pass
    finally:
        stopped.set()
        thread.join()
    assert answered


@pytest.mark.parametrize("again", [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))], ids=["deepcopy", "pickle"])
def test_a_copy_loads_the_bundle_again(live: tuple[Path, str], again: Callable[[Recommender], Recommender]) -> None:
    recommender = Recommender.load(live[0], variant=live[1], unknown="drop", threads=2)
    copied = again(recommender)
    assert copied.variant == recommender.variant
    assert copied.recommend(["apple", "?"], 3) == recommender.recommend(["apple", "?"], 3)


def test_a_copy_of_a_replaced_bundle_is_refused(tiny_bundle: Path, other: Path) -> None:
    pickled = pickle.dumps(Recommender.load(tiny_bundle))
    replace(tiny_bundle, other)
    with pytest.raises(BundleReplacedError, match="was replaced after the recommender was copied"):
        pickle.loads(pickled)


def test_a_recommender_around_a_session_of_ones_own_cannot_be_copied(bundle: Bundle) -> None:
    loaded = Recommender.load(bundle)
    with pytest.raises(RequestError, match=r"not made by Recommender\.load"):
        copy.copy(Recommender(bundle, loaded.variant, loaded.session))
