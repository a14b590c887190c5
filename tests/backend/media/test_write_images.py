"""Writing: what is saved comes back, the same picture gives the same bytes, and what a format
cannot hold is said."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pil

from backend.media.color import linear_from_srgb, srgb_from_linear
from backend.media.encode import DEPTHS, ImageOptions, codes, encode
from backend.media.images import read_image, write_image
from backend.sdk import UserError
from backend.values import Color, Image
from tests.backend.media.banded import banded
from tests.backend.media.picture_files import gradient, noise

SIDES = st.integers(1, 9)
LARGEST = {"8": 255, "16": 65535}


def image_of(codes_, largest=255):
    return Image((codes_ / largest).astype(np.float32)[None])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("format", "depth"), [("png", "8"), ("png", "16"), ("tiff", "8"), ("tiff", "16")]
)
def test_whole_numbers_come_back_exactly(tmp_path, format, depth, channels):
    kind = {"8": "uint8", "16": "uint16"}[depth]
    image = image_of(noise(9, 7, channels, kind=kind), LARGEST[depth])
    write_image(tmp_path / "x", image, ImageOptions(format, depth))
    (back,) = read_image(tmp_path / "x")
    assert np.array_equal(back.pixels, image.pixels)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_float_tiff_keeps_every_bit_and_every_range(tmp_path, channels):
    pixels = np.random.default_rng(0).normal(0, 5, (1, 6, 5, channels)).astype(np.float32)
    write_image(tmp_path / "x.tif", Image(pixels), ImageOptions("tiff", "float"))
    (back,) = read_image(tmp_path / "x.tif")
    assert np.array_equal(back.pixels, pixels)


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint16, st.tuples(SIDES, SIDES, st.sampled_from([1, 3, 4]))))
def test_16_bit_png_is_exact_for_any_picture(tmp_path_factory, stored):
    path = tmp_path_factory.mktemp("any") / "x.png"
    write_image(path, image_of(stored, 65535), ImageOptions("png", "16"))
    (back,) = read_image(path)
    assert np.array_equal(np.rint(back.pixels[0] * 65535).astype(np.uint16), stored)


def test_other_programs_read_what_is_written(tmp_path):
    deep = noise(9, 7, 4, kind="uint16")
    write_image(tmp_path / "x.tif", image_of(deep, 65535), ImageOptions("tiff", "16"))
    with tifffile.TiffFile(tmp_path / "x.tif") as opened:
        assert np.array_equal(opened.pages[0].asarray(), deep)
        assert [int(kind) for kind in opened.pages[0].extrasamples] == [2]
    small = noise(9, 7, 4)
    for format in ("png", "webp", "tiff"):
        write_image(tmp_path / "y", image_of(small), ImageOptions(format, lossless=True))
        with Pil.open(tmp_path / "y") as picture:
            assert np.array_equal(np.asarray(picture), small)


def test_webp_and_jpeg_by_quality(tmp_path):
    image = image_of(gradient(64, 64))
    for format in ("webp", "jpeg"):
        errors, sizes = [], []
        for quality in (20, 95):
            write_image(tmp_path / "x", image, ImageOptions(format, quality=quality))
            (back,) = read_image(tmp_path / "x")
            errors.append(float(np.abs(back.pixels - image.pixels).mean()))
            sizes.append((tmp_path / "x").stat().st_size)
        assert errors[1] < errors[0] < 0.1
        assert sizes[1] > sizes[0]


def test_jpeg_keeps_colour_edges_unless_told_otherwise(tmp_path):
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2, 0] = 255
    errors = []
    for subsampling in ("4:4:4", "4:2:0"):
        options = ImageOptions("jpeg", quality=95, subsampling=subsampling)
        write_image(tmp_path / "x.jpg", image_of(stripes), options)
        (back,) = read_image(tmp_path / "x.jpg")
        errors.append(np.abs(back.pixels[0] - stripes / 255).mean())
    assert errors[0] < errors[1] / 3


def test_jpeg_shows_the_background_where_it_was_clear(tmp_path):
    pixels = np.zeros((1, 16, 16, 4), np.float32)
    pixels[:, :, 8:] = [0, 0, 1, 1]
    options = ImageOptions("jpeg", quality=100, background=Color(1, 0, 0))
    write_image(tmp_path / "x.jpg", Image(pixels), options)
    (back,) = read_image(tmp_path / "x.jpg")
    assert np.abs(back.pixels[0, 3, 2] - [1, 0, 0]).max() < 0.05
    assert np.abs(back.pixels[0, 3, 13] - [0, 0, 1]).max() < 0.05


def test_values_beyond_the_range_are_clipped():
    given = np.array([-1, 0, 0.5, 1, 7], np.float32)
    assert codes(given, "8").tolist() == [0, 0, 128, 255, 255]
    assert codes(given, "16").tolist() == [0, 0, 32768, 65535, 65535]


def test_linear_light_is_written_as_srgb_and_alpha_stays(tmp_path):
    pixels = np.full((1, 2, 2, 4), 0.2140411, np.float32)  # half grey, in linear light
    write_image(tmp_path / "x.png", Image(pixels, "linear"), ImageOptions("png", "16"))
    (back,) = read_image(tmp_path / "x.png")
    assert back.pixels[0, 0, 0] == pytest.approx([0.5, 0.5, 0.5, 0.2140411], abs=1e-4)


@given(arrays(np.float32, 9, elements=st.floats(0, 1, width=32)))
def test_the_srgb_curve_and_back(values):
    assert np.allclose(linear_from_srgb(srgb_from_linear(values)), values, atol=2e-6)


@pytest.mark.parametrize(("format", "depth"), [(f, d) for f, ds in DEPTHS.items() for d in ds])
def test_the_same_picture_gives_the_same_bytes_in_another_process(tmp_path, format, depth):
    script = (
        "import sys; import numpy as np; from pathlib import Path\n"
        "from backend.media.images import ImageOptions, write_image\n"
        "from backend.values import Image\n"
        "p = np.random.default_rng(3).random((1, 32, 40, 3), np.float32)\n"
        "o = ImageOptions(sys.argv[2], sys.argv[3])\n"
        "write_image(Path(sys.argv[1]), Image(p), o, {'workflow': 'w', 'seeds': [1]})\n"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", script, str(tmp_path / "there"), format, depth]
    subprocess.run(command, check=True, cwd=root)
    pixels = np.random.default_rng(3).random((1, 32, 40, 3), np.float32)
    options = ImageOptions(format, depth)
    write_image(tmp_path / "here", Image(pixels), options, {"seeds": [1], "workflow": "w"})
    assert (tmp_path / "here").read_bytes() == (tmp_path / "there").read_bytes()


@pytest.mark.parametrize(
    ("format", "depth", "words"),
    [
        ("jpeg", "16", "jpeg files have a depth of 8, not 16"),
        ("webp", "float", "webp files have a depth of 8, not float"),
        ("png", "float", "png files have a depth of 8 or 16, not float"),
    ],
)
def test_a_depth_that_the_format_has_not(format, depth, words):
    with pytest.raises(UserError, match=words):
        encode(image_of(gradient()), ImageOptions(format, depth), "")


def test_sides_that_a_format_has_not():
    long = Image(np.zeros((1, 1, 16_384, 1), np.float32))
    with pytest.raises(UserError, match="at most 16383 to a side"):
        encode(long, ImageOptions("webp"), "")
    assert encode(long, ImageOptions("jpeg"), "")


def test_a_batch_or_no_numbers_are_refused():
    with pytest.raises(UserError, match="holds one picture, not the 2"):
        encode(Image(np.zeros((2, 4, 4, 1), np.float32)), ImageOptions(), "")
    with pytest.raises(UserError, match="no numbers"):
        encode(Image(np.full((1, 4, 4, 1), np.nan, np.float32)), ImageOptions(), "")


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_the_finest_jpeg_of_pure_noise_with_the_longest_text(subsampling):
    """Its bytes outgrow what an encoder's buffer is usually guessed at."""
    image = image_of(noise(600, 700, 3))
    data = encode(image, ImageOptions("jpeg", quality=100, subsampling=subsampling), "x" * 59_990)
    assert data.endswith(b"\xff\xd9")
    assert len(data) > 400_000


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "tiff"])
def test_every_format_is_asked_for_before_each_band_and_each_part_of_the_file(name):
    asked = []
    with banded(300):
        encode(Image(np.zeros((1, 20, 30, 3), np.float32)), ImageOptions(name), "",
               lambda: asked.append(1))  # fmt: skip
    bands_of_values = 7
    parts = bands_of_values if name == "png" else 1
    assert len(asked) >= bands_of_values + parts
