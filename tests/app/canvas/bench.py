"""A canvas under real events: places are told as those of the canvas, as a user sees them."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.canvas.camera import Camera
from app.canvas.canvas import Canvas
from app.canvas.shape import Place
from app.document.level import graph_of, links
from backend.graph.document import Graph, Layout, Node, Placement, Ref, Workflow

LEFT, RIGHT, MIDDLE = (
    Qt.MouseButton.LeftButton,
    Qt.MouseButton.RightButton,
    Qt.MouseButton.MiddleButton,
)
NONE, SHIFT, CTRL, ALT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)


class Bench:
    """Presses, drags and types on a canvas, and says what became of the document."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.said: list[str] = []
        self.asked: list[tuple[QPointF, object]] = []
        canvas.said.connect(self.said.append)
        canvas.asked_palette.connect(lambda at, place: self.asked.append((at, place)))

    @property
    def document(self):
        return self.canvas.document

    @property
    def workflow(self) -> Workflow:
        return self.canvas.document.workflow

    @property
    def selection(self) -> set[str]:
        return set(self.canvas.document.selection)

    def node(self, path: str) -> Node:
        graph = graph_of(self.workflow, self.document.level)
        *zones, name = path.split("/")
        for zone in zones:
            graph = graph.nodes[zone].body
        return graph.nodes[name]

    def placement(self, path: str) -> Placement | None:
        level = self.document.level
        layout = self.workflow.subgraphs[level].layout if level else self.workflow.layout
        return layout.nodes.get(path)

    def wires(self) -> set[str]:
        """The links as short texts: ``photo.image > blur.image``."""
        found = set()
        for source, output, target, name, key in links(
            graph_of(self.workflow, self.document.level)
        ):
            end = f"{target}.{name}" if key is None else f"{target}.{name}.{key}"
            found.add(f"{source}.{output} > {end}")
        return found

    def look(self, x: float = 0.0, y: float = 0.0, zoom: float = 1.0) -> None:
        """Have a place of the canvas in the corner."""
        self.canvas.set_camera(Camera(x, y, zoom))

    # -- places ---------------------------------------------------------------------------------

    def at(self, x: float, y: float) -> QPoint:
        """A place of the canvas in pixels of the widget."""
        return self.canvas.camera.to_screen(QPointF(x, y)).toPoint()

    def on(self, path: str) -> tuple[float, float]:
        """A place on the title of a node."""
        view = self.canvas.board.nodes[path]
        return view.x + 60, view.y + 14

    def socket(self, path: str, side: str, name: str, key=None) -> tuple[float, float]:
        """The place of a socket."""
        found = self.canvas.place_of(Place(path, side, name, key))
        assert found is not None, (path, side, name, key)
        return found.x(), found.y()

    def field(self, path: str, name: str) -> tuple[float, float]:
        """The middle of a parameter's field."""
        view = self.canvas.board.nodes[path]
        field = next(f for f in view.shape.fields if f.param.name == name)
        return view.x + view.shape.width / 2, view.y + field.y + field.height / 2

    def middle_of(self, source: str, target: str) -> tuple[float, float]:
        """The middle of the curve of a link between two nodes."""
        for link, view in self.canvas.board.links.items():
            if (link.source, link.target) == (source, target):
                point = view.path.pointAtPercent(0.5)
                return point.x(), point.y()
        raise AssertionError((source, target))

    # -- mouse ----------------------------------------------------------------------------------

    def press(self, x: float, y: float, button=LEFT, keys=NONE) -> None:
        QTest.mousePress(self.canvas, button, keys, self.at(x, y))

    def move(self, x: float, y: float) -> None:
        self._mouse_move(self.at(x, y), Qt.MouseButton.NoButton, NONE)
        QApplication.processEvents()

    def release(self, x: float, y: float, button=LEFT, keys=NONE) -> None:
        QTest.mouseRelease(self.canvas, button, keys, self.at(x, y))
        QApplication.processEvents()

    def click(self, x: float, y: float, button=LEFT, keys=NONE) -> None:
        QTest.mouseClick(self.canvas, button, keys, self.at(x, y))
        QApplication.processEvents()

    def double_click(self, x: float, y: float) -> None:
        QTest.mouseDClick(self.canvas, LEFT, NONE, self.at(x, y))
        QApplication.processEvents()

    def drag(self, *points: tuple[float, float], button=LEFT, keys=NONE) -> None:
        """Press at the first place, go through the others, and let go at the last."""
        spots = [self.at(*point) for point in points]
        QTest.mousePress(self.canvas, button, keys, spots[0])
        for before, spot in pairwise(spots):
            for share in (0.25, 0.5, 0.75, 1.0):
                self._mouse_move(before + (spot - before) * share, button, keys)
        QTest.mouseRelease(self.canvas, button, keys, spots[-1])
        QApplication.processEvents()

    def _mouse_move(self, spot: QPoint, button, keys) -> None:
        """A move with its keys, which ``QTest.mouseMove`` cannot give."""
        from PySide6.QtCore import QEvent
        from PySide6.QtGui import QMouseEvent

        there = QPointF(self.canvas.mapToGlobal(spot))
        event = QMouseEvent(
            QEvent.Type.MouseMove, QPointF(spot), there, Qt.MouseButton.NoButton, button, keys
        )
        QApplication.sendEvent(self.canvas, event)

    def drop(self, held, x: float, y: float, leave: bool = False) -> bool:
        """Drag something in from elsewhere and let go of it at a place, or leave again; whether
        it was taken."""
        from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent

        spot = self.at(x, y)
        told = Qt.DropAction.LinkAction, held, LEFT, NONE
        enter = QDragEnterEvent(spot, *told)
        QApplication.sendEvent(self.canvas, enter)
        if not enter.isAccepted():
            return False
        QApplication.sendEvent(self.canvas, QDragMoveEvent(spot, *told))
        drop = QDragLeaveEvent() if leave else QDropEvent(QPointF(spot), *told)
        QApplication.sendEvent(self.canvas, drop)
        QApplication.processEvents()
        return not leave

    def wheel(self, x: float, y: float, steps: float, keys=NONE) -> None:
        spot = QPointF(self.at(x, y))
        event = QWheelEvent(
            spot, QPointF(self.canvas.mapToGlobal(spot)), QPoint(), QPoint(0, round(120 * steps)),
            Qt.MouseButton.NoButton, keys, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(self.canvas, event)

    # -- keys -----------------------------------------------------------------------------------

    def key(self, key, keys=NONE) -> None:
        QTest.keyClick(self.canvas, key, keys)
        QApplication.processEvents()

    def type(self, text: str) -> None:
        """Type into what has the keyboard."""
        held = QApplication.focusWidget()
        assert held is not None
        QTest.keyClicks(held, text)

    def tap(self, key, keys=NONE) -> None:
        """A key for what has the keyboard."""
        held = QApplication.focusWidget()
        assert held is not None
        QTest.keyClick(held, key, keys)
        QApplication.processEvents()


def laid_out(nodes: dict[str, Node], places: dict[str, tuple[float, float]], **more) -> Workflow:
    """A document of nodes, each at its place."""
    placed = {path: Placement(x, y) for path, (x, y) in places.items()}
    return Workflow(Graph(nodes), layout=Layout(placed), **more)


def chain() -> Workflow:
    """A paper, a blur and a file, from left to right."""
    nodes = {
        "paper": Node("solid_image"),
        "blur": Node("blur", inputs={"image": Ref("paper", "image")}),
        "save": Node("save_image", inputs={"image": Ref("blur", "image")}),
    }
    return laid_out(nodes, {"paper": (80, 80), "blur": (400, 80), "save": (720, 80)})


def zoned(linked: bool = True) -> Workflow:
    """A paper, a zone that blurs it several times, and a file, which may be linked to it."""
    body = Graph(
        {"blur": Node("blur", inputs={"image": Ref("$", "image")})}, {"image": Ref("blur", "image")}
    )
    carry = {"carry": {"image": Ref("paper", "image")}}
    nodes = {
        "paper": Node("solid_image"),
        "loop": Node("repeat", params={"times": 3}, inputs=carry, body=body),
        "save": Node("save_image", inputs={"image": Ref("loop", "image")} if linked else {}),
    }
    return laid_out(nodes, {"paper": (60, 200), "loop/blur": (480, 240), "save": (900, 200)})
