"""Arrays of .npz files: what numpy.savez writes is read, everything else is refused before it is believed."""

import contextlib
import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from sasrec_train import npz
from sasrec_train.npz import NpzError

DTYPES = st.sampled_from([np.int32, np.int64, np.float32, np.bool_, np.uint8, "<U5"])


def saved(**arrays) -> io.BytesIO:
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    return file


def archive(*members, compression=zipfile.ZIP_STORED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, content in members:
            made.writestr(name, content)
    file.seek(0)
    return file


def array(header: str, data: bytes = b"", magic: bytes = npz.MAGIC) -> bytes:
    return magic + struct.pack("<H", len(header)) + header.encode() + data


def claim(shape: str, dtype: str = "<i4", data: bytes = b"") -> bytes:
    return array(f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n", data)


@given(st.dictionaries(st.text("abc_/0", min_size=1), arrays_of.arrays(DTYPES, arrays_of.array_shapes(min_dims=0))))
def test_what_numpy_writes_is_read(arrays):
    found = npz.read(saved(**arrays))
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def test_empty_arrays_are_read():
    assert npz.read(saved(a=np.empty(0, np.int32)))["a"].shape == (0,)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (claim("(1000000000000,)"), r"of 0 bytes that says it has 4,000,000,000,000"),
        (claim("(4294967296, 4294967296)"), "that says it has"),
        (claim("(1000000000,)", "<U0"), "that says it has"),
        (claim("(99999999999999999999999,)"), "with the header"),
        (claim("(-1,)"), "with the header"),
        (claim("(1,)", "|O"), "with the header"),
        (claim("(1,)", ">i4", b"1234"), "with the header"),
        (claim("(1,)", "<i3", b"123"), "of type '<i3'"),
        (claim("(1,)", "<U999999999"), "of type|that says"),
        (array("{'descr': __import__('os').system('x')}\n"), "with the header"),
        (array("{'descr': '<i4', 'shape': (1,)\n\t\\"), "with the header"),
        (array("(" * 3000), "with the header"),
        (claim("(1,)", data=b"123"), "of 3 bytes that says it has 4"),
        (claim("(1,)", data=b"12345"), "of 5 bytes that says it has 4"),
        (array("x", magic=b"\x93NUMPY\x02\x00"), "without the header that numpy writes"),
        (b"", "without the header that numpy writes"),
        (npz.MAGIC + b"\xff\xff", "without the header that numpy writes"),
        (npz.MAGIC + b"\x10\x00{", "with the header"),
    ],
)
def test_a_header_is_not_believed(content, match):
    with pytest.raises(NpzError, match=match):
        npz.read(archive(("a.npy", content)))


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_nothing_is_unpacked(compression):
    with pytest.raises(NpzError, match="compressed or encrypted"):
        npz.read(archive(("a.npy", claim("(1000000,)", data=bytes(4_000_000))), compression=compression))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused():
    with pytest.raises(NpzError, match="two members of one name"):
        npz.read(archive(("a.npy", claim("(0,)")), ("a.npy", claim("(0,)"))))


def test_a_member_that_is_no_array_is_refused():
    with pytest.raises(NpzError, match=r"a member 'a\.txt', which is not an array"):
        npz.read(archive(("a.txt", b"hello")))


@pytest.mark.parametrize(
    ("offset", "value"),
    [(8, b"\x01"), (10, b"\x63"), (6, b"\xff"), (42, b"\xff\xff\xff\x7f"), (24, b"\xff\xff\xff\x7f")],
    ids=["encrypted", "method", "version", "place", "size"],
)
def test_a_corrupted_directory_is_refused(offset, value):
    content = bytearray(saved(a=np.arange(9)).getvalue())
    place = content.rindex(b"PK\x01\x02") + offset
    content[place : place + len(value)] = value
    with pytest.raises(NpzError):
        npz.read(io.BytesIO(content))


def test_a_changed_byte_of_an_array_is_noticed():
    content = bytearray(saved(a=np.arange(1000)).getvalue())
    content[4000] ^= 1
    with pytest.raises(NpzError, match="Bad CRC-32"):
        npz.read(io.BytesIO(content))


@given(st.binary(max_size=300), st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
def test_any_bytes_give_arrays_or_one_error(junk, place, change):
    content = bytearray(saved(a=np.arange(50, dtype=np.int32), b=np.ones(3, np.float32)).getvalue())
    content[place % len(content) : place % len(content) + len(change)] = change
    for corrupted in (junk, bytes(content)):
        with contextlib.suppress(NpzError):
            npz.read(io.BytesIO(corrupted))


def test_a_disk_that_fails_is_not_called_damage():
    class Failing(io.BytesIO):
        def read(self, *size):  # the directory at the end is read well, what it names is not
            if self.tell() == 0:
                raise OSError(5, "Input/output error")
            return super().read(*size)

    with pytest.raises(OSError, match="Input/output error"):
        npz.read(Failing(saved(a=np.arange(3)).getvalue()))
