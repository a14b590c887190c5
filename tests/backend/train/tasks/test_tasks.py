"""The tasks of the world: every example's truth is what its words ask for."""

from __future__ import annotations

import numpy as np
import pytest

from backend.train.scene import picture
from backend.train.scorer import judge
from backend.train.tasks import edits, panels
from backend.train.vision import look


@pytest.mark.parametrize("kind", edits.KINDS)
def test_the_picture_after_an_edit_shows_what_was_asked(kind: str) -> None:
    for index in range(8):
        edit = edits.draw_edit(3, index, "held", kind)
        assert edit.kind == kind
        assert judge(look(picture(edit.after)), edit.after.facts).scene
        assert edit.after.facts != edit.before.facts
        words = edit.instruction.split()
        assert words[0] in ("make", "move", "add", "remove")


def test_all_but_what_is_touched_stays_as_it_is() -> None:
    for index in range(24):
        edit = edits.draw_edit(4, index)
        if edit.kind == "background":
            assert edit.touched == ()
            continue
        before, after = (picture(s).astype(int) for s in (edit.before, edit.after))
        rows, columns = np.nonzero(np.abs(before - after).max(-1))
        near = np.zeros(len(rows), bool)
        for item in edit.touched:
            reach = item.radius * 1.3 + 3
            near |= (abs(rows - item.y) < reach) & (abs(columns - item.x) < reach)
        assert near.all()
        free = edits.untouched(edit)
        assert not free[rows, columns].any()
        assert free.mean() > 0.3


def test_the_same_seed_draws_the_same_edit() -> None:
    assert edits.draw_edit(5, 9) == edits.draw_edit(5, 9)
    assert edits.draw_edit(5, 9) != edits.draw_edit(6, 9)
    kinds = {edits.draw_edit(5, index).kind for index in range(6)}
    assert kinds == set(edits.KINDS)


def test_panels_show_one_thing_on_opposite_sides() -> None:
    for index in range(12):
        drawn = panels.draw_panels(2, index, "held")
        first, second = (look(picture(spec)).objects for spec in drawn.scenes)
        assert len(first) == len(second) == 1
        assert (first[0].shape, first[0].colour) == (second[0].shape, second[0].colour)
        assert panels.OPPOSITE[str(first[0].place)] == second[0].place
        assert panels.joined(drawn).shape == (128, 256, 3)
