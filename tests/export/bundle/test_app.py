"""`export --app`: one variant, its size in the output, nothing that the app does not need."""

import json
from pathlib import Path

import pytest

from sasrec_export.bundle import app
from sasrec_export.cli import main
from sasrec_export.errors import ExportError
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks.verify import verify

FLOAT = ("--recipe", "fp32")  # an app may ship any recipe; this one is exported fastest


@pytest.mark.parametrize(
    ("name", "runtime"), [("android", "tflite"), ("ios", "onnx"), ("web", "onnx")], ids=lambda value: value
)
def test_an_app_ships_int8_on_its_engine_by_default(name: str, runtime: str) -> None:
    assert app.choose(name, (), ()) == ((runtime,), ("wi8",))


@pytest.mark.tf
@pytest.mark.parametrize(
    ("name", "recipe", "variant"),
    [
        ("android", (), "tflite-wi8"),
        ("ios", FLOAT, "onnx-fp32"),
        ("web", FLOAT, "onnx-fp32"),
    ],
    ids=["android", "ios", "web"],
)
def test_an_app_ships_one_variant_and_its_card(
    runner, run_folder: Path, tmp_path: Path, name: str, recipe: tuple[str, ...], variant: str
) -> None:
    out = tmp_path / "app"
    result = runner.invoke(main, ["export", str(run_folder), "--out", str(out), "--app", name, *recipe])
    assert result.exit_code == 0, result.output
    bundle = Bundle.open(out)
    assert [one.name for one in bundle.manifest.variants] == [variant]
    assert [document.path for document in bundle.manifest.documents] == ["README.md"]
    assert verify(bundle)[0].status == "passed"
    on_disk = {path.relative_to(out).as_posix(): path.stat().st_size for path in out.rglob("*") if path.is_file()}
    assert app.sizes(bundle) == on_disk
    assert result.stdout.splitlines()[-1].split() == [f"{name}:", variant, f"{sum(on_disk.values()):,}"]


@pytest.mark.tf
def test_the_size_stands_in_the_json_too(runner, run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "app"
    arguments = ["export", str(run_folder), "--out", str(out), "--app", "ios", "--recipe", "fp32", "--json"]
    result = json.loads(runner.invoke(main, arguments).stdout)
    assert result["app"] == {"name": "ios", "files": app.sizes(Bundle.open(out))}


def test_an_app_ships_no_two_recipes() -> None:
    with pytest.raises(ExportError, match="--app ios ships one variant, but --recipe is given 2 times"):
        app.choose("ios", (), ("fp32", "wi8"))


def test_a_page_ships_no_tflite() -> None:
    with pytest.raises(ExportError, match="--app web runs on onnxruntime-web, but --runtime is tflite"):
        app.choose("web", ("tflite",), ())


def test_another_runtime_can_be_chosen() -> None:
    assert app.choose("android", ("onnx",), ()) == (("onnx",), ("wi8",))
