"""Provenance travels with the picture, in every format and at every length."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pil

from backend.media.encode import ImageOptions
from backend.media.images import read_image, write_image
from backend.media.metadata import (
    LARGEST_EMBEDDED,
    dump_provenance,
    embedded_text,
    read_provenance,
    write_sidecar,
)
from backend.media.outputs import OutputFolder, sidecar_of
from backend.media.tiff import exif_block, exif_comment
from backend.sdk import UserError
from backend.values import Image
from tests.backend.media.picture_files import chunk, gradient, noise, pil_bytes, png_bytes, put

FORMATS = ("png", "jpeg", "webp", "tiff")
PICTURE = Image((gradient() / 255).astype(np.float32)[None])
TOLD = {
    "workflow": '{"weft": 1, "title": "Größe 画像 \U0001f308", "nodes": {}}',
    "node": "save",
    "seeds": {"sample": 2**62},
    "seconds": 1.25,
    "models": [],
    "nothing": None,
}


def long_story(length: int) -> dict[str, str]:
    return {"workflow": "w" * (length - len('{"workflow":""}'))}


@pytest.mark.parametrize("format", FORMATS)
def test_provenance_comes_back(tmp_path, format):
    path = tmp_path / "picture"
    write_image(path, PICTURE, ImageOptions(format), TOLD)
    assert read_provenance(path) == TOLD
    assert not sidecar_of(path).exists()
    assert read_image(path)[0].width == PICTURE.width


@pytest.mark.parametrize("format", FORMATS)
def test_without_provenance_there_is_none(tmp_path, format):
    write_image(tmp_path / "x", PICTURE, ImageOptions(format))
    assert read_provenance(tmp_path / "x") is None


@pytest.mark.parametrize("format", FORMATS)
def test_up_to_60_kb_it_is_inside_and_above_in_a_sidecar(tmp_path, format):
    path = tmp_path / "x"
    write_image(path, PICTURE, ImageOptions(format), long_story(LARGEST_EMBEDDED))
    assert not sidecar_of(path).exists()
    assert read_provenance(path) == long_story(LARGEST_EMBEDDED)
    write_image(path, PICTURE, ImageOptions(format), long_story(LARGEST_EMBEDDED + 1))
    assert json.loads(sidecar_of(path).read_text()) == long_story(LARGEST_EMBEDDED + 1)
    assert read_provenance(path) == long_story(LARGEST_EMBEDDED + 1)
    assert path.stat().st_size < 20_000


def test_a_story_of_megabytes_survives_the_output_folder(tmp_path):
    folder = OutputFolder(tmp_path)
    story = long_story(3_000_000)
    for expected in ("x.png", "x-2.png"):
        saved = folder.save(
            "x", ".png", lambda path: write_image(path, PICTURE, ImageOptions(), story)
        )
        assert saved.path == expected
        assert read_provenance(tmp_path / expected) == story
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["x-2.png", "x-2.png.weft.json", "x.png", "x.png.weft.json"]


def test_a_sidecar_counts_only_while_it_is_the_one(tmp_path):
    path = tmp_path / "x.png"
    write_image(path, PICTURE, ImageOptions(), long_story(100_000))
    sidecar = sidecar_of(path)
    content = sidecar.read_bytes()
    sidecar.write_bytes(content.replace(b"www", b"vvv", 1))
    assert read_provenance(path) is None
    sidecar.unlink()
    assert read_provenance(path) is None
    sidecar.mkdir()
    assert read_provenance(path) is None
    write_image(path.with_name("y.png"), PICTURE, ImageOptions())
    sidecar_of(path.with_name("y.png")).write_bytes(content)
    assert read_provenance(path.with_name("y.png")) is None


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_other_programs_find_it_as_a_comment(tmp_path, format):
    write_image(tmp_path / "x", PICTURE, ImageOptions(format), {"node": "save"})
    with Pil.open(tmp_path / "x") as picture:
        comment = picture.getexif().get_ifd(0x8769)[0x9286]
    assert comment == b'ASCII\0\0\0weft:{"node":"save"}'


def test_other_programs_find_it_in_a_png(tmp_path):
    write_image(tmp_path / "x.png", PICTURE, ImageOptions("png", "16"), {"node": "save"})
    with Pil.open(tmp_path / "x.png") as picture:
        assert picture.info["weft"] == '{"node":"save"}'


def test_what_other_programs_wrote_is_no_provenance(tmp_path):
    exif = Pil.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a nice day"
    for format in ("JPEG", "WEBP", "PNG"):
        assert read_provenance(put(tmp_path, pil_bytes(gradient(), format, exif=exif))) is None
    described = pil_bytes(gradient(), "TIFF", description='{"shape": [1]}')
    assert read_provenance(put(tmp_path, described)) is None
    assert read_provenance(put(tmp_path, b"no picture at all")) is None


def test_a_file_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"'nil\.png' cannot be read"):
        read_provenance(tmp_path / "nil.png")
    with pytest.raises(UserError, match="is a folder"):
        read_provenance(tmp_path)


def with_text(text: bytes, compressed: bool = False) -> bytes:
    body = zlib.compress(text) if compressed else text
    data = b"weft\0" + bytes([compressed]) + b"\0\0\0" + body
    return png_bytes(noise(2, 2, 1), 0, chunk(b"iTXt", data))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no json",
        b"[1, 2]",
        b'"text"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\xfe\xfd",
        b'{"n": ' + b"9" * 10_000 + b"}",
        b'{"sidecar": 3}',
        b'{"sidecar": {"hash": []}}',
        b'{"sidecar": {"hash": "blake3:../../etc"}}',
    ],
)
def test_texts_that_are_no_provenance(tmp_path, text):
    assert read_provenance(put(tmp_path, with_text(text))) is None


def test_a_compressed_text_is_read_too_and_a_bomb_is_not(tmp_path):
    assert read_provenance(put(tmp_path, with_text(b'{"a": 1}', compressed=True))) == {"a": 1}
    bomb = with_text(b"[" + bytes(1 << 27), compressed=True)
    assert read_provenance(put(tmp_path, bomb)) is None


@pytest.mark.parametrize("format", FORMATS)
def test_any_damage_gives_nothing_worse_than_none(tmp_path, format):
    path = tmp_path / "x"
    write_image(path, PICTURE, ImageOptions(format), TOLD)
    sound = path.read_bytes()

    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
           st.integers(0, 10**6))  # fmt: skip
    def damage(changes, cut):
        data = bytearray(sound)
        for place, value in changes:
            data[place % min(len(data), 900)] = value
        text = embedded_text(io.BytesIO(bytes(data[: len(data) - cut % 64])))
        assert isinstance(text, str)

    damage()


@given(st.text(st.characters(max_codepoint=127, exclude_characters="\0"), max_size=2000))
def test_exif_blocks_hold_any_ascii(text):
    assert exif_comment(exif_block(text)) == b"ASCII\0\0\0" + text.encode()


@given(st.binary(max_size=300))
def test_an_exif_block_may_be_anything(block):
    assert isinstance(exif_comment(block), bytes)
    assert isinstance(exif_comment(b"II*\0" + struct.pack("<I", 8) + block), bytes)


def tensors_file(path, header: str) -> None:
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + b"\0" * 4)


def test_weights_carry_it_in_their_header_at_any_length(tmp_path):
    path = tmp_path / "w.safetensors"
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    for told in (TOLD, long_story(LARGEST_EMBEDDED + 1)):
        metadata = {"format": "pt", "weft": dump_provenance(told)}
        tensors_file(path, json.dumps({"__metadata__": metadata, "w": entry}))
        assert read_provenance(path) == told
    tensors_file(path, json.dumps({"__metadata__": {"format": "pt"}, "w": entry}))
    assert read_provenance(path) is None


@pytest.mark.parametrize(
    "header",
    ['{"__metadata__": {"weft": {"a": 1}}}', '{"__metadata__": [' + "[" * 100_000, '{"__metadata__',
     '{"__metadata__": 1}', '{"w": {"__metadata__": {"weft": "{}"}}}'],
)  # fmt: skip
def test_headers_that_carry_none(tmp_path, header):
    tensors_file(tmp_path / "w", header)
    assert read_provenance(tmp_path / "w") is None


def test_what_has_no_room_carries_it_beside(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("words")
    assert read_provenance(path) is None
    write_sidecar(path, {})
    assert not sidecar_of(path).exists()
    write_sidecar(path, TOLD)
    assert read_provenance(path) == TOLD


def test_a_picture_that_lost_its_text_takes_none_from_beside_it(tmp_path):
    write_image(tmp_path / "x.png", PICTURE, ImageOptions("png"))
    write_sidecar(tmp_path / "x.png", TOLD)
    assert read_provenance(tmp_path / "x.png") is None
