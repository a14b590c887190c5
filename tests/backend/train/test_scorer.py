"""The scorer: right on true scenes, and refusing what is wrong, half right or a blob."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from backend.train import world
from backend.train.caption import Facts, ObjectFacts, parse
from backend.train.figures import Rate, scorer_figures, with_one_wrong
from backend.train.palette import BACKGROUNDS, COLOURS, SHAPES, TEXTURES
from backend.train.scene import Item, Spec, picture
from backend.train.scorer import judge, score
from backend.train.vision import look


def _single(
    shape: str,
    colour: str = "red",
    texture: str = "plain",
    background: str = "white",
) -> tuple[np.ndarray, Facts]:
    item = Item(shape, colour, texture, "left", 64.0, 33.0, 20.0, COLOURS[colour])
    spec = Spec(background, BACKGROUNDS[background], (item,), (0,), "")
    return picture(spec), spec.facts


def test_right_on_true_scenes_and_refusing_wrong_ones() -> None:
    figures = scorer_figures(200, 31)
    assert figures.true.share >= 0.99
    assert figures.textures.share >= 0.95
    assert all(rate.share >= 0.99 for rate in figures.refused.values()), figures.refused


def test_every_word_is_read() -> None:
    for shape in SHAPES:
        for colour in COLOURS:
            for background in BACKGROUNDS:
                pixels, facts = _single(shape, colour, background=background)
                assert score(pixels, facts).scene_and_textures, facts
    for shape in SHAPES:
        for texture in TEXTURES:
            pixels, facts = _single(shape, "green", texture)
            assert score(pixels, facts).scene, facts


def test_swapped_colours_are_wrong() -> None:
    scene = world.draw(3, 0, "any", 2)
    first, second = scene.spec.facts.objects
    swapped = Facts(
        (
            ObjectFacts(first.shape, second.colour, first.texture, first.place),
            ObjectFacts(second.shape, first.colour, second.texture, second.place),
        ),
        scene.spec.facts.background,
    )
    assert score(scene.pixels, scene.spec.facts).scene
    assert not score(scene.pixels, swapped).scene


def test_a_missing_and_an_extra_object_are_wrong() -> None:
    two = world.draw(4, 1, "any", 2)
    facts = two.spec.facts
    fewer = Facts(facts.objects[:1], facts.background)
    assert not score(two.pixels, fewer).right("count")
    empty = two.background[..., :3]
    verdict = score(empty, facts)
    assert not verdict.scene
    assert verdict.right("background")
    assert not verdict.right("shape")


def _polygon(*points: tuple[int, int]) -> np.ndarray:
    return np.array(points, np.int32)


def _regular(corners: int, radius: float, inner: float | None = None) -> np.ndarray:
    count = corners * (2 if inner else 1)
    turn = 2 * np.pi * np.arange(count) / count
    reach = np.where(np.arange(count) % 2 == 0, radius, inner or radius)
    return np.stack([34 + reach * np.sin(turn), 64 - reach * np.cos(turn)], 1).astype(np.int32)


def _dome() -> np.ndarray:
    arc = [(34 + 20 * np.sin(a), 62 - 20 * np.cos(a)) for a in np.linspace(-1.6, 1.6, 30)]
    return np.array([*arc, (54, 80), (14, 80)], np.int32)


WRONG = {
    "bar": _polygon((24, 40), (42, 40), (42, 88), (24, 88)),
    "dome": _dome(),
    "bucket": _polygon((12, 46), (56, 46), (48, 84), (20, 84)),
    "star of four": _regular(4, 23, 9),
    "star of six": _regular(6, 22, 10),
    "L": _polygon((16, 44), (30, 44), (30, 70), (54, 70), (54, 84), (16, 84)),
    "T": _polygon((14, 44), (54, 44), (54, 58), (41, 58), (41, 86), (27, 86), (27, 58), (14, 58)),
    "triangle upside down": _polygon((14, 48), (54, 48), (34, 82)),
    "tilted square": _regular(4, 25),
}


@pytest.mark.parametrize("background", ["white", "black"])
@pytest.mark.parametrize("name", WRONG)
def test_other_outlines_are_no_shape(name: str, background: str) -> None:
    canvas = np.full((128, 128, 3), BACKGROUNDS[background], np.uint8)
    pixels = cv2.fillPoly(canvas, [WRONG[name]], COLOURS["red"], cv2.LINE_AA)
    assert [found.shape for found in look(pixels).objects] == [None]


def test_broken_and_bent_ones_are_no_shape() -> None:
    def canvas() -> np.ndarray:
        return np.full((128, 128, 3), BACKGROUNDS["white"], np.uint8)

    red, aa = COLOURS["red"], cv2.LINE_AA
    ellipse = cv2.ellipse(canvas(), (34, 64), (24, 17), 0, 0, 360, red, -1, aa)
    gap = cv2.ellipse(canvas(), (34, 64), (16, 16), 0, 0, 285, red, 9, aa)
    tilted = cv2.line(canvas(), (20, 50), (48, 78), red, 13, aa)
    cv2.line(tilted, (48, 50), (20, 78), red, 13, aa)
    tail = cv2.circle(canvas(), (34, 64), 19, red, -1, aa)
    cv2.rectangle(tail, (46, 60), (62, 67), red, -1)
    bite = cv2.circle(canvas(), (34, 64), 19, red, -1, aa)
    cv2.circle(bite, (52, 64), 8, BACKGROUNDS["white"], -1, aa)
    off_centre = cv2.circle(canvas(), (34, 64), 20, red, -1, aa)
    cv2.circle(off_centre, (42, 64), 9, BACKGROUNDS["white"], -1, aa)
    for pixels in (ellipse, gap, tilted, tail, bite, off_centre):
        assert [found.shape for found in look(pixels).objects] == [None]


def test_between_places_and_colours_nothing_is_named() -> None:
    item = Item("circle", "red", "plain", "left", 45.0, 45.0, 18.0, (190, 90, 60))
    pixels = picture(Spec("white", BACKGROUNDS["white"], (item,), (0,), ""))
    found = look(pixels).objects
    assert all(thing.place is None for thing in found)
    assert all(thing.colour is None for thing in found)
    ground = picture(Spec("white", (100, 130, 60), (), (), ""))
    assert look(ground).background is None


def test_a_colour_that_is_off_has_no_name() -> None:
    item = Item("square", "green", "plain", "left", 64.0, 33.0, 20.0, (80, 190, 100))
    found = look(picture(Spec("white", BACKGROUNDS["white"], (item,), (0,), ""))).objects
    assert [(thing.shape, thing.colour) for thing in found] == [("square", None)]


def test_noise_and_flat_pictures_do_not_crash_or_pass() -> None:
    facts = parse("a red circle on the left and a blue square on the right, on a white background")
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    for pixels in (noise, np.zeros((128, 128, 3), np.uint8), np.full((128, 128, 3), 255, np.uint8)):
        assert not score(pixels, facts).scene


def test_one_wrong_fact_changes_exactly_one() -> None:
    rng = np.random.default_rng(0)
    for scene in world.scenes(8, 40, "any", 2):
        sight = look(scene.pixels)
        for kind in ("background", "shape", "colour", "place"):
            wrong = judge(sight, with_one_wrong(scene.spec.facts, kind, rng))
            assert not wrong.scene
            assert not wrong.right(kind)


def test_wilson_bounds() -> None:
    low, high = Rate(450, 500).bounds  # worked by hand from Wilson's formula
    assert (round(low, 4), round(high, 4)) == (0.8706, 0.9233)
    assert Rate(0, 0).bounds == (0.0, 1.0)
    assert Rate(500, 500).bounds[0] > 0.99
