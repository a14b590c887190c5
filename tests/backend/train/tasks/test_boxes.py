"""Boxes of the world: what is drawn obeys them, and what is moved does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backend.train.caption import parse
from backend.train.scene import picture
from backend.train.tasks import boxes


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_drawn_scene_obeys_its_own_boxes(count: int) -> None:
    for index in range(6):
        drawn = boxes.draw_boxes(3, index, "held" if count > 1 else "any", count)
        found = boxes.obeyed(picture(drawn.spec), drawn)
        assert len(found) == len(drawn.boxes) == count
        assert min(each.iou for each in found) > 0.8
        assert all(each.right for each in found)


def test_captions_tell_no_places_and_boxes_come_in_their_order() -> None:
    for index in range(12):
        drawn = boxes.draw_boxes(4, index)
        told = parse(drawn.spec.caption).objects
        assert [each.place for each in told] == [None] * len(told)
        assert [f"{each.colour} {each.shape}" for each in told] == [
            " ".join(box.caption.split()[-2:]) for box in drawn.boxes
        ]


def test_what_lies_elsewhere_or_is_missing_does_not_obey() -> None:
    drawn = boxes.draw_boxes(5, 2, "held", 2)
    alone = replace(drawn.spec, items=drawn.spec.items[:1], order=(0,))
    found = boxes.obeyed(picture(alone), drawn)
    assert sorted(each.right for each in found) == [False, True]
    assert min(each.iou for each in found) == 0
    mirrored = boxes.obeyed(np.ascontiguousarray(picture(drawn.spec)[::-1, ::-1]), drawn)
    assert np.mean([each.iou for each in mirrored]) < 0.5
