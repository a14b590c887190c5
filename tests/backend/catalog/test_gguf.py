"""GGUF headers: what the gguf package writes is read back, and headers that lie are refused."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.constants import GGML_QUANT_SIZES
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.catalog import gguf as module
from backend.catalog.errors import CatalogError
from backend.catalog.gguf import BLOCKS, LOADABLE, Counted, read_gguf
from backend.catalog.header import TensorInfo


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A file as the gguf package writes it: three types, metadata of every kind."""
    path = tmp_path / "net.gguf"
    writer = gguf.GGUFWriter(path, "flux")
    writer.add_uint32("flux.block_count", 19)
    writer.add_float32("scale", 0.5)
    writer.add_bool("distilled", True)
    writer.add_array("axes", [16, 56, 56])
    writer.add_array("names", ["a", "b"])
    writer.add_array("vocabulary", [f"word {i}" for i in range(2000)])
    writer.add_array("merges", list(range(2000)))
    values = np.linspace(-1, 1, 4 * 512, dtype=np.float32).reshape(4, 512)
    kind = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor("img_in.weight", gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.add_tensor("img_in.bias", values[0])
    writer.add_tensor("scale", np.ones((2, 3, 5), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_real_file_reads_as_it_was_written(real: Path) -> None:
    header = read_gguf(real)
    assert header.version == 3
    assert dict(header.tensors) == {
        "img_in.weight": TensorInfo("Q8_0", (4, 512), 4 * 512 // 32 * 34),
        "img_in.bias": TensorInfo("F32", (512,), 2048),
        "scale": TensorInfo("F16", (2, 3, 5), 60),
    }
    assert header.architecture == "flux"
    assert header.metadata["flux.block_count"] == 19
    assert header.metadata["scale"] == 0.5
    assert header.metadata["distilled"] is True
    assert header.metadata["axes"] == (16, 56, 56)
    assert header.metadata["names"] == ("a", "b")
    assert header.metadata["vocabulary"] == header.metadata["merges"] == Counted(2000)
    assert len(header.digest) == 64


def test_the_offsets_lead_to_the_tensors(real: Path) -> None:
    place = read_gguf(real).offsets["img_in.bias"]
    bias = np.frombuffer(real.read_bytes()[place : place + 2048], np.float32)
    assert np.array_equal(bias, np.linspace(-1, 1, 2048, dtype=np.float32)[:512])


def test_the_sizes_of_all_types_are_those_of_ggml() -> None:
    for kind, (block, size) in GGML_QUANT_SIZES.items():
        if kind.name != "Q8_1":  # never stored; the package and ggml disagree on its size
            assert BLOCKS[int(kind)] == (kind.name, block, size)
    assert {name for name, _, _ in BLOCKS.values()} > set(LOADABLE)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: str = "w", dims: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0) -> bytes:
    head = text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
    return head + struct.pack("<IQ", kind, offset)


def raw(*pairs: bytes, tensors: tuple[bytes, ...] = (), data: int = 0, version: int = 3) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    head += b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + bytes(data)


@pytest.mark.parametrize("version", [2, 3])
def test_both_versions_are_read(tmp_path: Path, version: int) -> None:
    path = tmp_path / "w.gguf"
    path.write_bytes(raw(tensors=(tensor(),), data=128, version=version))
    assert read_gguf(path).tensors["w"] == TensorInfo("F32", (32,), 128)


def test_no_tensor_byte_is_needed_to_read(tmp_path: Path) -> None:
    path = tmp_path / "big.gguf"
    head = raw(tensors=(tensor(dims=(256, 2**24), kind=12),))
    path.write_bytes(head)
    with path.open("r+b") as file:
        file.truncate(len(head) + 2**24 * 144)
    assert read_gguf(path).tensors["w"] == TensorInfo("Q4_K", (2**24, 256), 2**24 * 144)


def test_shapes_of_flattened_tensors_are_undone(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    original = struct.pack("<IQ", 5, 4) + struct.pack("<4i", 4, 2, 2, 2)
    pairs = pair("comfy.gguf.orig_shape.w", 9, original)
    path.write_bytes(raw(pairs, tensors=(tensor(),), data=128))
    header = read_gguf(path)
    assert header.tensors["w"].shape == (32,)
    assert header.shapes["w"] == (4, 2, 2, 2)


def test_a_type_that_cannot_be_loaded_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    path.write_bytes(raw(tensors=(tensor(kind=20),), data=18))
    with pytest.raises(CatalogError, match=r"w\.gguf stores 1 of its 1 tensors as IQ4_NL.*Q4_K"):
        read_gguf(path)
    assert read_gguf(path, any_type=True).tensors["w"].dtype == "IQ4_NL"


DEEP = struct.pack("<IQ", 9, 1) * 6 + struct.pack("<IQ", 4, 0)
HUGE = 2**60


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no GGUF file"),
        (b"GGUF\x03\0\0\0", "no GGUF file, or is cut short"),
        (b"PK\x03\x04" + bytes(40), "no GGUF file"),
        (b"PK\x03\x04\x14\0\0\0" + bytes(40), "is a pickle"),
        (b"<!DOCTYPE html><html>" + bytes(40), "is a web page and no GGUF file"),
        (raw(version=1), "version 1"),
        (raw(version=0x03000000), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0), "claims 1152921504606846976 tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, HUGE), "1152921504606846976 key-value pairs"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 0), "cut short"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 9), "cut short"),
        (raw(struct.pack("<Q", HUGE)), "name of a key claims"),
        (raw(struct.pack("<Q", 4) + b"\xff\xfe\xfd\xfc"), "not UTF-8"),
        (raw(pair("a", 8, struct.pack("<Q", HUGE))), "value of 'a' claims"),
        (raw(pair("a", 99, b"")), "unknown type 99"),
        (raw(pair("a", 9, struct.pack("<IQ", 4, HUGE))), "array 'a' claims"),
        (raw(pair("a", 9, struct.pack("<IQ", 8, 4_000_000))), "cut short"),
        (raw(pair("a", 9, DEEP)), "nested more than 4"),
        (raw(pair("a", 0, b"1"), pair("a", 0, b"1")), "'a' stands twice"),
        (raw(pair("general.alignment", 4, struct.pack("<I", 0))), "alignment is 0"),
        (raw(pair("general.alignment", 8, text("x"))), "alignment is 'x'"),
        (raw(tensors=(tensor(dims=(1,) * 9),), data=64), "claims 9 dimensions"),
        (raw(tensors=(tensor(kind=4),), data=64), "unknown type 4"),
        (raw(tensors=(tensor(dims=(48,), kind=8),), data=64), "is no whole blocks of Q8_0"),
        (raw(tensors=(tensor(dims=(), kind=8),), data=64), "row length 1 is no whole blocks"),
        (raw(tensors=(tensor(),), data=127), "cut short: its header describes 128 bytes"),
        (raw(tensors=(tensor(dims=(HUGE, HUGE)),), data=128), "cut short"),
        (raw(tensors=(tensor(), tensor()), data=256), "two tensors have one name"),
        (raw(tensors=(tensor(), tensor("v")), data=256), "inside another"),
        (raw(tensors=(tensor(offset=8),), data=256), "no multiple of 32"),
        (raw(tensors=(tensor(offset=HUGE),), data=256), "cut short"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "w.gguf"
    path.write_bytes(content)
    with pytest.raises(CatalogError, match=message) as caught:
        read_gguf(path)
    assert str(path) in str(caught.value)


def test_a_header_that_never_ends_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HEADER", 64)
    path = tmp_path / "w.gguf"
    path.write_bytes(raw(pair("a", 8, text("x" * 100)), data=64))
    with pytest.raises(CatalogError, match="longer than 64 bytes"):
        read_gguf(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"none\.gguf cannot be read"):
        read_gguf(tmp_path / "none.gguf")


def test_wherever_a_real_file_is_cut_it_is_refused(real: Path) -> None:
    content = real.read_bytes()
    for length in [*range(0, 400, 7), *range(400, len(content), 997), len(content) - 5]:
        real.write_bytes(content[:length])
        with pytest.raises(CatalogError):
            read_gguf(real)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 3), st.integers(0, 3))
def test_any_bytes_are_read_or_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, tensors: int, pairs: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs) + noise)
    sentence = "."
    try:
        read_gguf(path)
    except CatalogError as error:
        sentence = str(error)
    assert sentence.endswith(".")
