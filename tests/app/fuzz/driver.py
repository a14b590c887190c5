"""A hand that does anything: commands, mouse and runs, by a seed, on a whole window."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from PySide6.QtCore import QEventLoop, QPoint, QPointF, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.canvas.board import Board
from app.document.session import Session
from app.main import FIRST
from app.open_document import OpenDocument
from app.panels.settings.desk import SettingsDesk
from app.screenshots.room import still_room
from app.screenshots.stage import Held
from app.shell.services import Services
from app.shell.window import Window
from app.specs.book import SpecBook
from app.theme.theme import Theme
from backend.engine.events import Preview, Progress, RunStarted, StepDone, StepFailed, StepStarted
from backend.graph.format import dump
from tests.app.canvas.test_board_law import with_places, without_places
from tests.app.fuzz.hands import MORE

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
TABS = 4
MOST = 60
"""Nodes of a level from which nodes are rather taken away than added."""

COMMANDS = MappingProxyType({
    "edit.undo": 14, "edit.redo": 6, "edit.copy": 3, "edit.cut": 1, "edit.paste": 4,
    "edit.duplicate": 3, "edit.delete": 4, "edit.heal": 2, "select.all": 1, "select.none": 2,
    "select.up": 1, "select.down": 1, "node.mute": 2, "node.bypass": 2, "node.collapse": 2,
    "node.lock": 1, "node.pin": 1, "node.link": 3, "node.unlink": 1, "node.detach": 1,
    "node.swap": 1, "node.rename": 1, "link.name": 2, "link.draw": 1, "group.make": 3,
    "group.unpack": 3, "group.enter": 3, "group.leave": 3, "zone.repeat": 3, "zone.each": 2,
    "frame.add": 2, "note.add": 2, "arrange.left": 1, "arrange.middle": 1, "arrange.across": 1,
    "arrange.down": 1, "arrange.tidy": 2, "view.fit": 2, "view.frame": 1, "view.in": 1,
    "view.out": 1, "view.theme": 1, "view.next_pane": 1, "tool.select": 2, "tool.lasso": 1,
    "tool.cut": 1, "run.start": 3, "run.to": 1, "run.cancel": 1, "run.look": 1,
})  # fmt: skip


class Fault(AssertionError):
    """Something is not as it must be."""


class Driver(Held):
    """Does random things to a window and looks whether all is well.

    ``did`` counts what was done, ``edits`` what of it changed a document.
    """

    def __init__(self, specs, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.folder, self.specs = folder, specs
        self.did: Counter[str] = Counter()
        self.edits = 0
        self.last: list[str] = []
        self.faults: list[BaseException] = []
        self._hook, sys.excepthook = sys.excepthook, lambda _, error, __: self.faults.append(error)
        services = Services(SettingsDesk(folder / "settings.toml", {}), Theme(), still_room)
        services.book = SpecBook(specs)
        services.begin = lambda: None  # type: ignore[method-assign]  # no process of checks
        super().__init__(Window(services))
        self.begun: dict[str, tuple[OpenDocument, str]] = {}
        self._files = 0
        services.documents.opened.connect(self._watch)
        self._closer = QTimer(interval=20)  # what asks something by itself is closed unanswered
        self._closer.timeout.connect(_close_modal)
        self._closer.start()
        self.window.open_text(FIRST.read_text("utf-8"))
        self.window.resize(1100, 700)
        self.window.show()
        self.room.start()
        self.turn()
        own = type(self)
        self.actions: list[tuple[Callable[[Driver], None], int]] = [
            (own.command, 90), (own.add, 22), (own.drag, 14), (own.pull, 26), (own.box, 4),
            (own.pick, 30), (own.choose_link, 6), (own.tab, 5), (own.save, 3), (own.value, 6),
            (own.happen, 14), (own.reroute, 3), *MORE,
        ]  # fmt: skip

    # -- what is looked at ------------------------------------------------------------------------

    def _watch(self, document: OpenDocument) -> None:
        self.begun[document.id] = document, dump(document.workflow)
        document.changed.connect(lambda *_: self._count())

    def _count(self) -> None:
        self.edits += 1

    def turn(self) -> None:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 5)

    # -- going on ---------------------------------------------------------------------------------

    def go(self, actions: int, look: int = 25) -> None:
        """Do so many things; every ``look`` of them see whether all is well."""
        acts, weights = zip(*self.actions, strict=True)
        for number in range(1, actions + 1):
            act = self.random.choices(acts, weights)[0]
            self.note(act.__name__)
            act(self)
            if number % 3 == 0:
                self.turn()
            self.canvas.editing.end()
            if self.faults:
                raise Fault(f"after {self.last}") from self.faults[0]
            if number % look == 0:
                self.check()

    def note(self, what: str) -> None:
        self.did[what] += 1
        self.last = [*self.last[-11:], what]

    # -- what may be done -------------------------------------------------------------------------

    def command(self) -> None:
        name = self.random.choices(list(COMMANDS), list(COMMANDS.values()))[0]
        if name in ("edit.paste", "edit.duplicate") and len(self.canvas.board.nodes) > MOST:
            name = "edit.delete"
        self.note(name)
        self.window.commands.do(name)

    def add(self) -> None:
        if len(self.canvas.board.nodes) > MOST:
            self.window.commands.do("edit.delete")
            return
        kind = self.random.choice(sorted(self.specs))
        at = QPointF(self.random.randrange(-400, 2000), self.random.randrange(-300, 1200))
        self.window.adding._add(kind, at, None, "")

    def paths(self) -> list[str]:
        return sorted(path for path in self.canvas.board.nodes if not path.startswith("$"))

    def pick(self) -> None:
        paths = self.paths()
        count = min(len(paths), self.random.choice((0, 1, 1, 2, 3, 5)))
        self.document.select(self.random.sample(paths, count))

    def choose_link(self) -> None:
        links = sorted(self.canvas.board.links, key=repr)
        if links:
            self.document.select([])
            self.canvas.choose(link=self.random.choice(links))

    def spot(self) -> QPoint:
        rect = self.canvas.rect()
        return QPoint(self.random.randrange(rect.width()), self.random.randrange(rect.height()))

    def on(self, path: str) -> QPoint:
        view = self.canvas.board.nodes[path]
        return self.canvas.camera.to_screen(QPointF(view.x + 80, view.y + 10)).toPoint()

    def gesture(self, start: QPoint, end: QPoint) -> None:
        canvas = self.canvas
        QTest.mousePress(canvas, LEFT, NONE, start)
        for step in (1, 2, 3):
            QTest.mouseMove(canvas, start + (end - start) * step / 3)
        if self.random.random() < 0.06:
            QTest.keyClick(canvas, Qt.Key.Key_Escape)
        QTest.mouseRelease(canvas, LEFT, NONE, end)
        self.close_popups()

    def drag(self) -> None:
        paths = self.paths()
        if paths:
            start = self.on(self.random.choice(paths))
            far = QPoint(self.random.randrange(-300, 300), self.random.randrange(-300, 300))
            self.gesture(start, start + far)

    def box(self) -> None:
        self.gesture(self.spot(), self.spot())

    def ends(self) -> tuple[QPoint, QPoint] | None:
        """Where a link may be pulled from and to."""
        board, camera = self.canvas.board, self.canvas.camera
        sockets = [(v.place(s), s) for v in board.nodes.values() for s in v.shape.places.values()]
        outs = [place for place, socket in sockets if socket.side == "out"]
        ins = [place for place, socket in sockets if socket.side == "in"]
        if not outs or not ins:
            return None
        ends = [self.random.choice(outs), self.random.choice(ins)]
        if self.random.random() < 0.2:
            ends.reverse()
        start, end = (camera.to_screen(place).toPoint() for place in ends)
        return start, end

    def pull(self) -> None:
        ends = self.ends()
        if ends is not None:
            self.gesture(*ends)

    def reroute(self) -> None:
        links = sorted(self.canvas.board.links, key=repr)
        if links:
            link = self.random.choice(links)
            middle = self.canvas.board.links[link].path.pointAtPercent(0.5)
            self.canvas.add_point(link, middle)

    def value(self) -> None:
        """A value is typed on a node."""
        paths = [p for p in self.paths() if self.canvas.board.nodes[p].shape.fields]
        if not paths:
            return
        view = self.canvas.board.nodes[self.random.choice(paths)]
        field = self.random.choice(view.shape.fields)
        editor = self.canvas.editing.open_field(view.path, field.param.name)
        if editor is not None:
            editor.begin()
            held = QApplication.focusWidget()
            if held is not None and self.canvas.isAncestorOf(held):
                QTest.keyClicks(held, self.random.choice(("3", "0.5", "a cat", "-1", "{seed}")))
                QTest.keyClick(held, Qt.Key.Key_Return)
        self.close_popups()

    def tab(self) -> None:
        documents = list(self.window.services.documents)
        choice = self.random.random()
        if choice < 0.25 and len(documents) < TABS:
            self.window.services.documents.new()
        elif choice < 0.4 and len(documents) < TABS:
            self.window.open_text(FIRST.read_text("utf-8"))
        elif choice < 0.5 and len(documents) > 1:
            document = self.random.choice(documents)
            self.undone(document)
            self.begun.pop(document.id)
            self.window.services.documents.close(document)
        else:
            self.window.services.documents.look_at(self.random.choice(documents))

    def save(self) -> None:
        """What is read from the file is what was saved."""
        document = self.document
        self._files += document.session.path is None
        path = document.session.path or self.folder / f"{self._files}.weft.json"
        if not self.window.services.documents.save(document, path):
            raise Fault(f"{path} cannot be saved")
        if document.session.is_changed:
            raise Fault("a saved document counts as changed")
        read = Session.open(path)
        if dump(read.workflow) != dump(document.workflow):
            raise Fault("what was saved reads as another")
        if read.workflow != document.workflow:
            raise Fault("what was saved is another document")

    def happen(self) -> None:
        """A waiting job begins, or the one that runs goes on."""
        from backend.engine.queue.job import Ending

        room = self.room
        waiting = [job for job in room.jobs() if job.status == "queued"]
        if not room._going.job:
            if waiting:
                room.begin(waiting[0].id)
                room.hear(RunStarted(3, {}))
            return
        origin = room._going.origins.get(room._going.job)
        steps = sorted(origin.plan) if origin is not None else []
        if not steps or self.random.random() < 0.2:
            room.end(Ending("done", "", 1.0))
            return
        step = self.random.choice(steps)
        room.hear(StepStarted(step), 0.1)
        room.hear(Progress(step, 1, 4), 0.1, 10**9)
        chance = self.random.random()
        if chance < 0.3:
            room.hear(Preview(step, self._picture()))
        elif chance < 0.5:
            room.hear(StepFailed(step, "This is larger than it may be. Use a smaller size."))
        elif chance < 0.9:
            room.hear(StepDone(step, chance < 0.7, 0.4, {}), 0.2)

    def _picture(self) -> bytes:
        from app.screenshots.art import jpeg

        return jpeg()

    def close_popups(self) -> None:
        if self.window.adding._palette is not None:
            self.window.adding._palette.close_down()
        popup = QApplication.activePopupWidget()
        if popup is not None:
            popup.close()

    # -- what must hold ---------------------------------------------------------------------------

    def check(self) -> None:
        """What is seen is what would be seen if the document were opened now."""
        self.turn()
        canvas = self.canvas
        board = canvas.board
        if board.workflow is not self.document.workflow:
            raise Fault("the board shows an older document")
        fresh = Board(canvas.spec_of)
        fresh.open(self.document.workflow, self.document.level)
        fresh.set_selected(self.document.selection)  # what is selected is painted last
        for path, view in board.nodes.items():
            if path in fresh.nodes:
                fresh.set_shown(path, view.shown)
        placed = all(view.placement or view.zone for view in board.nodes.values())
        reading = with_places if placed else without_places
        here, there = reading(board), reading(fresh)
        for part, told in here.items():
            if told != there[part]:
                raise Fault(f"{part} on the board: {_difference(told, there[part])}")
        if not self.document.selection <= set(board.nodes):
            raise Fault("what is selected is not there")

    def undone(self, document: OpenDocument) -> None:
        """Undone to the start, a document is the bytes that it began with; redone, as it was."""
        now = dump(document.workflow)
        steps = 0
        while document.undo():
            steps += 1
        if dump(document.workflow) != self.begun[document.id][1]:
            raise Fault(f"{steps} steps undone give another document than the first")
        for _ in range(steps):
            document.redo()
        if dump(document.workflow) != now:
            raise Fault("what is redone is not what was undone")

    def end(self) -> None:
        """All that must hold at the end."""
        self.check()
        for document, _ in list(self.begun.values()):
            self.window.services.documents.look_at(document)
            self.save()
            self.undone(document)
            self.check()
        if self.faults:
            raise Fault(f"after {self.last}") from self.faults[0]

    def close(self) -> None:
        """Take the window down."""
        sys.excepthook = self._hook
        self._closer.stop()
        super().close()


def _close_modal() -> None:
    for widget in (QApplication.activeModalWidget(), QApplication.activePopupWidget()):
        if widget is not None:
            widget.close()


def _difference(here: object, there: object) -> str:
    if isinstance(here, dict) and isinstance(there, dict):
        wrong = [key for key in {**here, **there} if here.get(key) != there.get(key)]
        return "; ".join(f"{key}: {here.get(key)} and not {there.get(key)}" for key in wrong[:3])
    return f"{here} and not {there}"
