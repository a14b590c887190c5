"""The nodes of nodes/layers.py and nodes/layer_files.py."""

import re

import numpy as np
import pytest

from backend.media.layer_files import read_layers, write_layers
from backend.media.pixels.flatten import flatten
from backend.sdk import Image, Layers, Mask, Saved, UserError, facts_of
from backend.values import digest
from nodes.layer_files import load_layers, save_layers
from nodes.layers import (
    add_layer,
    flatten_layers,
    layer,
    layers_to_images,
    make_layers,
    order_layers,
    set_layer,
)
from tests.nodes.image_bench import QuietContext, coverage, forecast, picture


class Desk(QuietContext):
    """A context that reads and writes in one folder."""

    def __init__(self, folder=None, stop_after=None):
        super().__init__(stop_after)
        self.folder, self.notes, self.told = folder, [], []

    def progress(self, done, total):
        self.told.append((done, total))
        self.check()

    def note(self, text):
        self.notes.append(text)

    def read_layers(self, path, unknown_modes="refuse"):
        with (self.folder / path).open("rb") as file:
            return read_layers(file, path, unknown_modes)[0]

    def save(self, name, suffix, write, *, overwrite="number"):
        write(self.folder / f"{name}{suffix}", {"workflow": 1})
        return Saved(f"{name}{suffix}", "")


CTX = Desk()


def stack():
    made = make_layers(CTX, [picture(8, 6), picture(5, 4, 4, 2, seed=1)], "Sky\nHill\n")
    return add_layer(CTX, picture(3, 3, 1), made, name="Tree", mode="multiply", x=-1, y=4)


def known(value):
    return facts_of("Layers", width=value.width, height=value.height, count=value.count)


def test_pictures_become_layers_from_the_bottom_up():
    made = stack()
    assert made.names == ("Sky", "Hill", "Layer 3", "Tree")
    assert (made.width, made.height) == (8, 6)
    assert np.array_equal(made.layers[0].pixels[..., :3], picture(8, 6).pixels[0])
    assert made.layers[0].pixels[..., 3].min() == 1
    top = made.layers[3]
    assert (top.mode, top.x, top.y) == ("multiply", -1, 4)
    assert np.array_equal(top.pixels[..., 2], picture(3, 3, 1).pixels[0, ..., 0])


def test_a_mask_is_the_alpha_of_a_new_layer_times_its_own():
    image, mask = picture(4, 3, 4), coverage(4, 3)
    (made,) = add_layer(CTX, image, None, mask).layers
    assert made.pixels[..., 3] == pytest.approx(image.pixels[0, ..., 3] * mask.coverage[0])


def test_linear_pictures_become_srgb_and_stay_in_range():
    image = Image(np.full((1, 2, 2, 3), 0.5, np.float32), "linear")
    (made,) = make_layers(CTX, [image]).layers
    assert made.pixels[0, 0, 0] == pytest.approx(0.7353, abs=1e-3)
    (wide,) = make_layers(CTX, [Image(np.full((1, 2, 2, 3), 9.0, np.float32))]).layers
    assert wide.pixels.max() == 1


def test_a_layer_is_found_by_name_and_by_number():
    for which in ("Hill", "2", "-3", " Hill "):
        assert layer(CTX, stack(), which).name == "Hill"
    own = layer(CTX, stack(), "Tree")
    assert (own.image.width, own.x, own.y) == (3, -1, 4)
    canvas = layer(CTX, stack(), "Tree", "canvas")
    assert (canvas.image.width, canvas.image.height, canvas.x) == (8, 6, 0)
    assert np.array_equal(canvas.image.pixels[0, 4:, :2], own.image.pixels[0, :2, 1:])
    assert canvas.mask.coverage[0, :4].max() == 0


@pytest.mark.parametrize("which", ["", "0", "5", "-5", "Hil", "1.5", "9" * 40])
def test_a_layer_that_is_not_there_gets_a_sentence_with_those_that_are(which):
    with pytest.raises(UserError, match=r"1 'Sky', 2 'Hill'.*number from 1"):
        layer(CTX, stack(), which)


def test_two_layers_of_one_name_need_a_number():
    twice = set_layer(CTX, stack(), "1", name="Hill")
    with pytest.raises(UserError, match="numbers 1, 2"):
        layer(CTX, twice, "Hill")


def test_layers_come_as_a_list():
    row = layers_to_images(CTX, set_layer(CTX, stack(), "Hill", visible="hidden"), "own")
    assert row.names == ["Sky", "Hill", "Layer 3", "Tree"]
    assert [image.width for image in row.images] == [8, 5, 5, 3]
    hidden = set_layer(CTX, stack(), "Hill", visible="hidden")
    shown = layers_to_images(CTX, hidden, "canvas", hidden=False)
    assert shown.names == ["Sky", "Layer 3", "Tree"]
    assert {(image.width, image.height) for image in shown.images} == {(8, 6)}
    none = set_layer(CTX, order_layers(CTX, stack(), (1.0,)), "1", visible="hidden")
    with pytest.raises(UserError, match="All layers are hidden"):
        layers_to_images(CTX, none, hidden=False)


def test_a_stack_is_flattened_as_it_looks():
    assert np.array_equal(flatten_layers(CTX, stack()).pixels, flatten(stack()).pixels)


def test_set_layer_as_it_stands_changes_no_bit():
    assert digest(set_layer(CTX, stack(), "Tree")) == digest(stack())
    assert digest(order_layers(CTX, stack())) == digest(stack())


def test_set_layer_changes_what_it_is_asked_to():
    made = set_layer(CTX, stack(), "-1", "Oak", "screen", 0.5, 3, -2, "hidden").layers[3]
    told = (made.name, made.mode, made.opacity, made.x, made.y, made.visible)
    assert told == ("Oak", "screen", 0.5, 2, 2, False)


def test_order_layers_keeps_those_that_are_named():
    assert order_layers(CTX, stack(), (4.0, 1.0)).names == ("Tree", "Sky")


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda: make_layers(CTX, []), "at least one picture"),
        (lambda: make_layers(CTX, [picture(2, 2)], "a\nb"), "2 names for 1"),
        (lambda: make_layers(CTX, [picture(1, 1, 3, 1001)]), "at most 1000 layers"),
        (lambda: add_layer(CTX, picture(4, 3), None, coverage(3, 3)), "equally large"),
        (lambda: add_layer(CTX, picture(2, 2), name="n" * 251), "250 letters"),
        (lambda: order_layers(CTX, stack(), (1.0, 1.0)), "twice"),
        (lambda: order_layers(CTX, stack(), (0.0,)), "no layer 0"),
        (lambda: order_layers(CTX, stack(), (1.5,)), "no layer 1.5"),
        (lambda: load_layers(CTX), "No file is chosen"),
    ],
)
def test_what_cannot_be_gets_a_sentence(work, words):
    with pytest.raises(UserError, match=re.escape(words)):
        work()


def test_facts_say_what_comes_out():
    made = stack()
    images = facts_of("Image", width=8, height=6, channels=3, count=1).listed(2)
    assert make_layers.hooks["facts"](None, images).count == 2
    told = forecast(add_layer, {"image": picture(3, 3)})
    assert told == known(add_layer(CTX, picture(3, 3)))
    p = type("P", (), {"place": "canvas", "hidden": True, "order": (2.0, 1.0)})
    whole = facts_of("Image", width=8, height=6, channels=4, count=1)
    assert layer.hooks["facts"](p, known(made))["image"] == whole
    assert layers_to_images.hooks["facts"](p, known(made))["images"] == whole.listed(4)
    assert flatten_layers.hooks["facts"](p, known(made)) == whole
    assert order_layers.hooks["facts"](p, known(made)).count == 2
    assert set_layer.hooks["facts"](p, known(made)) == known(made)


@pytest.mark.parametrize("form", ["psd", "ora"])
def test_layers_are_saved_and_loaded(tmp_path, form):
    desk = Desk(tmp_path)
    given = save_layers(desk, stack(), "a", form, "16")
    assert isinstance(given, Layers)
    back = load_layers(desk, f"a.{form}")
    assert back.names == stack().names
    assert np.abs(flatten(back).pixels - flatten(stack()).pixels).max() < 1e-3
    assert (tmp_path / f"a.{form}.weft.json").exists()
    lookup = type("L", (), {"file": lambda self, path: tmp_path / path})()
    p = type("P", (), {"lookup": lookup, "file": f"a.{form}"})
    assert load_layers.hooks["facts"](p) == facts_of("Layers", width=8, height=6)


def test_a_cancel_is_heard(tmp_path):
    for work in (
        lambda desk: flatten_layers(desk, stack()),
        lambda desk: save_layers(desk, stack(), "a", "psd"),
        lambda desk: save_layers(desk, stack(), "a", "ora"),
        lambda desk: layers_to_images(desk, stack()),
        lambda desk: make_layers(desk, [picture(2, 2)] * 5),
    ):
        with pytest.raises(InterruptedError):
            work(Desk(tmp_path, stop_after=2))


def test_what_write_layers_leaves_beside_a_file_names_no_path(tmp_path):
    write_layers(tmp_path / "a.ora", stack(), "ora", provenance={"workflow": 1})
    assert str(tmp_path).encode() not in (tmp_path / "a.ora").read_bytes()
    assert isinstance(layer(CTX, stack(), "1").mask, Mask)
