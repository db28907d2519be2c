"""How the tests of training run a command."""

from sasrec_export.cli import main


def fails(runner, arguments: list, code: int) -> str:
    """Run a command that must end with this exit code, without a traceback; return what it says."""
    result = runner.invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    return result.stderr
