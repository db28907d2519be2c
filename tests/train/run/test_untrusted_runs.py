"""A RUN that somebody else made, or that a disk corrupted: read, or refused in one sentence, without waiting for it."""

import contextlib
import io
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

pytest.importorskip("tensorflow")

import h5py

from sasrec_train import datasets, memory, split, untrusted_files
from sasrec_train.config import preset
from sasrec_train.errors import RunError
from sasrec_train.network.model import SASRec
from sasrec_train.run import Run, RunConfig, files, folder
from sasrec_train.split import SplitConfig

pytestmark = pytest.mark.tf

FILES = (
    "config.json",
    "metrics.json",
    "items.txt",
    "users.txt",
    "titles.txt",
    "histories.npz",
    "split.npz",
    "model.keras",
)
TABLE = "item_embedding/vars/0"
SMALL = {"max_len": 4, "hidden_dim": 4, "ffn_dim": 4, "num_blocks": 1, "num_heads": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A RUN of a network that was never trained."""
    folder = tmp_path_factory.mktemp("made") / "run"
    folder.mkdir()
    log = datasets.load("synthetic:items=20,users=30")
    model, train = preset("modern", n_items=log.n_items, model=SMALL)
    config = RunConfig(
        format_version=1, preset="modern", data=log.name, data_sha256=log.sha256, model=model, train=train, versions={},
        split=SplitConfig(),
    )  # fmt: skip
    files.write_json(folder / "config.json", msgspec.to_builtins(config))
    files.write_json(folder / "metrics.json", {"full": {}, "sampled": {}})
    files.write_interactions(folder, log)
    (folder / "titles.txt").write_text("title\n" * log.n_items)
    files.write_split(folder / "split.npz", split.split(log, SplitConfig()))
    SASRec(model).save(folder / "model.keras")
    return folder


@pytest.fixture
def copy(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def load_all(folder: Path) -> SASRec:
    loaded = Run.load(folder)
    loaded.split()
    return loaded.model()


def repack(path: Path, edit: Callable[[str, bytes], bytes], compression: int = zipfile.ZIP_STORED) -> None:
    """Change the members of an archive, with checksums that are right again."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, edit(name, content))


def edit_weights(path: Path, edit: Callable[[h5py.File], object]) -> None:
    def change(name: str, content: bytes) -> bytes:
        if name != "model.weights.h5":
            return content
        file = io.BytesIO(content)
        with h5py.File(file, "r+") as weights:
            edit(weights)
        return file.getvalue()

    repack(path, change)


def edit_network(path: Path, edit: Callable[[dict], dict]) -> None:
    repack(
        path, lambda name, content: json.dumps(edit(json.loads(content))).encode() if name == "config.json" else content
    )


def test_a_whole_run_is_read(copy):
    assert load_all(copy).config.hidden_dim == 4


def test_the_weights_are_those_that_were_saved(copy):
    edit_weights(
        copy / "model.keras", lambda file: file[TABLE].write_direct(np.full(file[TABLE].shape, 0.5, np.float32))
    )
    assert (np.asarray(load_all(copy).item_embedding.embeddings) == 0.5).all()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("pipe", "is a pipe, expected a file"),
        ("folder", "is a folder, expected a file"),
        ("device", "is a device, expected a file"),
        ("link out", "leads out of the RUN through a link"),
        ("link to itself", "cannot be read"),
        ("link to nothing", "is missing"),
    ],
    ids=lambda value: value if " " not in value or value.startswith("link") else "",
)
def test_what_is_no_file_of_the_folder_is_refused(copy, made, name, kind, match):
    path = copy / name
    path.unlink()
    make = {
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "device": lambda: path.symlink_to("/dev/zero"),
        "link out": lambda: path.symlink_to(made / name),
        "link to itself": lambda: path.symlink_to(name),
        "link to nothing": lambda: path.symlink_to("nothing"),
    }
    if kind == "pipe" and not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    make[kind]()
    with pytest.raises(RunError, match=rf"{name} {match}"):
        load_all(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_link_within_the_folder_is_followed(copy, name):
    (copy / name).rename(copy / "elsewhere")
    (copy / name).symlink_to("elsewhere")
    load_all(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_may_not_be_read_is_not_called_corrupted(copy, name, monkeypatch):
    def refuse(path: Path, *_: object) -> int:  # tests often run as root, who may read everything
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied")
        return open_as_before(path, *_)

    open_as_before = os.open
    monkeypatch.setattr(untrusted_files.os, "open", refuse)
    with pytest.raises(RunError, match=rf"{name} cannot be read: permission denied\. Give yourself the right"):
        load_all(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_file_larger_than_memory_is_refused(copy, name, monkeypatch):
    with (copy / name).open("r+b") as file:
        file.truncate(2**31)  # sparse: it takes no room
    monkeypatch.setattr(memory, "limit_bytes", lambda: 2**30)
    with pytest.raises(RunError, match=rf"{name} does not fit in this machine's memory"):
        load_all(copy)


@pytest.mark.parametrize("name", ["config.json", "metrics.json"])
@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"[" * 100_000, "no JSON"),
        (b'{"a":' * 100_000, "no JSON"),
        (b'{"format_version":' + b"9" * 5000 + b"}", "no JSON"),
        (b'{"full": NaN}', "NaN is not a number of JSON"),
        (b'{"full": {}, "full": {}}', "an object names a field twice"),
        (b'{"a": "' + b"x" * 2**24 + b'"}', "more than 16,777,216 bytes"),
    ],
    ids=["deep", "deep objects", "digits", "NaN", "twice", "large"],
)
def test_hostile_json_is_refused(copy, name, content, match):
    (copy / name).write_bytes(content)
    with pytest.raises(RunError, match=rf"{name} is corrupted: it holds .*{match}"):
        load_all(copy)


@pytest.mark.parametrize("field", ["max_len", "hidden_dim", "ffn_dim", "num_blocks"])
def test_a_network_that_the_weights_cannot_be_of_is_not_built(copy, field):
    config = json.loads((copy / "config.json").read_text())
    config["model"][field] = 1000 if field == "num_blocks" else 2**16
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match=r"model\.keras is corrupted: it holds .* bytes, fewer than the"):
        load_all(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda _: {"module": "keras.layers", "class_name": "Lambda", "config": {}, "registered_name": None},
        lambda _: {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "AAAA"}},
        lambda _: {"module": "os", "class_name": "system", "config": {}, "registered_name": None},
        lambda told: {**told, "config": {"config": {**told["config"]["config"], "n_items": 2**40}}},
        lambda told: {**told, "config": []},
        lambda _: [],
    ],
    ids=["Lambda", "torch", "system", "huge", "no fields", "no object"],
)
def test_another_class_or_network_is_never_built(copy, change):
    edit_network(copy / "model.keras", change)
    with pytest.raises(RunError, match=r"another network than config\.json describes"):
        load_all(copy)


def replace_table(**made_by: object) -> Callable[[h5py.File], object]:
    def edit(file: h5py.File) -> None:
        shape = file[TABLE].shape
        del file[TABLE]
        file.create_dataset(TABLE, **{"shape": shape, "dtype": "f4", **made_by})

    return edit


def link_table(link: object) -> Callable[[h5py.File], object]:
    def edit(file: h5py.File) -> None:
        del file[TABLE]
        file[TABLE] = link

    return edit


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (replace_table(dtype="f8"), "not plain float32"),
        (replace_table(shape=(10**6, 10**6), chunks=(100, 100), compression="gzip"), "compressed"),
        (replace_table(external=[("/etc/hostname", 0, 10**4)]), "link, compressed, or not plain"),
        (replace_table(shape=(3, 4)), r"bytes of weights, expected"),
        (link_table(h5py.ExternalLink("/etc/hostname", "/x")), "a link"),
        (link_table(h5py.SoftLink("/x")), "a link"),
        (lambda file: file.__delitem__(TABLE), "bytes of weights, expected"),
        (lambda file: file.__setitem__("loop", file["/"]), "more groups and weights than the network has"),
        (lambda file: file.move("item_embedding", "other"), "could not be loaded"),
    ],
    ids=["float64", "bomb", "external", "short", "external link", "soft link", "absent", "endless", "renamed"],
)
def test_weights_that_are_not_plain_data_of_the_file_are_refused(copy, edit, match):
    edit_weights(copy / "model.keras", edit)
    with pytest.raises(RunError, match=rf"model\.keras is corrupted: it holds .*{match}"):
        load_all(copy)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [3, slice(None), (0, 1)], ids=["row", "all", "one"])
def test_weights_that_are_not_finite_are_refused(copy, value, place):
    def edit(file: h5py.File) -> None:
        table = file[TABLE][:]
        table[place] = value
        file[TABLE][:] = table

    edit_weights(copy / "model.keras", edit)
    with pytest.raises(RunError, match=r"weights that are not finite numbers, in .*item_embedding"):
        load_all(copy)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_zip_bomb_is_not_decompressed(copy, compression):
    repack(copy / "model.keras", lambda name, content: bytes(2**26) if name.endswith("h5") else content, compression)
    with pytest.raises(RunError, match="a member that is larger decompressed than it may be"):
        load_all(copy)


def test_other_members_are_refused(copy):
    with zipfile.ZipFile(copy / "model.keras", "a") as archive:
        archive.writestr("../../escaped", "x")
    with pytest.raises(RunError, match=r"the members .*escaped"):
        load_all(copy)


@pytest.mark.parametrize("name", ["model.keras", "split.npz"])
def test_a_file_that_was_replaced_after_the_run_was_loaded_is_not_mixed_with_it(copy, name):
    loaded = Run.load(copy)
    shutil.copy(copy / name, copy / "new")
    (copy / "new").replace(copy / name)
    with pytest.raises(RunError, match=rf"{name} was replaced after the run was loaded"):
        loaded.model() if name == "model.keras" else loaded.split()


def test_a_run_that_is_replaced_while_it_is_read_is_refused(copy, monkeypatch):
    read = files.read_interactions

    def replace_then_read(path: Path, name: str) -> object:
        shutil.copy(path / "model.keras", path / "new")
        (path / "new").replace(path / "model.keras")
        return read(path, name)

    monkeypatch.setattr(folder.files, "read_interactions", replace_then_read)
    with pytest.raises(RunError, match="was replaced"):
        Run.load(copy)


@pytest.mark.parametrize("seed", range(8))
def test_random_damage_gives_a_run_or_one_sentence(copy, made, seed):
    """Flips, cuts and additions; in archives also such that the checksums are right again."""
    rng = random.Random(seed)
    for name in FILES:
        for _ in range(3):
            content = bytearray((made / name).read_bytes())
            place = rng.randrange(len(content))
            content[place] ^= 1 << rng.randrange(8)
            (copy / name).write_bytes(
                content[: place if rng.random() < 0.2 else None] + rng.randbytes(rng.randrange(3))
            )
            with contextlib.suppress(RunError):
                load_all(copy)
        shutil.copy(made / name, copy / name)
    for name in ("model.keras", "histories.npz", "split.npz"):

        def flip(_: str, content: bytes) -> bytes:
            changed = bytearray(content)
            changed[rng.randrange(min(len(changed), 2**13))] ^= 1 << rng.randrange(8)
            return bytes(changed)

        repack(copy / name, flip)
        with contextlib.suppress(RunError):
            load_all(copy)
        shutil.copy(made / name, copy / name)
