"""Files that are cut, damaged, bombs or no pictures at all: always a sentence, never a crash."""

import io
import os
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pil

from backend.media.caps import ImageCaps
from backend.media.grants import Grants
from backend.media.images import image_facts, probe_image, read_image, read_open
from backend.sdk import UserError
from tests.backend.media.picture_files import chunk, gradient, noise, pil_bytes, png_bytes, put


def tiff_bytes(data, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, data, metadata=None, photometric="rgb", **options)
    return buffer.getvalue()


SMALL = gradient(12, 17)
SOUND = {
    "png8": png_bytes(SMALL, 2),
    "png16": png_bytes(noise(12, 17, 4, kind="uint16"), 6),
    "jpeg": pil_bytes(SMALL, "JPEG"),
    "progressive": pil_bytes(SMALL, "JPEG", progressive=True),
    "webp": pil_bytes(SMALL, "WEBP"),
    "webp lossless": pil_bytes(noise(12, 17, 4), "WEBP", lossless=True),
    "tiff": tiff_bytes(SMALL),
    "tiff deflate": tiff_bytes(noise(12, 17, 3, kind="uint16"), compression="zlib", predictor=2),
    "tiff lzw": pil_bytes(SMALL, "TIFF", compression="tiff_lzw"),
}


def read_bytes(data: bytes):
    (image, *_) = read_open(io.BytesIO(data), "picture")
    return image.pixels


def read_or_sentence(data: bytes):
    """The pixels, or the sentence that says why there are none; anything else is a failure."""
    try:
        return read_bytes(data), ""
    except UserError as error:
        return None, str(error)


@pytest.mark.parametrize("kind", SOUND)
def test_a_file_cut_anywhere_is_an_error_or_whole(kind):
    """No grey bottom: either the sentence, or each pixel as in the whole file."""
    whole, data = read_bytes(SOUND[kind]), SOUND[kind]
    refused = 0
    for length in {*range(0, len(data), 7), *range(len(data) - 16, len(data))}:
        pixels, sentence = read_or_sentence(data[:length])
        if sentence:
            refused += 1
        else:
            assert np.array_equal(pixels, whole)
    assert refused >= len(data) // 8


@pytest.mark.parametrize("kind", SOUND)
def test_any_damage_gives_a_sentence_or_a_picture(kind):
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
    def damage(changes):
        data = bytearray(SOUND[kind])
        for place, value in changes:
            data[place % len(data)] = value
        pixels, sentence = read_or_sentence(bytes(data))
        assert sentence.startswith("'picture' is ") or pixels.size

    damage()


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0+\0\x08\0\0",
                     b"RIFF\x40\0\0\0WEBP"]),
    st.binary(max_size=200),
)  # fmt: skip
def test_any_bytes_behind_a_true_beginning(start, rest):
    with pytest.raises(UserError, match="'picture' is"):
        read_bytes(start + rest)


def png_saying(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) >= 1
    return data.replace(old, new, 1)


BOMBS = {
    "png": png_saying(100_000, 100_000),
    "png of one line": png_saying(2**31 - 1, 1),
    "jpeg": patched(SOUND["jpeg"], struct.pack(">HH", 12, 17), struct.pack(">HH", 65500, 65500)),
    "webp": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0" + b"\xff\xff\0" * 2,
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_from_its_header(kind):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="above the limit of"):
        read_bytes(BOMBS[kind])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 50_000  # kilobytes


def test_the_caps_count_all_pages_and_the_file(tmp_path):
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in noise(4, 10, 10, 3):
            writer.write(page, photometric="rgb", metadata=None)
    assert read_image(path, ImageCaps(pixels=400))
    with pytest.raises(UserError, match="4 pages of 10 x 10 pixels large, above the limit of 399"):
        read_image(path, ImageCaps(pixels=399))
    with pytest.raises(UserError, match="more than 3 pages"):
        read_image(path, ImageCaps(pages=3))
    with pytest.raises(UserError, match="bytes, above the limit of 100"):
        probe_image(path, ImageCaps(file_bytes=100))


def test_pages_in_a_circle(tmp_path):
    data = bytearray(SOUND["tiff"])
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    with pytest.raises(UserError, match="run in a circle"):
        read_bytes(bytes(data))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"hello, I am a text", "a text file"),
        (b'{"weft": 1}', "JSON"),
        (b"GIF89a" + bytes(50), "a GIF"),
        (b"BM" + bytes(50), "a BMP"),
        (b"%PDF-1.4", "a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript file"),
        (b"\x80\x02}q\x00.", "a pickle"),
        (bytes(4) + b"ftypavif" + bytes(20), "AVIF"),
        (bytes(4) + b"ftypisom" + bytes(20), "a video"),
        (b"\x01\x02\x03\x04" * 4, "begins with 01 02 03 04"),
    ],
)
def test_what_is_no_picture_is_named_by_what_it_is(tmp_path, data, found):
    with pytest.raises(UserError, match="Weft reads PNG, JPEG, WebP and TIFF") as caught:
        read_image(put(tmp_path, data, "holiday.png"))
    assert "'holiday.png'" in str(caught.value)
    assert found in str(caught.value)


def test_only_the_four_decoders_are_ever_woken(tmp_path):
    """Pillow would know dozens of formats; a GIF named .png must not reach any of them."""
    script = (
        "import sys; from pathlib import Path; from backend.media.images import read_image\n"
        "for name in sys.argv[1:]:\n"
        "    try: read_image(Path(name))\n"
        "    except Exception as error: print(type(error).__name__)\n"
        "print(sorted(m for m in sys.modules if m.startswith('PIL.') and m.endswith('Plugin')))\n"
    )
    files = [put(tmp_path, SOUND[kind], kind.replace(" ", "")) for kind in ("png8", "jpeg", "webp")]
    gif = io.BytesIO()
    Pil.fromarray(SMALL).quantize().save(gif, "GIF")
    files.append(put(tmp_path, gif.getvalue(), "x.png"))
    command = [sys.executable, "-c", script, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert "UserError" in done.stdout
    allowed = {"PngImagePlugin", "JpegImagePlugin", "WebPImagePlugin", "TiffImagePlugin"}
    woken = done.stdout.splitlines()[-1]
    assert {name.split(".")[-1] for name in woken.strip("[]'").split("', '")} <= allowed


def test_files_that_are_none(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, word in (("pipe", "a device or a pipe"), ("nil", "cannot be read"), (".", "folder")):
        with pytest.raises(UserError, match=word):
            read_image(tmp_path / name)


def test_facts_are_silent_about_what_is_unknown_or_not_granted(tmp_path):
    put(tmp_path, SOUND["png8"], "a.png")
    put(tmp_path, b"no picture", "b.png")
    grants = Grants(tmp_path, (tmp_path,))
    facts = image_facts(grants, "a.png")
    assert facts is not None
    assert (facts.width, facts.height, facts.channels, facts.count) == (17, 12, 3, 1)
    assert image_facts(grants, "b.png") is None
    assert image_facts(grants, "nil.png") is None
    assert image_facts(Grants(tmp_path), "a.png") is None


def test_facts_decode_nothing(tmp_path):
    """A header is enough, so the picture data may be anything."""
    path = put(tmp_path, png_saying(3000, 2000))
    assert probe_image(path).width == 3000
    with pytest.raises(UserError, match="picture data ends early"):
        read_image(path)


def test_a_tiff_that_is_cut_is_known_by_its_header(tmp_path):
    path = put(tmp_path, SOUND["tiff"][:-1])
    with pytest.raises(UserError, match="is cut short"):
        probe_image(path)


def test_a_16_bit_png_whose_data_ends_early_is_refused(tmp_path):
    rows = b"".join(b"\0" + row.tobytes() for row in noise(9, 7, 3, kind="uint16"))
    head = struct.pack(">IIBBBBB", 7, 9, 16, 2, 0, 0, 0)
    short = chunk(b"IDAT", zlib.compress(rows[:-50]))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + short + chunk(b"IEND", b"")
    with pytest.raises(UserError, match="picture data ends early"):
        read_bytes(data)


def test_a_deflated_strip_that_is_a_bomb_is_not_expanded():
    """10 x 10 pixels by the header, half a gigabyte in the strip."""
    data = tiff_bytes(np.zeros((10, 10, 3), np.uint8), compression="zlib")
    bomb = zlib.compress(bytes(1 << 29), 1)
    reader_tail = bytearray(data + bomb)
    entry = data.index(struct.pack("<HHI", 273, 4, 1))
    struct.pack_into("<I", reader_tail, entry + 8, len(data))
    entry = data.index(struct.pack("<HH", 279, 4))
    struct.pack_into("<I", reader_tail, entry + 8, len(bomb))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="expands to more than its size"):
        read_bytes(bytes(reader_tail))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_strip_that_is_shorter_than_its_rows_is_refused():
    data = bytearray(SOUND["tiff"])
    entry = data.index(struct.pack("<HH", 279, 4))
    struct.pack_into("<I", data, entry + 8, 12 * 17 * 3 - 1)
    with pytest.raises(UserError, match="ends early"):
        read_bytes(bytes(data))
