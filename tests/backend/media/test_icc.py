"""Colour profiles: against LittleCMS, at full depth, and never in the way when they are broken."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pil
from PIL import ImageCms

from backend.media.icc import parse_matrix, space_of, to_srgb
from backend.media.images import read_image
from tests.backend.media.picture_files import gradient, noise, pil_bytes, put

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
SAME = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))


def s15(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def gamma_curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def table_curve(values) -> bytes:
    codes = np.rint(np.asarray(values) * 65535).astype(">u2").tobytes()
    data = b"curv" + bytes(4) + struct.pack(">I", len(codes) // 2) + codes
    return data + bytes(-len(data) % 4)


def srgb_curve() -> bytes:
    shape = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"para" + bytes(4) + struct.pack(">HH", 3, 0) + s15(*shape)


def make_profile(space: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """An ICC version 2 display profile with these tags."""
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data
    size = start + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", space, pcs)
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += s15(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def text_tags() -> dict[bytes, bytes]:
    name = b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(12 + 67)
    return {b"desc": name + bytes(-len(name) % 4), b"cprt": b"text" + bytes(4) + b"none\0\0\0\0"}


def matrix_profile(columns, curve: bytes) -> bytes:
    tags = text_tags() | {b"wtpt": b"XYZ " + bytes(4) + s15(0.9642, 1.0, 0.8249)}
    for letter, column in zip("rgb", columns, strict=True):
        tags[f"{letter}XYZ".encode()] = b"XYZ " + bytes(4) + s15(*column)
        tags[f"{letter}TRC".encode()] = curve
    return make_profile(b"RGB ", tags)


def by_littlecms(codes, profile: bytes):
    """8-bit RGB through the colour engine that other programs use."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    picture = ImageCms.profileToProfile(
        Pil.fromarray(codes), source, ImageCms.createProfile("sRGB"), renderingIntent=1
    )
    return np.asarray(picture, np.float32) / 255


PROFILES = {
    "Adobe RGB": matrix_profile(ADOBE, gamma_curve(2.19921875)),
    "Display P3": matrix_profile(P3, srgb_curve()),
    "gamma 1.8": matrix_profile(SAME, gamma_curve(1.8)),
    "a table": matrix_profile(P3, table_curve(np.linspace(0, 1, 64) ** 2.6)),
    "linear": matrix_profile(SAME, b"curv" + bytes(8)),
}


@pytest.mark.parametrize("name", PROFILES)
def test_conversion_agrees_with_littlecms(name):
    codes = noise(32, 32, 3)
    ours = to_srgb((codes / 255).astype(np.float32), PROFILES[name])
    assert np.abs(ours - codes / 255).max() > 0.05, "the profile must change something"
    off = np.abs(ours - by_littlecms(codes, PROFILES[name]))
    assert np.quantile(off, 0.99) < 2.5 / 255


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_an_embedded_profile_is_applied_in_every_format(tmp_path, format):
    codes = gradient(32, 32)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}
    profile = PROFILES["Adobe RGB"]
    data = pil_bytes(codes, format, icc_profile=profile, **options.get(format, {}))
    (image,) = read_image(put(tmp_path, data))
    off = np.abs(image.pixels[0] - by_littlecms(codes, profile))
    assert np.quantile(off, 0.99) < (8 if format == "JPEG" else 2.5) / 255


def test_alpha_is_no_colour(tmp_path):
    codes = noise(8, 8, 4)
    data = pil_bytes(codes, "PNG", icc_profile=PROFILES["Display P3"])
    (image,) = read_image(put(tmp_path, data))
    assert np.array_equal(np.rint(image.pixels[0, ..., 3] * 255).astype(np.uint8), codes[..., 3])


@pytest.mark.parametrize("profile", [SRGB, matrix_profile(SAME, srgb_curve())])
def test_a_profile_that_means_srgb_leaves_every_bit(tmp_path, profile):
    codes = noise(16, 16, 3)
    (image,) = read_image(put(tmp_path, pil_bytes(codes, "PNG", icc_profile=profile)))
    assert np.array_equal(np.rint(image.pixels[0] * 255).astype(np.uint8), codes)
    pixels = np.random.default_rng(0).random((4, 4, 3), np.float32)
    assert to_srgb(pixels, profile) is pixels


def test_more_than_8_bits_survive_a_profile():
    ramp = np.repeat(np.linspace(0.2, 0.3, 4096, dtype=np.float32)[None, :, None], 3, axis=2)
    assert len(np.unique(to_srgb(ramp, PROFILES["Adobe RGB"])[..., 0])) > 4000


def test_grey_profiles(tmp_path):
    profile = make_profile(b"GRAY", text_tags() | {b"kTRC": gamma_curve(1.0)})
    grey = np.full((8, 8), 55, np.uint8)  # 0.2157 in linear light is 0.5017 in sRGB
    (image,) = read_image(put(tmp_path, pil_bytes(grey, "PNG", icc_profile=profile)))
    assert image.pixels.shape == (1, 8, 8, 1)
    assert image.pixels[0, 0, 0, 0] == pytest.approx(0.5017, abs=0.001)


def table_profile() -> bytes:
    """A lut8 profile whose red is Lab green: what matters is that the table is obeyed."""
    lab = {(0, 0, 0): (0, 128, 128), (1, 1, 1): (255, 128, 128)}
    green = (224, 48, 208)
    clut = bytes(
        value
        for r in (0, 1) for g in (0, 1) for b in (0, 1)
        for value in lab.get((r, g, b), green if (r, g, b) == (1, 0, 0) else (128, 128, 128))
    )  # fmt: skip
    identity = bytes(range(256)) * 3
    head = b"mft1" + bytes(4) + bytes([3, 3, 2, 0]) + s15(1, 0, 0, 0, 1, 0, 0, 0, 1)
    data = head + identity + clut + identity
    tags = text_tags() | {b"A2B0": data + bytes(-len(data) % 4)}
    return make_profile(b"RGB ", tags, b"Lab ")


def test_profiles_of_tables_go_through_littlecms():
    assert parse_matrix(table_profile()) is None
    pixels = np.zeros((4, 4, 3), np.float32)
    pixels[..., 0] = 1
    red, green, _ = to_srgb(pixels, table_profile())[0, 0]
    assert green > 0.8
    assert red < 0.4


def test_a_profile_for_other_channels_is_passed_over():
    pixels = np.random.default_rng(0).random((4, 4, 1), np.float32)
    assert to_srgb(pixels, PROFILES["Adobe RGB"]) is pixels
    assert space_of(b"") == ""
    assert space_of(PROFILES["Adobe RGB"]) == "RGB"


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(PROFILES)),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 2000),
)
def test_a_damaged_profile_never_breaks_a_picture(name, changes, cut):
    data = bytearray(PROFILES[name])
    for place, value in changes:
        data[place % len(data)] = value
    pixels = np.random.default_rng(0).random((4, 4, 3), np.float32)
    result = to_srgb(pixels, bytes(data[: len(data) - cut % len(data)]))
    assert result.shape == pixels.shape
    assert np.isfinite(result).all()
