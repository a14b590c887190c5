"""What a run shows on nodes: states, messages, pictures, facts, in words as well as in colour."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QPixmap

from app.canvas.shape import Shown
from app.canvas.states import marks_of
from app.run.state import IDLE, NodeRun
from tests.app.canvas.bench import chain

RUNS = [
    (IDLE, "Not run yet"),
    (NodeRun(status="queued"), "Queued"),
    (NodeRun(status="running", done=17, total=28), "Running"),
    (NodeRun(status="running", done=17, total=28, left=12.0), "left"),
    (NodeRun(status="done", seconds=1.5), "1.5"),
    (NodeRun(status="cached", seconds=2.0), "From cache"),
    (NodeRun(status="failed", seconds=2.0, sentence="There is no such file."), "Failed"),
    (NodeRun(status="skipped"), "Not run"),
]


@pytest.mark.parametrize(("run", "words"), RUNS)
def test_every_state_is_told_in_words(bench, run, words):
    here = bench(chain())
    here.canvas.set_run("blur", run)
    view = here.canvas.board.nodes["blur"]
    assert words in marks_of(view, here.canvas.theme.colours).left
    here.canvas.grab()


def test_a_failure_is_written_on_the_node_and_goes_with_the_next_run(bench):
    here = bench(chain())
    before = here.canvas.board.nodes["blur"].shape.height
    here.canvas.set_run("blur", NodeRun(status="failed", sentence="There is no such file. " * 9))
    view = here.canvas.board.nodes["blur"]
    assert 1 < len(view.shape.message) <= 3
    assert view.shape.message[-1].endswith("…")
    assert view.shape.height > before
    here.click(view.x + 60, view.y + view.shape.height - 8)
    assert "no such file" in here.said[0]
    here.canvas.set_run("blur", NodeRun(status="done", seconds=1.0))
    assert here.canvas.board.nodes["blur"].shape.height == before


def test_a_picture_makes_room_for_itself_and_the_links_stay_at_their_sockets(bench):
    here = bench(chain())
    picture = QPixmap(64, 32)
    picture.fill(QColor("#336699"))
    before = here.canvas.board.nodes["blur"].shape.height
    here.canvas.set_picture("blur", picture)
    view = here.canvas.board.nodes["blur"]
    assert view.shape.height > before
    shown = here.canvas.grab().toImage()
    middle = here.at(view.x + 104, view.y + view.shape.picture_y + view.shape.picture_height / 2)
    assert shown.pixelColor(middle) == QColor("#336699")
    here.canvas.set_picture("blur", None)
    assert here.canvas.board.nodes["blur"].shape.height == before


def test_facts_stand_at_their_sockets(bench):
    here = bench(chain())
    here.canvas.set_shown("blur", Shown({"image": "512 x 384"}))
    assert here.canvas.board.nodes["blur"].shape.socket("out", "image").fact == "512 x 384"


def test_what_a_run_shows_stays_when_the_document_is_edited(bench):
    here = bench(chain())
    here.canvas.set_run("blur", NodeRun(status="failed", sentence="There is no such file."))
    x, y = here.on("blur")
    here.drag((x, y), (x, y + 160))
    view = here.canvas.board.nodes["blur"]
    assert view.run.status == "failed"
    assert view.shape.message == ("There is no such file.",)


def test_a_node_is_told_to_screen_readers_with_its_state(bench):
    here = bench(chain())
    assert here.canvas.describe("blur") == "Blur, idle"
    here.canvas.set_run("blur", NodeRun(status="running", done=17, total=28))
    assert here.canvas.describe("blur") == "Blur, running, step 17 of 28"
    here.canvas.set_run("blur", NodeRun(status="failed", sentence="There is no such file."))
    assert here.canvas.describe("blur") == "Blur, failed, There is no such file."


def test_a_type_that_is_not_installed_is_drawn_with_its_links(bench):
    from backend.graph.document import Node, Ref
    from tests.app.canvas.bench import laid_out

    nodes = {
        "paper": Node("solid_image"),
        "odd": Node("acme/odd", inputs={"thing": Ref("paper", "image")}),
        "save": Node("save_image", inputs={"image": Ref("odd", "result")}),
    }
    here = bench(laid_out(nodes, {"paper": (80, 80), "odd": (400, 80), "save": (720, 80)}))
    view = here.canvas.board.nodes["odd"]
    assert view.shape.socket("in", "thing").joined
    assert view.shape.socket("out", "result").joined
    assert len(here.canvas.board.links) == 2
    assert marks_of(view, here.canvas.theme.colours).left == "Not installed"
    here.canvas.grab()
