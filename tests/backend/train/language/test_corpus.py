"""What the language model learns from: true boxes, short prompts that say nothing false."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch")

from backend.models.language.plans import boxes_schema
from backend.models.language.schema import read_schema
from backend.train.caption import parse
from backend.train.language import corpus
from backend.train.scene import SIZE
from backend.train.world import draw, draw_spec


def test_boxes_are_those_of_the_drawn_scene() -> None:
    for index in range(12):
        scene = draw(4, index)
        told = json.loads(corpus.boxes_json(scene.spec))
        assert len(told) == len(scene.objects)
        for entry, number in zip(told, scene.spec.order, strict=True):
            top, left, bottom, right = scene.objects[number].box
            true = np.array([left, top, right - left, bottom - top]) / SIZE
            assert np.abs(np.array(entry["box"]) - true).max() <= 0.0051
            assert entry["caption"].endswith(scene.spec.items[number].shape)
    assert read_schema(boxes_schema(3)) is not None


def test_a_short_prompt_says_nothing_that_the_caption_does_not() -> None:
    for index in range(200):
        facts = draw_spec(5, index).facts
        short = corpus.short(facts, np.random.default_rng(index))
        said = parse(short)
        whole = {(o.shape, o.colour): o for o in facts.objects}
        for thing in said.objects:
            true = whole[thing.shape, thing.colour]
            assert thing.texture in (true.texture, "plain")
            assert thing.place in (true.place, None)
        assert said.background in (facts.background, None)
        assert len(short) <= 120


def test_texts_follow_from_seed_and_index() -> None:
    for task in corpus.TASKS:
        assert corpus.draw(3, 7, task) == corpus.draw(3, 7, task)
    assert corpus.draw(3, 7, "boxes") != corpus.draw(3, 8, "boxes")
    assert corpus.captions(3, 20) == corpus.captions(3, 20)


def test_no_pair_of_the_held_split_is_in_a_text() -> None:
    from backend.train.world import is_held

    for index in range(100):
        things = parse(corpus.draw(6, index, "go on")[1]).objects
        pairs = [(o.shape, o.colour) for o in things]
        assert not any(is_held(a, b) for i, a in enumerate(pairs) for b in pairs[:i])
