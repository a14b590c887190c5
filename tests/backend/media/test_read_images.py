"""Reading: every depth and layout comes out with the values that other programs wrote."""

import itertools
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image as Pil
from PIL import ImageOps

from backend.media.images import probe_image, read_image
from backend.sdk import UserError
from tests.backend.media.picture_files import (
    chunk,
    exif_with,
    gradient,
    noise,
    pil_bytes,
    png_bytes,
    put,
)


def read_one(path: Path):
    """The pixels ``[h, w, channels]``; the header must have said the same beforehand."""
    (image,) = read_image(path)
    facts = probe_image(path)
    said = (facts.count, facts.height, facts.width, facts.channels)
    assert said == image.pixels.shape
    assert image.space == "srgb"
    return image.pixels[0]


def codes_of(pixels, kind="uint8"):
    """Back to whole numbers, which must be exactly what was stored."""
    largest = np.iinfo(kind).max
    codes = np.rint(pixels * largest)
    assert np.abs(pixels * largest - codes).max() < 0.01
    return codes.astype(kind)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize(("color", "samples"), [(0, 1), (2, 3), (6, 4)])
def test_png_of_both_depths(tmp_path, kind, color, samples):
    codes = noise(5, 7, samples, kind=kind)
    pixels = read_one(put(tmp_path, png_bytes(codes, color)))
    assert np.array_equal(codes_of(pixels, kind), codes)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_png_grey_with_alpha_becomes_rgba(tmp_path, kind):
    codes = noise(5, 7, 2, kind=kind)
    pixels = read_one(put(tmp_path, png_bytes(codes, 4)))
    assert np.array_equal(codes_of(pixels, kind), codes[..., [0, 0, 0, 1]])


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize(("color", "samples"), [(0, 1), (2, 3)])
def test_png_with_one_transparent_colour(tmp_path, kind, color, samples):
    codes = noise(5, 7, samples, kind=kind)
    codes[2, 3] = codes[0, 0]
    key = codes[0, 0].astype(">u2").tobytes()
    pixels = read_one(put(tmp_path, png_bytes(codes, color, chunk(b"tRNS", key))))
    clear = (codes == codes[0, 0]).all(axis=2)
    assert pixels.shape[2] == 4
    assert np.array_equal(pixels[..., 3] == 0, clear)
    assert np.array_equal(codes_of(pixels[..., :samples], kind), codes)


def test_png_palettes_and_bilevel(tmp_path):
    picture = Pil.fromarray(gradient()).quantize(16)
    path = put(tmp_path, pil_bytes(picture, "PNG"))
    assert np.array_equal(codes_of(read_one(path)), np.asarray(picture.convert("RGB")))
    clear = pil_bytes(picture, "PNG", transparency=bytes([0, 128] + [255] * 14))
    pixels = read_one(put(tmp_path, clear))
    assert set(np.unique(codes_of(pixels[..., 3]))) == {0, 128, 255}
    line = Pil.fromarray(gradient()[..., 0] > 100)
    pixels = read_one(put(tmp_path, pil_bytes(line, "PNG")))
    assert np.array_equal(pixels[..., 0], np.asarray(line, np.float32))


def test_an_interlaced_16_bit_png(tmp_path):
    """Adam7, made by hand: the seven passes of a picture, each as a picture of its own."""
    codes = noise(9, 11, 3, kind="uint16")
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
              (1, 0, 2, 1))  # fmt: skip
    rows = b"".join(
        b"\0" + row.astype(">u2").tobytes()
        for y, x, down, across in passes
        for row in codes[y::down, x::across]
        if row.size
    )
    head = struct.pack(">IIBBBBB", 11, 9, 16, 2, 0, 0, 1)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    pixels = read_one(put(tmp_path, b"\x89PNG\r\n\x1a\n" + body))
    assert np.array_equal(codes_of(pixels, "uint16"), codes)


def test_text_of_any_size_in_a_png_is_no_hindrance(tmp_path):
    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(100_000_000)))
    codes = noise(4, 4, 3)
    pixels = read_one(put(tmp_path, png_bytes(codes, 2, bomb)))
    assert np.array_equal(codes_of(pixels), codes)


@pytest.mark.parametrize("subsampling", [0, 2])
def test_jpeg_colour_and_grey(tmp_path, subsampling):
    color = gradient()
    data = pil_bytes(color, "JPEG", quality=95, subsampling=subsampling)
    assert np.abs(read_one(put(tmp_path, data)) - color / 255).max() < 0.05
    grey = read_one(put(tmp_path, pil_bytes(color[..., 0], "JPEG", quality=95)))
    assert grey.shape == (24, 36, 1)
    assert np.abs(grey[..., 0] - color[..., 0] / 255).max() < 0.05


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    cmyk = Pil.fromarray(gradient()).convert("CMYK")
    pixels = read_one(put(tmp_path, pil_bytes(cmyk, "JPEG", quality=95)))
    assert np.abs(pixels - gradient() / 255).max() < 0.08


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_camera_s_orientation_is_applied(tmp_path, format, orientation):
    picture = Pil.fromarray(gradient())
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}
    if format == "TIFF":
        data = pil_bytes(picture, format, tiffinfo={274: orientation})
    else:
        exif = exif_with(orientation)
        data = pil_bytes(picture, format, exif=exif, **options.get(format, {}))
    turned = Pil.fromarray(gradient())
    turned.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(turned), np.float32) / 255
    pixels = read_one(put(tmp_path, data))
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).max() < (0.05 if format == "JPEG" else 1e-6)


def test_a_wrong_orientation_counts_as_none(tmp_path):
    for orientation in (0, 9, 60000):
        data = pil_bytes(gradient(), "PNG", exif=exif_with(orientation))
        assert read_one(put(tmp_path, data)).shape == (24, 36, 3)


def test_webp_lossless_with_alpha_is_exact(tmp_path):
    codes = noise(9, 8, 4)
    data = pil_bytes(codes, "WEBP", lossless=True, exact=True)
    assert np.array_equal(codes_of(read_one(put(tmp_path, data))), codes)
    opaque = pil_bytes(codes[..., :3].copy(), "WEBP", lossless=True)
    assert np.array_equal(codes_of(read_one(put(tmp_path, opaque))), codes[..., :3])


def test_webp_lossy_is_close(tmp_path):
    pixels = read_one(put(tmp_path, pil_bytes(gradient(), "WEBP", quality=95)))
    assert np.abs(pixels - gradient() / 255).mean() < 0.02


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_read(tmp_path, format):
    frames = [Pil.fromarray(noise(6, 8, 3, seed=i)) for i in range(3)]
    options = {"lossless": True} if format == "WEBP" else {}
    data = pil_bytes(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert np.array_equal(codes_of(read_one(put(tmp_path, data))[..., :3]), noise(6, 8, 3))


def write_tiff(tmp_path, data, **options):
    path = tmp_path / "picture.tif"
    tifffile.imwrite(path, data, metadata=None, **options)
    return path


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32"])
@pytest.mark.parametrize("samples", [1, 3, 4])
def test_tiff_of_whole_numbers(tmp_path, compression, kind, samples):
    codes = noise(9, 7, samples, kind=kind)
    options = {"extrasamples": ["unassalpha"]} if samples == 4 else {}
    path = write_tiff(
        tmp_path,
        codes[..., 0] if samples == 1 else codes,
        photometric="minisblack" if samples == 1 else "rgb",
        compression=compression,
        predictor=2 if compression else None,
        **options,
    )
    expected = (codes / np.iinfo(kind).max).astype(np.float32)
    assert np.array_equal(read_one(path), expected)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_tiff_of_floats_keeps_values_beyond_one(tmp_path, kind):
    data = (np.random.default_rng(0).random((9, 7, 3)) * 4 - 1).astype(kind)
    path = write_tiff(tmp_path, data, photometric="rgb")
    assert np.array_equal(read_one(path), data.astype(np.float32))


@pytest.mark.parametrize("layout", [{"tile": (16, 16)}, {"rowsperstrip": 5}, {"bigtiff": True},
                                    {"byteorder": ">"}])  # fmt: skip
def test_tiff_layouts(tmp_path, layout):
    codes = noise(37, 41, 3, kind="uint16")
    path = write_tiff(tmp_path, codes, photometric="rgb", compression="zlib", **layout)
    assert np.array_equal(codes_of(read_one(path), "uint16"), codes)


def test_tiff_with_separate_planes(tmp_path):
    codes = noise(3, 9, 7, kind="uint16")
    path = write_tiff(tmp_path, codes, photometric="rgb", planarconfig="separate")
    assert np.array_equal(codes_of(read_one(path), "uint16"), codes.transpose(1, 2, 0))


def test_tiff_premultiplied_alpha_is_made_straight(tmp_path):
    straight = np.random.default_rng(0).random((6, 5, 4), np.float32)
    straight[0, 0, 3] = 0
    stored = straight.copy()
    stored[..., :3] *= stored[..., 3:]
    path = write_tiff(tmp_path, stored, photometric="rgb", extrasamples=["assocalpha"])
    pixels = read_one(path)
    assert np.array_equal(pixels[0, 0], [0, 0, 0, 0])
    straight[0, 0, :3] = 0
    assert np.abs(pixels - straight).max() < 1e-5


def test_tiff_samples_that_are_no_alpha_are_left_out(tmp_path):
    codes = noise(6, 5, 4)
    path = write_tiff(tmp_path, codes, photometric="rgb", extrasamples=["unspecified"])
    assert np.array_equal(codes_of(read_one(path)), codes[..., :3])


def test_tiff_where_white_is_zero(tmp_path):
    codes = noise(6, 5, kind="uint16")
    path = write_tiff(tmp_path, codes, photometric="miniswhite")
    assert np.array_equal(codes_of(read_one(path)[..., 0], "uint16"), 65535 - codes)


@pytest.mark.parametrize(
    ("compression", "mode"),
    [
        *itertools.product(
            ["tiff_lzw", "packbits", "tiff_adobe_deflate"], ["RGB", "L", "RGBA", "1", "P", "CMYK"]
        ),
        *itertools.product(["jpeg"], ["RGB", "L", "CMYK"]),
    ],
)
def test_tiff_as_pillow_writes_it(tmp_path, compression, mode):
    picture = Pil.fromarray(gradient()).convert(mode)
    data = pil_bytes(picture, "TIFF", compression=compression)
    wanted = {"L": "L", "1": "L", "RGBA": "RGBA"}.get(mode, "RGB")
    expected = np.asarray(picture.convert(wanted), np.float32) / 255
    expected = expected if expected.ndim == 3 else expected[..., None]
    off = np.abs(read_one(put(tmp_path, data)) - expected)
    assert off.max() < (0.1 if compression == "jpeg" else 1e-6)


@pytest.mark.parametrize("kind", ["uint16", "float32"])
@pytest.mark.parametrize("samples", [1, 3])
def test_deep_tiff_with_lzw(tmp_path, kind, samples):
    rng = np.random.default_rng(0)
    data = (rng.random((11, 9, samples)) * (1 if kind == "float32" else 65535)).astype(kind)
    predictor = 3 if kind == "float32" else 2
    flags = [cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_PREDICTOR, predictor]
    done, encoded = cv2.imencode(".tiff", data[..., ::-1], flags)
    assert done
    pixels = read_one(put(tmp_path, encoded.tobytes()))
    expected = data if kind == "float32" else (data / 65535).astype(np.float32)
    assert np.array_equal(pixels, expected)


def test_pages_of_one_size_are_a_batch(tmp_path):
    codes = noise(3, 6, 5, 3, kind="uint16")
    with tifffile.TiffWriter(tmp_path / "pages.tif") as writer:
        for page in codes:
            writer.write(page, photometric="rgb", metadata=None)
    (image,) = read_image(tmp_path / "pages.tif")
    assert probe_image(tmp_path / "pages.tif").count == 3
    assert np.array_equal(codes_of(image.pixels, "uint16"), codes)


def test_pages_of_unlike_sizes_are_images_of_their_own(tmp_path):
    with tifffile.TiffWriter(tmp_path / "pages.tif") as writer:
        writer.write(noise(6, 5, 3), photometric="rgb", metadata=None)
        writer.write(noise(3, 4, 3), photometric="rgb", metadata=None)
    images = read_image(tmp_path / "pages.tif")
    assert [image.pixels.shape for image in images] == [(1, 6, 5, 3), (1, 3, 4, 3)]
    assert probe_image(tmp_path / "pages.tif").width is None


def test_thumbnails_are_no_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "pages.tif") as writer:
        writer.write(noise(6, 5, 3), photometric="rgb", metadata=None)
        writer.write(noise(3, 2, 3), photometric="rgb", metadata=None, subfiletype=1)
    (image,) = read_image(tmp_path / "pages.tif")
    assert image.pixels.shape == (1, 6, 5, 3)


def test_the_name_does_not_matter_but_the_content(tmp_path):
    data = pil_bytes(gradient(), "PNG")
    assert read_one(put(tmp_path, data, "lies.jpg")).shape == (24, 36, 3)


def test_what_is_read_cannot_be_changed(tmp_path):
    (image,) = read_image(put(tmp_path, pil_bytes(gradient(), "PNG")))
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0, 0, 0] = 1


def test_floats_that_are_no_numbers_are_refused(tmp_path):
    data = np.zeros((4, 4, 3), np.float32)
    data[1, 1, 1] = np.nan
    with pytest.raises(UserError, match="no numbers"):
        read_image(write_tiff(tmp_path, data, photometric="rgb"))
