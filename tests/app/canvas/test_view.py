"""Seeing: panning, zooming to the pointer, fitting, the map, and what is painted of it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.canvas.camera import Camera
from app.canvas.minimap import Minimap
from app.canvas.shape import Place
from app.theme.measures import Measures
from tests.app.canvas.bench import CTRL, LEFT, MIDDLE, NONE, RIGHT, SHIFT, chain


@pytest.mark.parametrize("button", [MIDDLE, RIGHT])
def test_a_drag_with_the_middle_or_right_button_pans(bench, button):
    here = bench(chain())
    menus = []
    here.canvas.asked_menu.connect(lambda *_: menus.append(1))
    here.drag((100, 500), (220, 580), button=button)
    assert (here.canvas.camera.x, here.canvas.camera.y) == (-120, -80)
    assert menus == []
    assert not here.document.session.is_changed


def test_a_right_click_asks_for_the_menu_there(bench):
    here = bench(chain())
    menus = []
    here.canvas.asked_menu.connect(lambda spot, at: menus.append(at))
    x, y = here.on("blur")
    here.click(x, y, RIGHT)
    assert menus == [QPointF(x, y)]
    assert here.selection == {"blur"}


def test_a_drag_with_space_held_pans_and_asks_for_nothing(bench):
    here = bench(chain())
    QTest.keyPress(here.canvas, Qt.Key.Key_Space)
    here.drag((100, 500), (60, 460))
    QTest.keyRelease(here.canvas, Qt.Key.Key_Space)
    assert (here.canvas.camera.x, here.canvas.camera.y) == (40, 40)
    assert here.asked == []
    assert here.selection == set()


@pytest.mark.parametrize("steps", [1, -1, 3, -5])
def test_the_wheel_zooms_to_the_pointer(bench, steps):
    here = bench(chain())
    spot = QPointF(here.at(300, 200))
    here.wheel(300, 200, steps)
    zoom = here.canvas.camera.zoom
    assert zoom > 1 if steps > 0 else zoom < 1
    there = here.canvas.camera.to_canvas(spot)
    assert abs(there.x() - 300) < 1
    assert abs(there.y() - 200) < 1


def test_the_wheel_with_shift_pans_across(bench):
    here = bench(chain())
    here.wheel(300, 200, 1, SHIFT)
    assert here.canvas.camera.zoom == 1
    assert here.canvas.camera.x != 0
    assert here.canvas.camera.y == 0


def test_the_wheel_with_control_zooms_too(bench):
    here = bench(chain())
    here.wheel(300, 200, 1, CTRL)
    assert here.canvas.camera.zoom > 1


def test_fitting_shows_all_and_framing_the_selection_shows_that(bench):
    here = bench(chain())
    here.look(5000, 5000, 2)
    here.canvas.fit()
    seen = here.canvas.visible()
    assert all(seen.contains(view.rect) for view in here.canvas.board.nodes.values())
    here.look(5000, 5000, 0.2)
    here.canvas.fit(["save"])
    assert here.canvas.visible().contains(here.canvas.board.nodes["save"].rect)
    middle = here.canvas.visible().center() - here.canvas.board.nodes["save"].rect.center()
    assert middle.manhattanLength() < 2


def test_fitting_an_empty_graph_shows_its_origin(bench):
    here = bench()
    here.look(5000, 5000, 3)
    here.canvas.fit()
    assert here.canvas.visible().contains(QPointF(0, 0))
    assert here.canvas.camera.zoom == 1


def test_a_click_on_the_map_goes_there_and_a_drag_goes_along(bench):
    here = bench(chain())
    map_ = Minimap(here.canvas)
    map_.show()
    here.look(-600, -400, 1)
    before = map_._camera().to_screen(here.canvas.board.nodes["save"].rect.center())
    QTest.mouseClick(map_, LEFT, NONE, before.toPoint())
    middle = here.canvas.visible().center() - here.canvas.board.nodes["save"].rect.center()
    assert middle.manhattanLength() < 60  # a pixel of the map is many of the canvas
    QTest.mousePress(map_, LEFT, NONE, map_.rect().center())
    before = here.canvas.camera
    spot = QPointF(map_.rect().center()) + QPointF(20, 0)
    move = QMouseEvent(QEvent.Type.MouseMove, spot, map_.mapToGlobal(spot), LEFT, LEFT, NONE)
    QApplication.sendEvent(map_, move)
    assert here.canvas.camera.x > before.x
    assert abs(here.canvas.camera.y - before.y) < 30
    QTest.mouseRelease(map_, LEFT, NONE, spot.toPoint())


def test_what_was_panned_looks_as_what_is_painted_there_anew(bench):
    """Panning shifts the kept picture; it may not differ from painting all of it."""
    here = bench(chain())
    here.canvas.grab()
    for x, y in ((30, 20), (-170, 40), (11, -300), (400, 0)):
        here.look(x, y)
        shifted = here.canvas.grab().toImage()
        here.canvas.repaint_all()
        assert here.canvas.grab().toImage() == shifted, (x, y)


def test_what_was_edited_looks_as_what_is_painted_anew(bench):
    """An edit paints only what it changed; it may not differ from painting all of it."""
    here = bench(chain())
    here.canvas.grab()
    x, y = here.on("blur")
    here.drag((x, y), (x + 80, y + 120))
    here.canvas._point_at(QPointF(1e9, 1e9))
    QApplication.processEvents()
    kept = here.canvas.grab().toImage()
    here.canvas.repaint_all()
    assert here.canvas.grab().toImage() == kept
    here.document.undo()
    kept = here.canvas.grab().toImage()
    here.canvas.repaint_all()
    assert here.canvas.grab().toImage() == kept


@pytest.mark.parametrize("zoom", [0.05, 0.15, 0.3, 0.6, 1.0, 2.5])
def test_every_scale_is_painted(bench, zoom):
    here = bench(chain())
    here.canvas.set_camera(Camera(0, 0, zoom))
    image = here.canvas.grab().toImage()
    ground = image.pixelColor(image.width() - 2, image.height() - 2)
    x, y = here.on("paper")
    spot = here.at(x + 30, y)
    assert image.pixelColor(spot) != ground


def test_cards_follow_the_density_that_the_user_sets(bench, theme):
    here = bench(chain())
    heights = {}
    for density in ("compact", "regular", "roomy"):
        theme.put(theme.colours, Measures(density))
        shape = here.canvas.board.nodes["blur"].shape
        heights[density] = shape.height
        first, second = (each for each in shape.fields[:2])
        assert second.y - first.y == {"compact": 22, "regular": 24, "roomy": 28}[density]
    assert heights["compact"] < heights["regular"] < heights["roomy"]
    link = next(iter(here.canvas.board.links.values()))
    assert link.end == here.canvas.place_of(Place(link.link.target, "in", link.link.input))
