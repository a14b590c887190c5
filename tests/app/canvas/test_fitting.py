"""Fitting beside what floats over the canvas, and the names of links that lie near."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtWidgets import QWidget

from app.canvas.fitting import free_areas
from app.canvas.pills import pills_of
from app.document.edits.ways import name_links
from backend.graph.document import Node, Ref
from tests.app.canvas.bench import chain, laid_out

rects = st.builds(
    QRectF, st.floats(0, 900), st.floats(0, 700), st.floats(20, 300), st.floats(20, 300)
)


@given(st.lists(rects, max_size=3))
def test_free_areas_touch_no_cover_but_for_the_view_and_lie_in_it(covers):
    view = QRectF(0, 0, 1200, 800)
    for area in free_areas(view, covers):
        assert view.contains(area)
    smallest = free_areas(view, covers)[-1]
    assert smallest == view or len(covers) > 1 or not any(smallest.intersects(c) for c in covers)


def grid(columns: int, rows: int):
    """So many papers side by side and below one another."""
    nodes = {f"p{x}_{y}": Node("solid_image") for x in range(columns) for y in range(rows)}
    places = {f"p{x}_{y}": (x * 260.0, y * 260.0) for x in range(columns) for y in range(rows)}
    return laid_out(nodes, places)


@pytest.mark.parametrize("shape", [(1, 1), (4, 1), (4, 3), (1, 6), (9, 2)])
def test_a_fit_hides_no_node_under_what_floats(bench, shape):
    here = bench(grid(*shape))
    bar, corner = QWidget(here.canvas), QWidget(here.canvas)
    bar.setGeometry(430, 746, 340, 42)
    corner.setGeometry(1012, 664, 176, 124)
    bar.show()
    corner.show()
    here.canvas.covers = (bar, corner)
    here.canvas.fit()
    for view in here.canvas.board.nodes.values():
        shown = here.canvas.camera.rect_to_screen(view.rect)
        assert QRectF(here.canvas.rect()).contains(shown)
        for cover in (bar, corner):
            assert not shown.intersects(QRectF(cover.geometry())), view.path


def test_what_floats_takes_no_room_where_nothing_lies(bench):
    here = bench(grid(2, 1))
    here.canvas.fit()
    before = here.canvas.camera
    corner = QWidget(here.canvas)
    corner.setGeometry(1012, 664, 176, 124)
    corner.show()
    here.canvas.covers = (corner,)
    here.canvas.fit()
    assert here.canvas.camera == before


def test_one_node_is_fitted_at_100_percent(bench):
    here = bench(grid(3, 3))
    here.look(-4000, 3000, 0.1)
    here.canvas.fit(["p1_1"])
    assert here.canvas.camera.zoom == 1.0
    shown = here.canvas.camera.rect_to_screen(here.canvas.board.nodes["p1_1"].rect)
    assert (shown.center() - QPointF(600, 400)).manhattanLength() < 2


@pytest.mark.parametrize(("gap", "pills"), [(20, 0), (150, 1), (700, 2), (-900, 2)])
def test_names_of_a_named_link_never_lie_on_one_another(bench, gap, pills):
    nodes = {
        "paper": Node("solid_image"), "blur": Node("blur", inputs={"image": Ref("paper", "image")}),
    }  # fmt: skip
    made = laid_out(nodes, {"paper": (80, 80), "blur": (80 + 208 + gap, 80)})
    here = bench(name_links(made, "", "paper", "image"))
    here.look(min(0, gap), 0)
    (view,) = here.canvas.board.links.values()
    found = pills_of(view)
    assert len(found) == pills
    assert len(found) < 2 or not found[0].intersects(found[1])
    assert not here.canvas.grab().isNull()


def test_a_named_link_is_picked_by_its_name(bench):
    here = bench(name_links(chain(), "", "paper", "image"))
    view = next(v for v in here.canvas.board.links.values() if v.name)
    spot = (pills_of(view) or [QRectF(view.start, view.end)])[0].center()
    here.click(spot.x(), spot.y())
    assert here.canvas.chosen.link == view.link


def test_a_view_of_everything_stays_one_when_node_types_are_known(bench, book):
    nodes = {f"n{n}": Node("sample") for n in range(4)}
    here = bench(laid_out(nodes, {path: (0.0, 300.0 * n) for n, path in enumerate(nodes)}))
    specs = book.specs
    book.take({})
    here.canvas.fit(animated=False)
    book.take(specs)
    shown = here.canvas.camera.rect_to_screen(here.canvas.board.bounds())
    assert QRectF(here.canvas.rect()).contains(shown)
    here.look(5, 5, 1.0)
    book.take({})
    book.take(specs)
    assert here.canvas.camera.x == 5


def test_steps_of_other_nodes_are_edits_of_their_own(bench):
    from PySide6.QtCore import Qt

    from tests.app.canvas.bench import SHIFT

    here = bench(chain())
    for path in ("paper", "paper", "blur"):
        here.document.select([path])
        here.key(Qt.Key.Key_Right, SHIFT)
    assert here.document.session.history.at == 2
