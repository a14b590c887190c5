"""Taking a picture apart: the layers asked for, the picture again, and what cannot be."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.models.pixels import colours
from backend.sdk import Image, UserError, facts_of
from backend.train.adapter import course as courses
from backend.train.adapter.plan import AdapterPlan
from backend.train.adapter.sets import read_set, write_set
from backend.train.task import tasks
from backend.train.tuning import TunePlan
from nodes.decompose import decompose
from nodes.layers import flatten_layers
from nodes.loaders import load_model
from nodes.patches import lora
from tests.backend.models import tiny
from tests.nodes.fake_device import FakeDevice

WORDS = "the background\nthe red circle\n\n the blue square "


class Granted(FakeDevice):
    """A context that reads any file."""

    def read(self, path: str) -> Path:
        return Path(path)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A tiny Flux, and a Layers LoRA that two steps have taught next to nothing."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("desk")
    folder = tiny.write(root / "model")
    write_set(root / "set", (tasks()["layers"].example(1, i) for i in range(4)))
    plan = AdapterPlan("layers", "all", 2, 1e-2, 32, course=TunePlan(steps=2, levels=1, batch=2))
    course = courses.begin(
        str(folder), read_set(root / "set"), plan, root, "cpu", lambda done, of: None
    )
    try:
        assert course.groups[0].latents.shape[-1] == 2 * course.groups[0].references[0].shape[-1]
        courses.train(course, lambda line: None)
        courses.write(course, root / "layers.safetensors")
    finally:
        course.close()
    ctx = Granted({"model": folder})
    return ctx, load_model(ctx, "model"), str(root / "layers.safetensors")


def picture(count: int = 1) -> Image:
    return Image(np.random.default_rng(2).random((count, 32, 48, 3), dtype=np.float32))


def taken_apart(desk, image: Image, words: str = WORDS, **more):
    ctx, found, file = desk
    parts = (found.model, found.text_encoder, found.vae)
    return decompose(ctx, *parts, image, words, more.pop("file", file), steps=2, seed=3, **more)


def test_each_line_is_a_layer_and_together_they_are_the_picture(desk):
    made = taken_apart(desk, picture())
    assert made.names == ("the background", "the red circle", "the blue square")
    assert (made.width, made.height) == (48, 32)
    assert np.all(made.layers[0].pixels[..., 3] == 1)
    again = flatten_layers(desk[0], made)
    assert np.median(np.abs(again.pixels[..., :3] - picture().pixels)) < 1e-4


@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_of_other_channels_and_curves_are_seen_as_they_look(desk, channels):
    rng = np.random.default_rng(5)
    plain = rng.random((1, 32, 32, channels), dtype=np.float32)
    made = taken_apart(desk, Image(plain, "linear"))
    again = flatten_layers(desk[0], made).pixels[..., :3]
    gaps = np.abs(again - colours(Image(plain, "linear")))  # noise may ask for more than 0..1
    assert np.median(gaps) < 1e-4


def test_unfitted_layers_are_what_the_model_said(desk):
    fitted, free = taken_apart(desk, picture()), taken_apart(desk, picture(), fit=False)
    assert np.array_equal(fitted.layers[1].pixels[..., 3], free.layers[1].pixels[..., 3])
    assert not np.array_equal(fitted.layers[0].pixels, free.layers[0].pixels)


@pytest.mark.parametrize(
    ("words", "more", "says"),
    [
        ("", {}, "There are 0 layers"),
        ("a\n" * 33, {}, "There are 33 layers"),
        (WORDS, {"prompt": "layer"}, "Write {} once"),
        ("a" * 251, {}, "has at most 250 letters"),
    ],
)
def test_what_makes_no_sense_is_told_before_and_in_the_run(desk, words, more, says):
    with pytest.raises(UserError, match=says):
        taken_apart(desk, picture(), words, **more)
    p = SimpleNamespace(layers=words, prompt=more.get("prompt", "layer: {}"))
    with pytest.raises(UserError, match=says):
        decompose.hooks["facts"](p, model=None, text_encoder=None, vae=None, image=None)


def test_several_pictures_are_told(desk):
    with pytest.raises(UserError, match="There are 2 pictures"):
        taken_apart(desk, picture(2))


def test_each_kind_of_file_goes_where_it_belongs(desk, tmp_path):
    ctx, found, file = desk
    with pytest.raises(UserError, match="Use it in Decompose into layers"):
        lora(ctx, found.model, file)
    plain = tmp_path / "plain.safetensors"
    save_file(load_file(file), plain)
    with pytest.raises(UserError, match="does not say that it takes pictures apart"):
        taken_apart(desk, picture(), file=str(plain))


def test_facts_tell_the_size_and_the_number():
    p = SimpleNamespace(layers=WORDS, prompt="layer: {}")
    image = facts_of("Image", width=48, height=32, count=1)
    facts = decompose.hooks["facts"](p, model=None, text_encoder=None, vae=None, image=image)
    assert (facts.width, facts.height, facts.count) == (48, 32, 3)
