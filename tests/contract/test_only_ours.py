"""Whatever lies where a command writes, what we did not write is afterwards as it was, byte for byte."""

import contextlib
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sasrec_export.report.show.write import REPORT_FOLDER
from sasrec_runtime import manifest
from sasrec_runtime.atomic import folder, scratch
from sasrec_runtime.batch.job import PARTS, Job, JobDescription
from sasrec_runtime.batch.outputs import check_places
from sasrec_runtime.bundle_folder import BUNDLE
from sasrec_runtime.errors import SasrecError
from sasrec_train import run
from sasrec_train.config import ModelConfig, TrainConfig
from sasrec_train.errors import TrainError
from sasrec_train.run import run_config
from sasrec_train.training.checkpoints import TRAINING, Checkpoints

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle_v2"
MANIFEST = (GOLDEN / "manifest.json").read_bytes()
CONFIG = run.RunConfig(
    format_version=1, preset="modern", data="log", data_sha256="0" * 64, model=ModelConfig(n_items=3),
    train=TrainConfig(), versions={},
)  # fmt: skip
JOB = JobDescription(
    histories="in.csv", bytes=1, modified_ns=1, bundle="0" * 64, variant="onnx-wi8",
    options={"separator": " "}, part_rows=9,
)  # fmt: skip


@dataclass(frozen=True)
class Ours:
    """A folder as a command leaves it, and the command."""

    suffix: str
    """Of the folder's name, after that of the output."""
    files: dict[str, bytes]
    marker: str
    run: Callable[[Path, bool, bool], None]
    """Given the output, force, and resume."""
    is_known_by_name: bool = False


def replace_by(kind: Any, files: dict[str, bytes]) -> Callable[[Path, bool, bool], None]:
    def run_command(out: Path, force: bool, resume: bool) -> None:
        with folder.staged(out, kind, force=force) as place:
            for name, data in files.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(data)

    return run_command


def start_a_job(out: Path, force: bool, resume: bool) -> None:
    check_places(out, [])
    job = Job(out, JOB)
    try:
        job.start(force=force, resume=resume)
        job.write_part(0, [], [])
        job.finish(1)
    finally:
        job.close()


def start_a_training(out: Path, force: bool, resume: bool) -> None:
    checkpoints = Checkpoints(out.with_name(f"{out.name}.training"), {})
    run.check(out, force=force, resume=resume)
    with checkpoints.held(out):
        checkpoints.remove()


BUNDLE_FILES = {entry.path: b"x" for entry in manifest.decode(MANIFEST).all_files()} | {"manifest.json": MANIFEST}
RUN_FILES = dict.fromkeys(run_config.FILES, b"x") | {"config.json": msgspec.json.encode(CONFIG)}
REPORT_FILES = {"report.json": (GOLDEN / "report.json").read_bytes(), "report.html": b"x"}
KINDS = {
    "bundle": Ours("", BUNDLE_FILES, "manifest.json", replace_by(BUNDLE, BUNDLE_FILES)),
    "RUN": Ours("", RUN_FILES, "config.json", replace_by(run.RUN, RUN_FILES)),
    "report": Ours("", REPORT_FILES, "report.json", replace_by(REPORT_FOLDER, REPORT_FILES)),
    "job": Ours(
        ".parts",
        {"job.json": msgspec.json.encode(JOB), "0.rows": b"", "0.bad": b"", "1.tmp": b"x"},
        "job.json",
        start_a_job,
        is_known_by_name=True,
    ),
    "training": Ours(
        ".training",
        {scratch.MARKER: scratch.description(Path("out"), TRAINING.name), "last.npz": b"x", "best-3.npz": b"x"},
        scratch.MARKER,
        start_a_training,
        is_known_by_name=True,
    ),
}
FOREIGN = [b"", b"{}", b"[]", b'{"name": "My PWA"}', b'{"model_type": "bert"}', b"\xff", b"precious"]
NAMES = sorted({name for ours in KINDS.values() for name in ours.files} | {".git/HEAD", "src/app.js", "notes.txt", "a"})
PLACES = [
    "out", "out.training", "out.parts", "out.bad.jsonl", ".out.partial-0a00e842", ".out.old-0a00e842",
    ".out.scratch-0a00e842", ".out.scratch-0a00e842/new", "neighbour",
]  # fmt: skip
nodes = st.one_of(st.sampled_from(FOREIGN), st.sampled_from(["link", "pipe", "empty folder"]))
trees = st.dictionaries(st.sampled_from(NAMES), nodes, max_size=4)


def build(place: Path, files: dict[str, Any]) -> None:
    """Make a tree, as far as its paths do not contradict one another."""
    for name, node in files.items():
        path = place / name
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(path):
                if isinstance(node, bytes) and path.is_file():
                    path.write_bytes(node)
            elif isinstance(node, bytes):
                path.write_bytes(node)
            elif node == "link":
                path.symlink_to(place.parent / "goal")
            elif node == "pipe":
                os.mkfifo(path)
            else:
                path.mkdir()


def snapshot(place: Path) -> dict[str, Any]:
    """Return relative path → what is there; the place itself is "."."""
    if not os.path.lexists(place):
        return {}
    found = {}
    for path in [place, *(place.rglob("*") if place.is_dir() and not place.is_symlink() else [])]:
        mode = path.lstat().st_mode
        seen: Any = stat.S_IFMT(mode)
        if stat.S_ISREG(mode):
            seen = path.read_bytes()
        elif stat.S_ISLNK(mode):
            seen = path.readlink()
        found[path.relative_to(place).as_posix()] = seen
    return found


def is_all_ours(seen: dict[str, Any], ours: Ours) -> bool:
    """Say it again, in another way than the code: our marker, and nothing but files that stand in our list."""
    files = {path: node for path, node in seen.items() if isinstance(node, bytes)}
    folders = {path for path, node in seen.items() if node == stat.S_IFDIR}
    if len(files) + len(folders) != len(seen) or "." not in folders:
        return False
    filled = {parent.as_posix() for path in files for parent in Path(path).parents}
    if not folders <= filled | {"."} | {parent.as_posix() for name in ours.files for parent in Path(name).parents}:
        return False
    has_marker = files.get(ours.marker) == ours.files[ours.marker]
    if not has_marker and files and not (ours.is_known_by_name and ours.marker not in files):
        return False
    return files.keys() <= ours.files.keys()


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_what_is_not_ours_stays_as_it_was(name: str, data: st.DataObject, tmp_path_factory: Any) -> None:
    ours, parent = KINDS[name], tmp_path_factory.mktemp("place")
    (parent / "goal").write_bytes(b"goal")
    for place in data.draw(st.lists(st.sampled_from(PLACES), unique=True, min_size=1, max_size=3), "places"):
        base = data.draw(st.sampled_from([{}, ours.files, *(kind.files for kind in KINDS.values())]), "base")
        build(parent / place, {**base, **data.draw(trees, "tree")})
    if data.draw(st.booleans(), "the output is a file"):
        build(parent, {"out": b"mine"})
    if data.draw(st.booleans(), "bad rows are a file"):
        build(parent, {"out.bad.jsonl": data.draw(st.sampled_from(FOREIGN))})
    force, resume = data.draw(st.booleans(), "force"), data.draw(st.booleans(), "resume")
    places = ["goal", *{place.partition("/")[0] for place in PLACES}]
    before = {place: snapshot(parent / place) for place in places}
    out = parent / "out.jsonl" if name == "job" else parent / "out"
    if name == "job":  # its output needs a suffix
        for place in places:
            if place.startswith("out") and os.path.lexists(parent / place):
                (parent / place).rename(parent / place.replace("out", "out.jsonl", 1))
    with contextlib.suppress(SasrecError, TrainError):
        ours.run(out, force, resume)
    for place in places:
        now = parent / (place.replace("out", "out.jsonl", 1) if name == "job" and place.startswith("out") else place)
        after = snapshot(now)
        if after != before[place]:
            assert may_change(place, before[place], ours, name, force=force, out=before["out"]), (place, after)


def may_change(place: str, seen: dict[str, Any], ours: Ours, name: str, *, force: bool, out: dict[str, Any]) -> bool:
    """Say when a command may touch a place at all."""
    if not seen:  # it was free
        return place in {f"out{ours.suffix}", "out"}
    if place == f"out{ours.suffix}":
        return is_all_ours(seen, ours) and (force or bool(ours.suffix))
    if place == "out" and name == "job":
        return force and isinstance(seen["."], bytes)
    if place == "out.bad.jsonl" and name == "job":
        return force and seen["."] == b""
    if re.fullmatch(r"\.out\.old-.*", place):
        return not out and is_all_ours(seen, KINDS["RUN"] if name == "training" else ours)
    if re.fullmatch(r"\.out\.scratch-.*", place):
        return len(seen) == 1 or seen == {".": stat.S_IFDIR, scratch.MARKER: b""}
    return False


@pytest.mark.parametrize("name", KINDS)
def test_what_is_ours_is_replaced(name: str, tmp_path: Path) -> None:
    ours = KINDS[name]
    out = tmp_path / "out.jsonl"
    build(tmp_path / f"out.jsonl{ours.suffix}", ours.files)
    ours.run(out, True, False)
    if ours.suffix:
        assert not (tmp_path / f"out.jsonl{ours.suffix}").exists()
    else:
        assert {path: node for path, node in snapshot(out).items() if isinstance(node, bytes)} == ours.files


def test_the_report_of_an_older_version_is_ours(tmp_path: Path) -> None:
    report = (GOLDEN.parent / "bundle_v1" / "report.json").read_bytes()
    build(tmp_path / "out", {"report.json": report, "report.html": b"x"})
    folder.check(tmp_path / "out", REPORT_FOLDER, force=True)


@pytest.mark.parametrize("version", ["bundle_v1", "bundle_v2"])
def test_a_bundle_of_every_format_may_be_replaced(version: str) -> None:
    folder.check(GOLDEN.parent / version, BUNDLE, force=True)


def test_the_files_of_a_job_are_those_of_its_kind(tmp_path: Path) -> None:
    job = Job(tmp_path / "out.jsonl", JOB)
    job.start(resume=False, force=False)
    job.write_part(0, [], [])
    job.close()
    assert {path.name for path in (tmp_path / "out.jsonl.parts").iterdir()} == {"job.json", "0.rows", "0.bad"}
    assert PARTS.paths((tmp_path / "out.jsonl.parts" / "job.json").read_bytes()) == []
