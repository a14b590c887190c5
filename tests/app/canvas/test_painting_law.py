"""What is painted edit by edit is what is painted of the whole: no edit leaves a trace behind."""

from __future__ import annotations

from random import Random

import pytest
from PySide6.QtWidgets import QApplication

from app.canvas.camera import Camera
from app.document.edits.common import EditError
from app.document.level import graph_of, walk
from app.run.state import NodeRun
from tests.app.canvas.bench import chain
from tests.app.canvas.test_board_law import Throw, all_placed

STATUSES = ("idle", "queued", "done", "cached", "failed", "skipped")
ROUNDING = 3
"""Of 255."""
FEW = 40
"""Pixels that may differ: where two links cross, either may lie above."""


def spread(workflow, dice: Random):
    """Every node at a place of its own in sight."""
    from app.document.edits.place import move_to

    workflow = all_placed(workflow, "")
    paths = [path for path, _ in walk(graph_of(workflow, ""))]
    path = dice.choice(paths) if paths else ""
    place = dice.randrange(0, 900, 8), dice.randrange(0, 600, 8)
    return move_to(workflow, "", {path: place}) if path else workflow


def different(one, other) -> int:
    """How many pixels of two pictures are not the same, but for the rounding of smooth edges:
    within a clip of many rectangles Qt rounds what an edge covers in another way."""
    import numpy as np

    pixels = [
        np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
        for image in (one, other)
    ]
    off = np.abs(pixels[0].astype(np.int16) - pixels[1].astype(np.int16))
    return int(np.count_nonzero(off.max(2) > ROUNDING))


@pytest.mark.parametrize("zoom", [1.0, 0.5, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_edits_and_views_leave_no_trace(bench, book, spin, seed, zoom):
    dice = Random(seed)
    here = bench(chain(), size=(900, 600))
    canvas, hand = here.canvas, Throw(book, dice)
    hand.level = lambda workflow: ""
    here.look(0, 0, zoom)
    spin(lambda: not canvas._is_moving())
    canvas.grab()
    for number in range(25):
        act = dice.random()
        if act < 0.6:
            try:
                canvas.edit("Edit", lambda w: spread(hand.edit(w), dice))
            except EditError:
                continue
        elif act < 0.7:
            here.document.undo()
        elif act < 0.8 and canvas.board.nodes:
            path, status = dice.choice(list(canvas.board.nodes)), dice.choice(STATUSES)
            canvas.set_run(path, NodeRun(status))
        elif act < 0.9 and canvas.board.nodes:
            here.document.select([dice.choice(list(canvas.board.nodes))])
        else:
            step = dice.randrange(-60, 60), dice.randrange(-60, 60)
            canvas.set_camera(Camera(step[0] / zoom, step[1] / zoom, zoom))
        QApplication.processEvents()
        kept = canvas.grab().toImage()
        canvas.repaint_all()
        whole = canvas.grab().toImage()
        assert different(whole, kept) <= FEW, (number, act)


def test_a_pan_is_painted_as_it_is_where_the_zoom_is_that_of_the_picture(bench, spin):
    """The zoom was changed a moment ago, and is what it was: nothing need be stretched."""
    here = bench(chain(), size=(900, 600))
    spin(lambda: not here.canvas._zooming.isActive())
    here.look(0, 0, 1.0)
    here.canvas.grab()
    here.look(0, 0, 0.5)
    here.look(400, 0, 1.0)
    assert here.canvas._zooming.isActive()
    kept = here.canvas.grab().toImage()
    here.canvas.repaint_all()
    spin(lambda: not here.canvas._zooming.isActive())
    assert different(here.canvas.grab().toImage(), kept) == 0
