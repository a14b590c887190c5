from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from backend.catalog import header as header_module
from backend.catalog.errors import CatalogError
from backend.catalog.header import read_header


def raw(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def tensor(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_a_real_file_reads_as_it_was_written(tmp_path: Path) -> None:
    arrays = {"b": np.zeros((3, 4), np.float16), "a": np.ones(5, np.float32), "n": np.int64(3)}
    file = tmp_path / "w.safetensors"
    save_file({k: np.asarray(v) for k, v in arrays.items()}, file, metadata={"format": "pt"})
    header = read_header(file)
    assert {k: (t.dtype, t.shape, t.nbytes) for k, t in header.tensors.items()} == {
        "a": ("F32", (5,), 20),
        "b": ("F16", (3, 4), 24),
        "n": ("I64", (), 8),
    }
    assert header.metadata == {"format": "pt"}
    assert len(header.digest) == 64


def test_no_tensor_byte_is_needed_to_read(tmp_path: Path) -> None:
    """A sparse file of 8 GB reads at once."""
    file = tmp_path / "big.safetensors"
    content = raw({"w": tensor("F32", [2**31], [0, 2**33])})
    with file.open("wb") as out:
        out.write(content)
        out.truncate(len(content) + 2**33)
    assert read_header(file).tensors["w"].nbytes == 2**33


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut short"),
        (b"\x01\x02", "cut short"),
        (b"\x80\x02}q\x00X\x05\0\0\0" + bytes(200), "is a pickle, .*save_file"),
        (b"PK\x03\x04\x00\x00\x08\x08" + bytes(200), "is a pickle, .*save_file"),
        (b"GGUF\x03\0\0\0\x01\0" + bytes(200), "is a GGUF file .* ends in .gguf"),
        (b"\n<!doctype html>\n<html lang=en>", "is a web page and no safetensors file"),
        (b"Entry not found", "is a text .* begins with 'Entry not found'"),
        ('{"error": "Zugriff verweigert für dich"}\n'.encode(), "is a text .* begins with .*error"),
        (("ü" * 400).encode(), "is a text"),
        (raw({}, length=500), "cut short"),
        (raw({"a": tensor()}, b"1234"), "cut short: its header describes 8 bytes"),
        (raw(b"{nonsense"), "header is not JSON"),
        (raw(b"[" * 100_000), "header is not JSON"),
        (raw(b"\xff\xfe"), "header is not JSON"),
        (raw([1]), "not a table"),
        (raw({"a": 3}), "lacks dtype"),
        (raw({"a": tensor(offsets=[0])}, b"0" * 8), "lacks dtype"),
        (raw({"a": {"dtype": "F64", "data_offsets": [0, 8]}}, b"0" * 8), "lacks dtype, shape"),
        (raw({"a": tensor("F33")}, b"0" * 8), "unknown dtype 'F33'"),
        (raw({"a": tensor(["F32"])}, b"0" * 8), "unknown dtype"),
        (raw({"a": tensor(shape=[2**62] * 1_000_000)}, b"0" * 8), "has 1000000 dimensions"),
        (raw(b'{"\xff": 1}'), "header is not JSON"),
        (raw('{"a": 1}'.encode("utf-16")), "header is not JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (raw({"a": tensor(shape=[-2])}, b"0" * 8), "no whole number"),
        (raw({"a": tensor(shape=[2.0])}, b"0" * 8), "no whole number"),
        (raw({"a": tensor(shape=[3])}, b"0" * 8), "does not fill"),
        (raw({"a": tensor(), "b": tensor(offsets=[4, 12])}, b"0" * 12), "expected 8"),
        (raw({"a": tensor(offsets=[8, 16])}, b"0" * 16), "expected 0"),
        (raw({"a": tensor()}, b"0" * 11), "belong to no tensor"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(content)
    with pytest.raises(CatalogError, match=message) as caught:
        read_header(file)
    assert str(file) in str(caught.value)


def test_a_sentence_stays_short_whatever_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(raw({"n" * 100_000: tensor(shape=[10**4000])}, b"0" * 8))
    with pytest.raises(CatalogError, match="does not fill") as caught:
        read_header(file)
    assert len(str(caught.value)) < 500


def test_a_huge_header_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_module, "MAX_HEADER", 100)
    file = tmp_path / "w.safetensors"
    file.write_bytes(raw(b" " * 101, b"0" * 200))
    with pytest.raises(CatalogError, match="claims a header of 101 bytes"):
        read_header(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"none\.safetensors cannot be read"):
        read_header(tmp_path / "none.safetensors")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 250))
def test_any_bytes_are_read_or_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, length: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "noise.safetensors"
    file.write_bytes(length.to_bytes(8, "little") + noise)
    sentence = "."
    try:
        read_header(file)
    except CatalogError as error:
        sentence = str(error)
    assert sentence.endswith(".")
