"""What a hand does in its first hour: drags broken off, keys in between, strange graphs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QApplication

from app.document.edits.nodes import remove_nodes
from app.document.edits.params import set_param
from app.document.edits.place import move_to
from app.document.edits.subgraphs import make_subgraph
from backend.graph.document import Frame, Node, Note, Point, Way
from tests.app.canvas.bench import ALT, LEFT, NONE, RIGHT, chain, laid_out

Key = Qt.Key


def hold(here, path: str, by: float = 96) -> tuple[float, float]:
    """Press on a node and drag it; where the pointer is then."""
    x, y = here.on(path)
    here.press(x, y)
    here.move(x + 20, y)
    here.move(x + by, y)
    assert here.canvas.board.nodes[path].x == here.placement(path).x + by
    return x + by, y


def test_the_right_button_takes_a_drag_back_and_opens_no_menu(bench):
    here = bench(chain())
    asked = []
    here.canvas.asked_menu.connect(lambda *told: asked.append(told))
    at = hold(here, "blur")
    here.press(*at, RIGHT)
    assert here.canvas.board.nodes["blur"].x == 400
    here.release(*at, RIGHT)
    here.move(at[0] + 50, at[1])
    here.release(*at)
    assert here.canvas.board.nodes["blur"].x == 400
    assert here.document.session.history.at == 0
    assert not asked
    here.click(500, 600, RIGHT)
    assert len(asked) == 1


@pytest.mark.parametrize("keys", [NONE, ALT])
def test_an_undo_in_a_drag_ends_the_drag(bench, keys):
    here = bench(chain())
    here.canvas.edit("Move", lambda w: move_to(w, "", {"blur": (480, 80)}))
    x, y = here.on("blur")
    here.press(x, y, keys=keys)
    here.canvas._hand.move(QPointF(x + 96, y), keys)
    here.document.undo()
    while here.document.undo():
        pass
    assert {p: v.x for p, v in here.canvas.board.nodes.items()} == {
        "paper": 80, "blur": 400, "save": 720,
    }  # fmt: skip
    here.move(x + 200, y)
    here.release(x + 200, y)
    assert here.canvas.board.nodes["blur"].x == 400


def test_a_node_that_is_deleted_in_a_drag_is_let_go(bench):
    here = bench(chain())
    at = hold(here, "blur")
    here.canvas.edit("Delete", lambda w: remove_nodes(w, "", ["blur"]))
    here.move(at[0] + 64, at[1])
    here.release(*at)
    assert set(here.canvas.board.nodes) == {"paper", "save"}
    assert not here.said


def test_a_pulled_link_is_let_go_where_the_graph_changes(bench):
    here = bench(chain())
    here.press(*here.socket("paper", "out", "image"))
    here.move(300, 300)
    assert here.canvas._fits is not None
    here.canvas.edit("Set", lambda w: set_param(w, "", "blur", "radius", 3))
    assert here.canvas._fits is None
    here.release(300, 300)
    assert not here.asked


def test_a_level_that_is_left_in_a_drag_takes_the_drag_with_it(bench, book):
    made = make_subgraph(chain(), "", ["blur"], book.spec_of)
    here = bench(made, next(iter(made.subgraphs)))
    here.look(-320, -40)
    x, y = here.on("blur")
    here.press(x, y)
    here.move(x + 64, y)
    here.document.enter("")
    here.move(x + 90, y)
    here.release(x + 90, y)
    assert here.document.session.history.at == 0


def test_space_that_is_let_go_elsewhere_does_not_stay_down(bench):
    here = bench(chain())
    here.canvas.hold_space()
    QApplication.sendEvent(
        here.canvas, QFocusEvent(QFocusEvent.Type.FocusOut, Qt.FocusReason.ActiveWindowFocusReason)
    )
    assert not here.canvas.space_held
    camera = here.canvas.camera
    here.drag(here.on("blur"), (here.on("blur")[0] + 96, here.on("blur")[1]))
    assert here.placement("blur").x == 496  # the node was dragged, not the canvas
    assert here.canvas.camera == camera


def test_enter_and_arrows_in_a_title_are_not_for_the_canvas(bench):
    here = bench(chain())
    opened = []
    here.canvas.opened.connect(opened.append)
    here.document.select(["blur"])
    here.canvas.editing.rename("blur")
    here.tap(Key.Key_Up)
    here.tap(Key.Key_Down)
    assert here.selection == {"blur"}
    here.type("Soft")
    here.tap(Key.Key_Return)
    assert here.node("blur").title == "Soft"
    assert opened == []


@pytest.mark.parametrize(
    "title",
    ["é" * 500, "مرحبا بالعالم " * 30, "🦊🌈" * 90, "a\nb\tc", "<b>x</b>&amp;", "\u202eabc"],
)
def test_any_title_is_kept_on_one_line_and_painted(bench, title):
    here = bench(chain())
    here.canvas.editing.rename("blur")
    here.canvas.editing.widget.setText(title)
    here.tap(Key.Key_Return)
    assert here.node("blur").title == " ".join(title.split())
    assert not here.canvas.grab().isNull()


def test_a_title_with_line_ends_from_a_file_is_seen(bench):
    nodes = {
        "one": Node("blur", title="first\nsecond"),
        "other": Node("blur", title="first second"),
    }
    here = bench(laid_out(nodes, {"one": (80, 80), "other": (80, 80 + 320)}))
    here.canvas.grab()
    first, second = (here.canvas.node_rect(path) for path in ("one", "other"))
    picture = here.canvas.grab().toImage()
    seen = [picture.copy(r.adjusted(2, 4, -2, 26 - r.height())) for r in (first, second)]
    assert seen[0] == seen[1]


def test_a_frame_that_is_gone_is_not_selected_any_more(bench):
    made = laid_out({"blur": Node("blur")}, {"blur": (80, 120)})
    here = bench(made)
    frame = Frame("All", 40, 40, 400, 300)
    here.canvas.edit("Frame", lambda w: replace(w, layout=replace(w.layout, frames=(frame,))))
    here.click(120, 56)
    assert here.canvas.chosen.frame == 0
    here.document.undo()
    assert here.canvas.chosen.frame is None


def test_a_thousand_nodes_on_one_point_are_painted_as_one(bench):
    nodes = {f"n{n}": Node("blur") for n in range(1000)}
    here = bench(laid_out(nodes, dict.fromkeys(nodes, (200.0, 200.0))))
    painted = []
    paint = here.canvas._pictures.paint
    here.canvas._pictures.paint = lambda *told: (painted.append(told[1].path), paint(*told))
    here.canvas.repaint_all()
    here.canvas.grab()
    assert set(painted) == {"n999"}
    here.document.select(["n7"])
    painted.clear()
    here.canvas.grab()
    assert "n7" in painted


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (2000, 1)])
def test_a_window_of_no_size_does_no_harm(bench, size):
    here = bench(chain())
    here.canvas.setMinimumSize(0, 0)
    here.canvas.resize(*size)
    here.canvas.fit(animated=False)
    here.canvas.zoom_by(1e9)
    here.canvas.zoom_by(1e-9)
    here.canvas.grab()
    assert 0 < here.canvas.camera.zoom < 10


def test_a_link_of_ten_thousand_pixels_is_made_seen_and_cut(bench):
    nodes = {"paper": Node("solid_image"), "blur": Node("blur")}
    here = bench(laid_out(nodes, {"paper": (0, 0), "blur": (10_000, 4000)}))
    here.canvas.fit()
    here.canvas.zoom_to(0.3)
    here.look(-200, -200, 0.11)
    here.drag(here.socket("paper", "out", "image"), here.socket("blur", "in", "image"))
    if not here.wires():  # seen from so far sockets are not pulled
        from app.document.edits.connect import connect
        from app.document.level import Link

        link = Link("paper", "image", "blur", "image")
        here.canvas.edit("Link", lambda w: connect(w, "", link, here.canvas.spec_of))
    here.look(4900, 1900, 1.0)
    at = here.middle_of("paper", "blur")
    assert here.canvas.link_at(QPointF(*at)) is not None
    here.canvas.set_tool("cut")
    here.drag((at[0] - 80, at[1] + 80), (at[0] + 80, at[1] - 80), button=LEFT)
    assert here.wires() == set()


def furnished():
    """A row of nodes, a link through a point, a frame and a note."""
    made = chain()
    way = Way("paper.image", "blur.image", via=(Point(340, 300),))
    layout = replace(
        made.layout, frames=(Frame("All", 40, 400, 300, 200),), notes=(Note("Why", 500, 400),),
        ways=(way,),
    )  # fmt: skip
    return replace(made, layout=layout)


@pytest.mark.parametrize("how", ["escape", "right"])
@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("node", (460, 94)), ("frame", (120, 416)), ("corner", (335, 595)), ("note", (560, 430)),
        ("point", (340, 300)), ("width", (606, 150)), ("box", (900, 700)), ("link", (608, 128)),
        ("field", (500, 158)),
    ],
)  # fmt: skip
def test_every_drag_is_taken_back(bench, name, begin, how):
    here = bench(furnished())
    before = here.workflow
    here.document.select(["save"])
    x, y = begin
    here.press(x, y)
    assert here.canvas._hand is not None, name
    for step in (8, 24, 48, 64):
        here.move(x + step, y + step / 2)
    if how == "escape":
        here.key(Key.Key_Escape)
    else:
        here.press(x + 64, y + 32, RIGHT)
        here.release(x + 64, y + 32, RIGHT)
    assert here.canvas._hand is None
    here.move(x + 90, y + 60)
    here.release(x + 90, y + 60)
    assert here.workflow == before
    assert {p: v.x for p, v in here.canvas.board.nodes.items()} == {
        "paper": 80, "blur": 400, "save": 720,
    }  # fmt: skip
    assert here.canvas._fits is None
    assert not here.asked
