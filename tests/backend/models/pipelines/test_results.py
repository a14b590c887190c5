"""Outputs in every form that pipelines give them in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pil

from backend.diffusion.errors import DiffusionError
from backend.models.pipelines.results import frames, has_sound, pictures, sound, sound_rate

CODES = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype(np.uint8)
PIXELS = (CODES / np.float32(255)).astype(np.float32)
TENSOR = torch.from_numpy(PIXELS.transpose(0, 3, 1, 2).copy())
PILLOW = [Pil.fromarray(codes) for codes in CODES]


@pytest.mark.parametrize(
    "form",
    [PIXELS, TENSOR, PILLOW, [PILLOW], [[PILLOW[0]], [PILLOW[1]]], list(PIXELS), list(TENSOR)],
    ids=["array", "tensor", "pillow", "layers", "nested", "arrays", "tensors"],
)
def test_pictures_in_any_form_are_one_batch(form: Any) -> None:
    for name in ("images", "image"):
        assert np.abs(pictures({name: form}, "X").pixels - PIXELS).max() < 1e-7


def test_grey_alpha_and_depth_maps() -> None:
    assert pictures({"prediction": PIXELS[..., :1]}, "X").channels == 1
    assert pictures({"images": [Pil.fromarray(CODES[0]).convert("L")]}, "X").channels == 1
    assert pictures({"images": [Pil.fromarray(CODES[0]).convert("RGBA")]}, "X").channels == 4
    assert pictures({"images": PIXELS[0, :, :, 0]}, "X").pixels.shape == (1, 4, 5, 1)
    assert pictures({"images": TENSOR[:1].half()}, "X").pixels.dtype == np.float32


@pytest.mark.parametrize(
    "form",
    [PIXELS[None], TENSOR[None], [PILLOW], [PIXELS], [TENSOR], PIXELS, list(PIXELS)],
    ids=["array", "tensor", "pillow", "arrays", "tensors", "one", "frames"],
)
def test_frames_in_any_form_come_one_by_one(form: Any) -> None:
    for name in ("frames", "videos", "images"):
        made = list(frames({name: form}, "X"))
        assert [m.count for m in made] == [1, 1]
        assert np.abs(np.concatenate([m.pixels for m in made]) - PIXELS).max() < 1e-7


def test_of_several_videos_the_first_counts() -> None:
    assert len(list(frames({"frames": np.stack([PIXELS, 1 - PIXELS])}, "X"))) == 2


@pytest.mark.parametrize(
    "form",
    [
        np.ones((1, 2, 9)),
        torch.ones(1, 2, 9),
        [np.ones((2, 9))],
        torch.ones(1, 9, 2),
        [torch.ones(2, 9).half()],
    ],
)
def test_sounds_in_any_form(form: Any) -> None:
    made = sound({"frames": PIXELS, "audio": form}, "X", 8)
    assert made.samples.shape == (2, 9)
    assert made.rate == 8
    assert sound({"audios": np.ones((3, 9))}, "X", 8).samples.shape == (1, 9)
    assert has_sound({"audio": form})
    assert not has_sound({"frames": PIXELS, "audio": None})


@pytest.mark.parametrize(
    ("read", "output", "said"),
    [
        (pictures, {"text": "hello"}, "X gave text, but no picture"),
        (pictures, {"images": np.full((1, 2, 2, 3), np.nan)}, "no numbers"),
        (pictures, {"images": [PILLOW[0], PILLOW[0].resize((9, 9))]}, "several sizes"),
        (pictures, {"images": np.zeros((1, 2, 2, 7))}, "shape"),
        (lambda o, n: list(frames(o, n)), {"audios": np.ones(3)}, "but no video"),
        (lambda o, n: sound(o, n, 8), {"images": PIXELS}, "but no sound"),
        (lambda o, n: sound(o, n, 8), {"audios": np.full((1, 2, 3), np.inf)}, "no numbers"),
    ],
)
def test_what_is_nothing_is_a_sentence(read: Any, output: dict[str, Any], said: str) -> None:
    with pytest.raises(DiffusionError, match=said):
        read(output, "X")


def test_the_rate_of_a_sound_is_that_of_its_last_component() -> None:
    def part(**settings: Any) -> Any:
        return SimpleNamespace(config=SimpleNamespace(**settings))

    codec, vocoder = part(sampling_rate=44_100), part(output_sampling_rate=24_000)
    assert sound_rate(SimpleNamespace(vae=codec)) == 44_100
    assert sound_rate(SimpleNamespace(vae=codec, vocoder=vocoder)) == 24_000
    with pytest.raises(DiffusionError, match="does not say the rate"):
        sound_rate(SimpleNamespace(vae=part(scaling_factor=1)))
