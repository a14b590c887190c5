"""Two files are set against each other by what they hold, not by what they tell."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image as Picture

from backend.engine.likeness import compare
from backend.media.apart import Decoder
from backend.media.images import ImageOptions, write_image
from backend.media.sounds import write_sound
from backend.sdk import UserError
from backend.values import Audio, Image


@pytest.fixture(scope="module")
def decoder():
    made = Decoder()
    yield made
    made.close()


@pytest.fixture
def alike(decoder, tmp_path):
    def judge(one, two):
        return compare(one, two, decoder, lambda: None)

    return judge


def picture(path, change=0.0, size=16, **told):
    pixels = np.full((1, size, size, 3), 0.5, np.float32)
    pixels[0, 0, 0] += change
    write_image(path, Image(pixels), ImageOptions("tiff", "float"), told or None)
    return path


def weights(path, values, dtype="F32", name="w"):
    header = {name: {"dtype": dtype, "shape": [len(values)], "data_offsets": [0, values.nbytes]}}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + values.tobytes())
    return path


def test_pictures_with_other_provenance_are_identical(alike, tmp_path):
    one = picture(tmp_path / "a", node="a")
    assert alike(one, picture(tmp_path / "b", node="b")).verdict == "identical"


def test_a_small_change_is_close_and_measured(alike, tmp_path):
    found = alike(picture(tmp_path / "a"), picture(tmp_path / "b", change=0.1))
    assert found.verdict == "close"
    assert found.largest == pytest.approx(0.1, rel=1e-4)
    # One of 256 pixels is off by 0.1 in every channel: MSE 0.01 / 256.
    assert found.psnr == pytest.approx(10 * np.log10(256 / 0.01), abs=0.01)


def test_a_large_change_is_different(alike, tmp_path):
    found = alike(picture(tmp_path / "a"), picture(tmp_path / "b", change=0.5))
    assert found.verdict == "different"
    assert found.psnr == pytest.approx(10 * np.log10(256 / 0.25), abs=0.01)


def test_sizes_and_kinds_that_do_not_fit_are_said(alike, tmp_path):
    found = alike(picture(tmp_path / "a"), picture(tmp_path / "b", size=8))
    assert (found.verdict, found.psnr) == ("different", None)
    assert found.reason.endswith("the new one 8x8x3")
    (tmp_path / "t").write_text("text")
    assert "TIFF" in alike(tmp_path / "a", tmp_path / "t").reason


def test_sounds_are_compared_by_sample_and_rate(alike, tmp_path):
    wave = np.sin(np.linspace(0, 60, 4000, dtype=np.float32))[None]
    write_sound(tmp_path / "a", Audio(wave, 8000), "float", {"node": "a"})
    write_sound(tmp_path / "b", Audio(wave + np.float32(1e-4), 8000), "float")
    write_sound(tmp_path / "c", Audio(wave, 4000), "float")
    assert alike(tmp_path / "a", tmp_path / "a").verdict == "identical"
    near = alike(tmp_path / "a", tmp_path / "b")
    assert near.verdict == "close"
    assert near.psnr == pytest.approx(80, abs=0.1)
    assert alike(tmp_path / "a", tmp_path / "c").verdict == "different"
    write_sound(tmp_path / "d", Audio(wave[:, :100], 8000), "float")
    found = alike(tmp_path / "a", tmp_path / "d")
    assert found.reason == "it is 1 x 4000 samples, the new one 1 x 100 samples"


def test_pages_that_are_missing_are_told(alike, tmp_path):
    pages = [Picture.fromarray(np.zeros((4, 6, 3), np.uint8)) for _ in range(3)]
    pages[0].save(tmp_path / "a", "TIFF", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "b", "TIFF")
    found = alike(tmp_path / "a", tmp_path / "b")
    assert found.reason == "it is 6x4x3, 3 pictures, the new one 6x4x3"


def test_tensors_are_measured_by_the_worst_of_them(alike, tmp_path):
    values = np.linspace(-2, 2, 1000, dtype=np.float32)
    one = weights(tmp_path / "a.safetensors", values)
    near = alike(one, weights(tmp_path / "b.safetensors", values + np.float32(2e-3)))
    assert near.verdict == "close"
    assert near.psnr == pytest.approx(60, abs=0.1)
    assert alike(one, weights(tmp_path / "c.safetensors", values, name="v")).reason
    odd = values.copy()
    odd[3] = np.nan
    assert "no numbers" in alike(one, weights(tmp_path / "d.safetensors", odd)).reason


def test_half_precision_counts_by_value(alike, tmp_path):
    values = np.array([1.0, 2.0, -4.0], np.float32)
    upper = (values.view(np.uint32) >> 16).astype(np.uint16)
    one = weights(tmp_path / "a.safetensors", upper, "BF16")
    upper[0] += 1  # the next bfloat16 after 1
    found = alike(one, weights(tmp_path / "b.safetensors", upper, "BF16"))
    assert found.largest == 2**-7


def test_a_damaged_file_is_a_sentence(alike, tmp_path):
    one = weights(tmp_path / "a.safetensors", np.zeros(4, np.float32))
    (tmp_path / "b.safetensors").write_bytes(one.read_bytes()[:-1])
    with pytest.raises(UserError, match="cut short"):
        alike(one, tmp_path / "b.safetensors")
