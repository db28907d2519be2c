"""How `sasrec-edge` ends: whatever fails, one sentence and an exit code, and no terminal is told what to do."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from runtime import tiny
from sasrec_export import stopping
from sasrec_export.cli import RootGroup, main
from sasrec_runtime.cli.commands import COMMANDS

EVIL = "\x1b]0;pwn\x07\x9b31m\u202e"
POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX only")
SHOWN = r"\x1b]0;pwn\x07\x9b31m\u202e"
CODE = "from sasrec_export.cli import main; main()"


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-c", CODE, *(os.fsencode(str(argument)) for argument in arguments)]
    return subprocess.run(command, stderr=subprocess.PIPE, check=False, **options)


def failing(error: BaseException) -> click.Group:
    """Return a root group whose only command raises this."""
    group = RootGroup("sasrec-edge")

    @group.command()
    def fail() -> None:
        raise error

    return group


def ends(runner: CliRunner, error: BaseException) -> Result:
    return runner.invoke(failing(error), ["fail"])


@pytest.fixture
def hostile_bundle(tmp_path: Path) -> Path:
    """A bundle whose keys, titles and origin hold control characters, with digests that are right."""
    import hashlib

    path = tmp_path / "bundle"
    tiny.write(path)
    manifest = json.loads((path / "manifest.json").read_bytes())
    for name, old in (("items", "cheese"), ("titles", "Old cheese")):
        entry = manifest["vocabulary"][name]
        file = path / entry["path"]
        data = file.read_bytes().replace(old.encode(), EVIL.encode())
        file.write_bytes(data)
        entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    manifest["provenance"]["data"] = EVIL
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


@pytest.mark.parametrize("arguments", [("recommend", "apple", "bread", "-k", "7"), ("inspect",)])
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_keys_titles_and_origin_are_shown_and_not_obeyed(
    runner: CliRunner, hostile_bundle: Path, arguments: tuple[str, ...], form: tuple[str, ...]
) -> None:
    command, *rest = arguments
    result = runner.invoke(main, [command, str(hostile_bundle), *rest, *form])
    assert result.exit_code == 0, result.output
    assert not set("\x1b\x07\x9b\u202e\x7f") & set(result.stdout)
    if form:
        assert json.dumps(EVIL).strip('"') in json.dumps(json.loads(result.stdout))
    else:
        assert SHOWN in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["recommend", f"/tmp/{EVIL}"], 1),
        (["score", f"/tmp/{EVIL}", "--histories", f"{EVIL}.csv", "--out", "out.csv"], 1),
        ([f"x{EVIL}"], 2),
        (["verify", "bundle", f"--{EVIL}"], 2),
        (["recommend", "bundle", "-k", EVIL], 2),
        (["score", "bundle", "--histories", "a", "--out", "b", "--max-bad", EVIL], 2),
    ],
)
def test_errors_show_what_was_given_and_do_not_obey_it(runner: CliRunner, arguments: list[str], code: int) -> None:
    result = runner.invoke(main, arguments)
    assert result.exit_code == code
    assert not set("\x1b\x07\x9b\u202e") & set(result.stderr)
    assert r"\x1b]0;pwn" in result.stderr


@pytest.mark.parametrize("argument", ["a\0b", "\udcff"], ids=["NUL", "not UTF-8"])
def test_arguments_that_no_file_could_hold_are_refused_before_any_work(runner: CliRunner, argument: str) -> None:
    result = runner.invoke(main, ["export", "run", "--out", argument])
    assert result.exit_code == 2
    assert f"Argument 4 is {argument!r}, expected UTF-8 without NUL." in result.stderr


@POSIX
def test_bytes_that_are_not_utf8_are_refused_in_a_real_process() -> None:
    done = process("export", "run", "--out", os.fsdecode(b"\xff"), stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"expected UTF-8 without NUL" in done.stderr


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            OSError(28, "No space left on device"),
            "A file cannot be read or written: No space left on device. Make room",
        ),
        (OSError(5, "Input/output error", "x.bin"), "x.bin: Input/output error. Check the disk."),
        (OSError(18, "Cross-device link", "a\x1b", None, "b"), r"a\x1b → b: Cross-device link."),
        (MemoryError(), "There is not enough memory for this. Close other programs"),
    ],
    ids=["disk full", "damaged disk", "two names", "memory"],
)
def test_what_the_system_refuses_is_one_sentence(runner: CliRunner, error: BaseException, sentence: str) -> None:
    result = ends(runner, error)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {sentence}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("error", [RecursionError(), OSError("of a library"), ValueError(), KeyError()])
def test_what_is_not_expected_keeps_its_traceback(runner: CliRunner, error: BaseException) -> None:
    assert ends(runner, error).exception is error


@pytest.mark.parametrize("command", [["--help"], ["train", "--help"], ["inspect", "BUNDLE"]], ids=" ".join)
@pytest.mark.parametrize("stream", ["full", "pipe without a reader", "closed"])
@POSIX
def test_a_standard_output_that_cannot_be_written_is_one_sentence(
    shared_bundle: Path, command: list[str], stream: str
) -> None:
    arguments = [shared_bundle if argument == "BUNDLE" else argument for argument in command]
    if stream == "full":
        with Path("/dev/full").open("wb") as full:
            done = process(*arguments, stdout=full)
    elif stream == "closed":
        done = process(*arguments, preexec_fn=lambda: os.close(1))
    else:
        reader, writer = os.pipe()
        os.close(reader)
        done = process(*arguments, stdout=writer)
        os.close(writer)
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: Standard output ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("command", [["train", "--help"], ["inspect", "BUNDLE"], ["recommend", "BUNDLE", "-k", "1"]])
def test_every_encoding_can_show_every_command(shared_bundle: Path, command: list[str], encoding: str) -> None:
    arguments = [shared_bundle if argument == "BUNDLE" else argument for argument in command]
    done = process(*arguments, stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": encoding})
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_json_is_json_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    text = "é – 👩 \x9b \u202e"
    code = (
        "from sasrec_export import streams\nfrom sasrec_runtime.cli.printing import print_json\n"
        f"streams.prepare()\nprint_json({{'a': {text!r}}})"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    assert json.loads(done.stdout.decode("utf-8" if encoding == "ascii" else encoding)) == {"a": text}


@POSIX
def test_keys_from_standard_input_that_are_not_text_are_one_sentence(shared_bundle: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = process("recommend", shared_bundle, "-", input=b"apple \xff", stdout=subprocess.PIPE, env=environment)
    assert (done.returncode, done.stderr) == (
        1, b"Error: Standard input is not UTF-8 at byte 6, expected item keys. Convert it.\n",
    )  # fmt: skip


@pytest.mark.parametrize("option", [("--threads", "1025"), ("--threads", "0"), ("--calls", "0"), ("--batch", "0")])
def test_numbers_beyond_their_limits_are_usage_errors(
    runner: CliRunner, shared_bundle: Path, option: tuple[str, str]
) -> None:
    result = runner.invoke(main, ["bench", str(shared_bundle), *option])
    assert result.exit_code == 2
    assert f"Invalid value for '{option[0]}': {option[1]} is not in the range" in result.stderr


SIGNALS = [getattr(signal, name) for name in stopping.NAMES if hasattr(signal, name)]


@POSIX
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_clears_up_as_ctrl_c_does(runner: CliRunner, number: int) -> None:
    seen: list[type[BaseException] | None] = []
    group = RootGroup("sasrec-edge")

    @group.command()
    def wait() -> None:
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        except BaseException as error:
            os.kill(os.getpid(), number)  # the second one leaves the clearing up alone
            seen.append(type(error))
            raise

    result = runner.invoke(group, ["wait"])
    assert (result.exit_code, result.stderr) == (128 + number, "Terminated.\n")
    assert seen == [stopping.Terminated]
    assert signal.getsignal(number) is signal.SIG_DFL


IN_NATIVE_CODE = """
import hashlib, os, signal, threading
from sasrec_export import stopping
from sasrec_export.cli import main
stopping.PATIENCE_S = 0.2

@main.command("hang")
def hang():
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 1 << 30)

main(["hang"])
"""


@POSIX
def test_a_signal_ends_a_call_that_does_not_return() -> None:
    done = subprocess.run([sys.executable, "-c", IN_NATIVE_CODE], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (143, b"Terminated.\n")


@POSIX
def test_a_signal_that_is_ignored_stays_so(runner: CliRunner) -> None:
    group = RootGroup("sasrec-edge")
    group.command("hang-up")(lambda: os.kill(os.getpid(), signal.SIGHUP))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert runner.invoke(group, ["hang-up"]).exit_code == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_commands_run_in_other_threads_too(runner: CliRunner) -> None:
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(runner.invoke(failing(MemoryError()), ["fail"])))
    thread.start()
    thread.join()
    assert results[0].exit_code == 1


STOP_AFTER_A_PART = """
import os, signal, sys
from sasrec_runtime.batch import job
real = job.Job.write_part
def write_part(self, part, answers, bad):
    real(self, part, answers, bad)
    os.kill(os.getpid(), signal.{name})
job.Job.write_part = write_part
from sasrec_export.cli import main
main()
"""


@POSIX
@pytest.mark.parametrize(
    ("name", "code", "last"),
    [("SIGINT", 1, "Aborted!"), ("SIGTERM", 143, "Terminated."), ("SIGHUP", 129, "Terminated.")],
)
def test_a_scoring_that_was_stopped_says_what_resumes_it(
    shared_bundle: Path, tmp_path: Path, name: str, code: int, last: str
) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("user,history\n" + "".join(f"u{number},apple\n" for number in range(5000)))
    arguments = ["score", str(shared_bundle), "--histories", str(source), "--out", str(out), "-k", "2"]
    script = STOP_AFTER_A_PART.format(name=name)
    stopped = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert stopped.returncode == code, stopped.stderr
    lines = [line for line in stopped.stderr.splitlines() if line]
    assert lines == ["Stopped. The same command with --resume goes on.", last]
    resumed = process(*arguments, "--resume", stdout=subprocess.PIPE)
    assert (resumed.returncode, resumed.stdout.startswith(b"5,000 rows read: 5,000 answered")) == (0, True)


def test_a_stop_before_the_job_began_promises_nothing(
    runner: CliRunner, shared_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sasrec_runtime.batch import score_file

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    (tmp_path / "in.csv").write_text("user,history\n")
    monkeypatch.setattr(score_file, "score_file", stop)
    places = ["--histories", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv")]
    result = runner.invoke(main, ["score", str(shared_bundle), *places])
    assert (result.exit_code, result.stderr.split()) == (1, ["Aborted!"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_ends_with_a_sentence_where_its_bundle_is_a_device(
    runner: CliRunner, tmp_path: Path, command: click.Command
) -> None:
    (tmp_path / "in.csv").write_text("user,history\n")
    files = ["--histories", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv")]
    result = runner.invoke(main, [str(command.name), os.devnull, *(files if command.name == "score" else [])])
    assert (result.exit_code, result.stderr.startswith("Error: ")) == (1, True)
