"""What is painted edit by edit is what is painted of the whole: no edit leaves a trace behind."""

from __future__ import annotations

from random import Random

import pytest
from PySide6.QtWidgets import QApplication

from app.canvas.camera import Camera
from app.document.edits.common import EditError
from app.document.level import graph_of, walk
from tests.app.canvas.bench import chain
from tests.app.canvas.test_board_law import Throw, all_placed


def spread(workflow, dice: Random):
    """Every node at a place of its own in sight."""
    from app.document.edits.place import move_to

    workflow = all_placed(workflow, "")
    paths = [path for path, _ in walk(graph_of(workflow, ""))]
    path = dice.choice(paths) if paths else ""
    place = dice.randrange(0, 900, 8), dice.randrange(0, 600, 8)
    return move_to(workflow, "", {path: place}) if path else workflow


def difference(one, other) -> str:
    """Where two pictures differ, and how much."""
    import numpy as np

    arrays = [
        np.frombuffer(i.constBits(), np.uint8).reshape(i.height(), i.width(), 4).astype(int)
        for i in (one, other)
    ]
    apart = np.abs(arrays[0] - arrays[1]).max(axis=2)
    rows, columns = np.nonzero(apart)
    return (
        f"{len(rows)} pixels by up to {apart.max()}, x {columns.min()}..{columns.max()}, "
        f"y {rows.min()}..{rows.max()}"
    )


@pytest.mark.parametrize("zoom", [1.0, 0.5, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_edits_and_views_leave_no_trace(bench, book, seed, zoom):
    dice = Random(seed)
    here = bench(chain(), size=(900, 600))
    canvas, hand = here.canvas, Throw(book, dice)
    hand.level = lambda workflow: ""
    here.look(0, 0, zoom)
    canvas.grab()
    for number in range(25):
        act = dice.random()
        if act < 0.6:
            try:
                canvas.edit("Edit", lambda w: spread(hand.edit(w), dice))
            except EditError:
                continue
        elif act < 0.75:
            here.document.undo()
        elif act < 0.9 and canvas.board.nodes:
            here.document.select([dice.choice(list(canvas.board.nodes))])
        else:
            step = dice.randrange(-60, 60), dice.randrange(-60, 60)
            canvas.set_camera(Camera(step[0] / zoom, step[1] / zoom, zoom))
        QApplication.processEvents()
        kept = canvas.grab().toImage()
        canvas.repaint_all()
        whole = canvas.grab().toImage()
        assert whole == kept, (number, act, difference(whole, kept))
