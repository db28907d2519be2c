"""Other people's text in Markdown: keys, titles and file names are shown, and never read as Markdown or HTML."""

import re

__all__ = ["cell", "code", "is_hidden", "plain", "visible"]

HIDDEN = "\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
"""Control characters, marks of the writing direction, invisible spaces, line separators, lone surrogates."""

_HIDDEN = re.compile(f"[{HIDDEN}]")
_SPECIAL = re.compile(r"[\\`*~\[\]<>|&#!]|(?<!\w)_|_(?!\w)")  # within a word `_` means nothing: onnx-wi8_afp32


def is_hidden(character: str) -> bool:
    """Return whether the character is invisible, or changes how others are shown."""
    return _HIDDEN.fullmatch(character) is not None


def visible(text: str) -> str:
    r"""Return text without characters that a reader does not see: they become escapes such as `\x1b`."""
    return _HIDDEN.sub(lambda found: found.group().encode("unicode_escape", "surrogatepass").decode("ascii"), text)


def code(text: str) -> str:
    """Return text as a code span, in which neither HTML nor Markdown is read; hidden characters become escapes."""
    shown = visible(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    # A space within the fence is taken off again, so that text may begin and end with anything.
    room = " " if shown.strip(" ") != shown or shown.startswith("`") or shown.endswith("`") or not shown else ""
    return f"{fence}{room}{shown}{room}{fence}"


def cell(text: str) -> str:
    """Return text as a code span in a cell of a table, where a bar would end the cell even in code."""
    return code(text).replace("|", "\\|")


def plain(text: str) -> str:
    """Return text as Markdown that reads as it stands; hidden characters become escapes."""
    return _SPECIAL.sub(r"\\\g<0>", visible(text))
