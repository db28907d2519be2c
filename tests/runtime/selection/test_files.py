"""Files of keys and of groups: what they may hold, and one sentence for what they may not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import RequestError
from sasrec_runtime.selection import group_file, text_files
from sasrec_runtime.selection.groups import Groups

FILES = {
    "g.csv": "item,group\napple,fruit\nbread,\n7,8\n",
    "g.TSV": "group\tname\titem\nfruit\tx\tapple\n\t\tbread\n8\ty\t7\n\n",
    "g.json": '{"apple": "fruit", "bread": null, "7": 8, "eggs": ""}',
    "bom.csv": "\ufeffitem,group\r\napple,fruit\r\napple,fruit\r\n7,8",
    "quoted.csv": 'item,group\n"apple","fruit"\n7,8\n',
}


@pytest.mark.parametrize("name", FILES)
def test_each_format_says_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name].encode())
    assert group_file.read(path) == {"apple": "fruit", "7": "8"}


def test_groups_are_loaded_for_a_bundle(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "g.csv"
    path.write_text("item,group\napple,fruit\nother,drink\n")
    groups = Groups.load(str(path), bundle)
    assert (groups.names, groups.members(["fruit"]).tolist()) == (["drink", "fruit"], [1])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("g.txt", "", r"suffix '\.txt', expected \.csv, \.tsv or \.json"),
        ("g.csv", "", r"has columns none, expected one 'item'"),
        ("g.csv", "item,kind\n", r"has columns item, kind, expected one 'group'\. Write item and group"),
        ("g.csv", "item,group,item\n", r"has columns item, group, item, expected one 'item'"),
        ("g.csv", "item,group\na,b\nc\n", r"g\.csv line 3 has 1 fields, expected 2"),
        ("g.csv", "item,group\na,b,c\n", r"line 2 has 3 fields, expected 2 as in the heading\. Put quotes"),
        ("g.csv", "item,group\n,b\n", r"line 2: item is empty"),
        ("g.csv", 'item,group\n"a,b\n', r"line 2 cannot be read: unexpected end of data"),
        ("g.csv", "item,group\na,b\na,c\n", r"line 3: item 'a' is in group 'c' and, further up, in 'b'"),
        ("g.csv", "item,group\na,\0\n", r"holds a NUL at byte 13"),
        ("g.json", "{", r"g\.json is not JSON: "),
        ("g.json", "[" * 100_000, r"g\.json is not JSON: "),
        ("g.json", '["a"]', r"is \['a'\], expected one JSON object of item key to group"),
        ("g.json", '{"a": ["b"]}', r"the group of 'a' is \['b'\], expected text\. Name one group"),
        ("g.json", '{"a": true}', r"the group of 'a' is True, expected text"),
        ("g.json", '{"a": "b", "a": "c"}', r"item 'a' is in group 'c' and, further up, in 'b'"),
    ],
)
def test_what_is_not_a_file_of_groups_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    with pytest.raises(RequestError, match=message):
        group_file.read(path)


def test_a_file_of_other_items_is_refused(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "g.json"
    path.write_text('{"x": "a"}')
    with pytest.raises(RequestError, match=r"g\.json holds 1 items, and none is among the 7 items of this bundle"):
        Groups.load(path, bundle)


def test_a_file_of_keys_has_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes("\ufeffa\r\n\nb c\u2028d\n e".encode())
    assert text_files.read_keys(path) == ["a", "b c\u2028d", " e"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0\ufeff"), min_size=1)))
def test_keys_come_back_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "keys"
    path.write_bytes("\n".join(keys).encode())
    assert text_files.read_keys(path) == keys


def test_what_is_not_text_or_not_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"ab\xff")
    with pytest.raises(RequestError, match="is not UTF-8 at byte 2, expected item keys"):
        text_files.read_keys(path)
    with pytest.raises(RequestError, match="is a folder, expected a file of item keys"):
        text_files.read_keys(tmp_path)
    with pytest.raises(RequestError, match="is a pipe or a device, expected a file of item keys"):
        text_files.read_keys(Path("/dev/zero"))
    with pytest.raises(FileNotFoundError):
        text_files.read_keys(tmp_path / "none")
