"""What else hands do to a window: rarer things, each a function of the driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.carried import carry_parameter
from app.document.edits.ports import remove_output, remove_port, rename_output, rename_port

if TYPE_CHECKING:
    from tests.app.fuzz.driver import Driver

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
WORDS = ("Sky", "日本語 " * 9, "مرحبا بالعالم", "🦊🌈", "a" * 500, " ", "x.y/z$out", "\u202e")
CLIPS = (
    "", "plain words", '{"3": {"class_type": "KSampler", "inputs": {}}}', '{"weft": 99}',
    '{"weft": 1, "nodes": 7}', "https://example.org/a.png", "{", "[]", '{"nodes": [], "links": []}',
)  # fmt: skip


def insert(driver: Driver) -> None:
    """A node without links is dropped on a link."""
    board = driver.canvas.board
    loose = [p for p in driver.paths() if not any(True for _ in board.links_at(p))]
    links = sorted(board.links, key=repr)
    if loose and links:
        path, link = driver.random.choice(loose), driver.random.choice(links)
        start = driver.on(path)
        end = driver.canvas.camera.to_screen(board.links[link].path.pointAtPercent(0.5)).toPoint()
        driver.gesture(start, end)


def bridge(driver: Driver) -> None:
    """A link is pulled to what it may not fit, and Enter is pressed."""
    ends = driver.ends()
    if ends is None:
        return
    start, end = ends
    canvas = driver.canvas
    QTest.mousePress(canvas, LEFT, NONE, start)
    QTest.mouseMove(canvas, (start + end) / 2)
    QTest.mouseMove(canvas, end)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    QTest.mouseRelease(canvas, LEFT, NONE, end)
    driver.close_popups()


def expose(driver: Driver) -> None:
    """A parameter is shown outside, or not any more, from the inspector's own edits."""
    from app.document.edits.common import exposed_in
    from app.document.edits.params import expose as show
    from app.document.edits.params import unexpose

    document, level = driver.document, driver.document.level
    shown = list(exposed_in(document.workflow, level))
    if shown and driver.random.random() < 0.4:
        name = driver.random.choice(shown)
        driver.window.edit(document, "Hide", lambda w: unexpose(w, level, [name]))
        return
    views = [driver.canvas.board.nodes[p] for p in driver.paths()]
    views = [v for v in views if v.spec is not None and v.spec.params]
    if views:
        view = driver.random.choice(views)
        name = driver.random.choice(view.spec.params).name
        driver.window.edit(document, "Show", lambda w: show(w, level, view.path, name))


def replace(driver: Driver) -> None:
    """The active node is replaced by another type through the palette."""
    paths = driver.paths()
    if not paths:
        return
    driver.document.select([driver.random.choice(paths)])
    driver.window.adding.ask_replace()
    driver.window.adding._then(driver.random.choice(sorted(driver.specs)))
    driver.close_popups()


def ask(driver: Driver) -> None:
    """A link is let go where nothing is, and the palette's first answer is taken."""
    views = [v for v in driver.canvas.board.nodes.values() if v.shape.sockets]
    if not views or len(views) > 60:
        return
    view = driver.random.choice(views)
    socket = driver.random.choice(view.shape.sockets)
    from app.canvas.scene import place_of

    driver.window.adding.ask(
        QPointF(driver.random.randrange(2000), -600), place_of(view.path, socket.side, socket)
    )
    offers = sorted(driver.window.adding.palette.offers)
    offers = [key for key in offers if not key.startswith("command:")]
    if offers:
        driver.window.adding._then(driver.random.choice(offers))
    driver.close_popups()


def carry(driver: Driver) -> None:
    """A parameter is dragged from the inspector onto the canvas."""
    canvas = driver.canvas
    views = [v for v in canvas.board.nodes.values() if v.spec is not None and v.spec.params]
    outs = [
        v.place(s) for v in canvas.board.nodes.values() for s in v.shape.sockets if s.side == "out"
    ]
    if not views or not outs:
        return
    view = driver.random.choice(views)
    held = carry_parameter(view.path, driver.random.choice(view.spec.params).name)
    spot = canvas.camera.to_screen(driver.random.choice(outs)).toPoint()
    told = Qt.DropAction.LinkAction, held, LEFT, NONE
    enter = QDragEnterEvent(spot, *told)
    QApplication.sendEvent(canvas, enter)
    if enter.isAccepted():
        QApplication.sendEvent(canvas, QDragMoveEvent(spot, *told))
        leaves = driver.random.random() < 0.2
        QApplication.sendEvent(
            canvas, QDragLeaveEvent() if leaves else QDropEvent(QPointF(spot), *told)
        )
    driver.close_popups()


def name(driver: Driver) -> None:
    """A title is typed: in any script, very long, or empty."""
    paths = driver.paths()
    if not paths:
        return
    driver.canvas.editing.rename(driver.random.choice(paths))
    held = driver.canvas.editing.widget
    if held is not None:
        held.setText(driver.random.choice(WORDS))
        key = Qt.Key.Key_Escape if driver.random.random() < 0.2 else Qt.Key.Key_Return
        QTest.keyClick(held, key)


def ports(driver: Driver) -> None:
    """A socket of a subgraph gets another name, or is taken out."""
    document, level = driver.document, driver.document.level
    if not level:
        return
    subgraph = document.workflow.subgraphs[level]
    word, chance = driver.random.choice(WORDS), driver.random.random()
    given, taken = list(subgraph.inputs), list(subgraph.graph.outputs)
    if given and chance < 0.4:
        old = driver.random.choice(given)
        driver.window.edit(document, "Name", lambda w: rename_port(w, level, old, word))
    elif taken and chance < 0.8:
        old = driver.random.choice(taken)
        driver.window.edit(document, "Name", lambda w: rename_output(w, level, old, word))
    elif given and chance < 0.9:
        old = driver.random.choice(given)
        driver.window.edit(document, "Take out", lambda w: remove_port(w, level, old))
    elif taken:
        old = driver.random.choice(taken)
        driver.window.edit(document, "Take out", lambda w: remove_output(w, level, old))


def clip(driver: Driver) -> None:
    """Something strange is pasted."""
    QApplication.clipboard().setText(driver.random.choice(CLIPS))
    driver.window.commands.do("edit.paste")


def double_click(driver: Driver) -> None:
    """A double click anywhere."""
    paths = sorted(driver.canvas.board.nodes)
    far = driver.random.random() < 0.3 or not paths
    spot = driver.spot() if far else driver.on(driver.random.choice(paths))
    QTest.mouseDClick(driver.canvas, LEFT, NONE, spot)
    driver.close_popups()


def interrupt(driver: Driver) -> None:
    """A drag is broken off: the focus goes, another button is pressed, or an undo comes between."""
    paths = driver.paths()
    start = driver.on(driver.random.choice(paths)) if paths else driver.spot()
    canvas = driver.canvas
    QTest.mousePress(canvas, LEFT, NONE, start)
    QTest.mouseMove(canvas, driver.spot())
    choice = driver.random.choice(("focus", "right", "undo", "tab", "delete", "level"))
    if choice == "focus":
        canvas.clearFocus()
        QApplication.sendEvent(canvas.window(), QEvent(QEvent.Type.WindowDeactivate))
    elif choice == "right":
        QTest.mousePress(canvas, Qt.MouseButton.RightButton, NONE, driver.spot())
        QTest.mouseRelease(canvas, Qt.MouseButton.RightButton, NONE, driver.spot())
    elif choice == "undo":
        driver.window.commands.do("edit.undo")
    elif choice == "delete":
        driver.window.commands.do("edit.delete")
    elif choice == "level":
        driver.window.commands.do("group.leave")
    else:
        documents = list(driver.window.services.documents)
        driver.window.services.documents.look_at(driver.random.choice(documents))
    spot = driver.spot()
    move = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(spot), QPointF(canvas.mapToGlobal(spot)), LEFT, LEFT, NONE
    )
    QApplication.sendEvent(canvas, move)
    QTest.mouseRelease(canvas, LEFT, NONE, spot)
    driver.close_popups()


MORE = (
    (insert, 5), (bridge, 5), (expose, 5), (replace, 3), (ask, 6), (carry, 5), (name, 3),
    (ports, 4), (clip, 1), (double_click, 3), (interrupt, 5),
)  # fmt: skip
"""What is done, and how often."""
