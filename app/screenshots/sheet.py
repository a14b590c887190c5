"""The sheet of node states, zoom levels, furniture, links and sockets, as the canvas paints."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap

from app.canvas.area import Area
from app.canvas.board import Board
from app.canvas.camera import Camera
from app.canvas.look import Look
from app.canvas.node_pictures import NodePictures
from app.canvas.paint_scene import Chosen, paint_scene
from app.canvas.text import paint_text
from app.document.level import Link
from app.run.state import NodeRun
from app.screenshots.art import picture
from app.specs.book import SpecBook
from app.theme.colours import Colours
from app.theme.fonts import Role
from app.theme.outlines import paint_socket
from app.theme.types import TYPES, look_of
from backend.graph.document import (
    Frame,
    Graph,
    Layout,
    Mode,
    Node,
    Note,
    Placement,
    Point,
    Ref,
    Way,
    Workflow,
)
from backend.graph.spec import NodeSpec, Param, Socket

WIDTH, HEIGHT = 1920, 960

_SCALE = Param("scale", "number", 2.0, minimum=1.0, maximum=4.0)
_TIMES = Param("times", "integer", 4)
_METHOD = Param("method", "choice", "lanczos", choices=("lanczos", "area"))
_IMAGE = (Socket("image", "Image"),)
_SHOTS = (Socket("images", "Image", arity="list"),)
_LAYERS = (Socket("layers", "Layers"),)
SPECS: Mapping[str, NodeSpec] = {
    spec.type: spec
    for spec in (
        NodeSpec("upscale", 1, "Upscale", "Image", "", _IMAGE, (_SCALE, _METHOD), _IMAGE),
        NodeSpec("blur", 1, "Blur", "Image", "", _IMAGE, (), _IMAGE),
        NodeSpec("shots", 1, "Shots", "Image", "", (), (), _SHOTS),
        NodeSpec("grid", 1, "Grid", "Image", "", _SHOTS, (), _IMAGE),
        NodeSpec("layers", 1, "Make layers", "Layers", "", _IMAGE, (), _LAYERS),
        NodeSpec("show", 1, "Show", "Layers", "", _LAYERS, (), ()),
        NodeSpec("repeat", 1, "Repeat", "Layers", "", (), (_TIMES,), (), zone=True),
        NodeSpec(
            "sample", 1, "Sample", "Sampling", "",
            (Socket("model", "Model"), Socket("positive", "Conditioning")),
            (Param("steps", "integer", 28, minimum=1, maximum=50), Param("seed", "seed", 4127)),
            (Socket("latent", "Latent"),),
        ),
    )
}  # fmt: skip

_RUNS: Mapping[str, tuple[str, NodeRun]] = {
    "idle": ("Idle", NodeRun(usual=1.2)),
    "hover": ("Hover", NodeRun(usual=1.2)),
    "selected": ("Selected", NodeRun(usual=1.2)),
    "queued": ("Queued", NodeRun("queued", usual=1.2)),
    "running": ("Running", NodeRun("running", 5, 12, left=0.7, live=1, peak=943_718_400)),
    "done": ("Done", NodeRun("done", seconds=1.18, peak=943_718_400)),
    "cached": ("Cached", NodeRun("cached", seconds=1.2)),
    "muted": ("Muted", NodeRun()),
    "bypassed": ("Bypassed", NodeRun()),
    "failed": (
        "Failed",
        NodeRun(
            "failed", seconds=0.8,
            sentence="4096 x 4096 is above the cap of 3072. Use a scale of 1.5, or raise the cap.",
        ),
    ),
    "missing": ("Missing", NodeRun()),
    "collapsed": ("Collapsed", NodeRun()),
    "degraded": ("Degraded", NodeRun("degraded", seconds=2.1, note="In tiles")),
}  # fmt: skip


def sheet(colours: Colours, ratio: float) -> QImage:
    """The whole sheet in a theme, at so many device pixels each."""
    image = QImage(round(WIDTH * ratio), round(HEIGHT * ratio), QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    image.fill(QColor(colours.canvas))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    _states(painter, colours, ratio)
    _zooms(painter, colours, ratio)
    _furniture(painter, colours, ratio)
    _links(painter, colours, ratio)
    _sockets(painter, colours)
    painter.end()
    return image


def _board(workflow: Workflow) -> Board:
    board = Board(SpecBook(SPECS).spec_of)
    board.open(workflow, "")
    return board


def _paint(
    painter: QPainter, board: Board, look: Look, area: QRectF, camera: Camera,
    chosen: Chosen | None = None,
) -> None:  # fmt: skip
    """Paint a board into an area of the sheet; the corner of ``camera`` lies in that of the area.

    Titles are put on whole pixels of the sheet, so the camera must be that of the sheet.
    """
    zoom = camera.zoom
    camera = Camera(camera.x - area.left() / zoom, camera.y - area.top() / zoom, zoom)
    painter.save()
    painter.setClipRect(area)
    painter.scale(zoom, zoom)
    painter.translate(-camera.x, -camera.y)
    seen = Area((camera.rect_to_canvas(area),))
    paint_scene(painter, board, camera, look, seen, chosen or Chosen(), NodePictures())
    painter.restore()


def _title(painter: QPainter, x: float, y: float, text: str, colours: Colours) -> None:
    paint_text(painter, x, y, text, Role.TITLE, colours.strong)


def _states(painter: QPainter, colours: Colours, ratio: float) -> None:
    _title(painter, 32, 32, "Node states", colours)
    modes: dict[str, Mode] = {"muted": "mute", "bypassed": "bypass"}
    nodes: dict[str, Node] = {"source": Node("upscale", 1)}
    places = {"source": Placement(-600, 0)}
    for number, name in enumerate(_RUNS):
        mode = modes.get(name, "on")
        kind = "grain_tools" if name == "missing" else "upscale"
        inputs = {} if name == "idle" else {"image": Ref("source", "image")}
        title = "Upscale" if name == "missing" else ""
        nodes[name] = Node(kind, 1, inputs=inputs, mode=mode, title=title)
        x, y = 36.0 + 232 * (number % 6), 32.0 + 216 * (number // 6)
        places[name] = Placement(x, y, width=192, collapsed=name == "collapsed")
        nodes[f"after {name}"] = Node("upscale", 1, inputs={"image": Ref(name, "image")})
        places[f"after {name}"] = Placement(9000, 0)
    nodes.pop("after idle")
    board = _board(Workflow(graph=Graph(nodes), layout=Layout(nodes=places)))
    for name, (_, run) in _RUNS.items():
        board.set_run(name, run)
    board.set_selected(["selected"])
    for link in list(board.links):  # only the nodes are looked at here
        board.links.pop(link)
    look = Look(colours, ratio, 1.0, hover="hover", active="selected")
    _paint(painter, board, look, QRectF(0, 48, 1410, 640), Camera())
    for number, (said, _) in enumerate(_RUNS.values()):
        x, y = 36.0 + 232 * (number % 6), 66.0 + 216 * (number // 6)
        paint_text(painter, x, y, said, Role.BODY, colours.weak)


def _zooms(painter: QPainter, colours: Colours, ratio: float) -> None:
    _title(painter, 300, 560, "Zoom levels", colours)
    nodes = {
        "sample": Node("sample", 1),
        "blur": Node("blur", 1),
        "up": Node("upscale", 1, inputs={"image": Ref("blur", "image")}),
    }
    places = {"sample": Placement(0, 0), "blur": Placement(-280, 0), "up": Placement(-280, 160)}
    board = _board(Workflow(graph=Graph(nodes), layout=Layout(nodes=places)))
    board.set_run("sample", NodeRun("done", seconds=4.9, peak=2_040_109_465))
    board.set_picture("sample", QPixmap.fromImage(picture()))
    x = 300.0
    for zoom, width in ((1.0, 250.0), (0.6, 160.0), (0.35, 190.0), (0.13, 110.0)):
        paint_text(painter, x, 588, f"{zoom * 100:.0f} %", Role.ACTIVE, colours.strong)
        camera = Camera(-16 / zoom if zoom > 0.5 else -300, -16, zoom)
        look = Look(colours, zoom * ratio, zoom)
        _paint(painter, board, look, QRectF(x, 604, width, 340), camera)
        x += width + 8


def _furniture(painter: QPainter, colours: Colours, ratio: float) -> None:
    _title(painter, 1050, 560, "Furniture", colours)
    inner = Graph({"blur": Node("blur", 1)})
    nodes = {
        "blur": Node("blur", 1),
        "zone": Node("repeat", 1, body=inner),
        "layers": Node("layers", 1, inputs={"image": Ref("blur", "image")}),
        "end": Node("show", 1, inputs={"layers": Ref("layers", "layers")}),
    }
    places = {
        "blur": Placement(32, 56, width=144),
        "zone": Placement(280, 0),
        "zone/blur": Placement(340, 56, width=144),
        "layers": Placement(32, 220, width=176),
        "end": Placement(320, 220, width=144),
    }
    frames = (Frame("Frame", 16, 16, 192, 160, "#58B4F0"),)
    notes = (Note("**Note**\n\nMarkdown, never runs", 304, 300, 180, 64),)
    ways = (Way("blur.image", "layers.image", name="main picture"),)
    layout = Layout(nodes=places, frames=frames, notes=notes, ways=ways)
    board = _board(Workflow(graph=Graph(nodes), layout=layout))
    board.set_run("zone", NodeRun("running", live=1, turns=(2,)))
    _paint(painter, board, Look(colours, ratio, 1.0), QRectF(1040, 580, 540, 370), Camera())


def _links(painter: QPainter, colours: Colours, ratio: float) -> None:
    _title(painter, 1620, 560, "Links", colours)
    nodes: dict[str, Node] = {}
    places: dict[str, Placement] = {}
    rows = ("At rest", "Hover", "Selected", "Not run, dim", "List", "Reroute")
    ways = []
    for row, name in enumerate(rows):
        many = name == "List"
        kinds = ("shots", "grid", "images") if many else ("blur", "blur", "image")
        nodes[f"{row} a"] = Node(kinds[0], 1)
        nodes[f"{row} b"] = Node(kinds[1], 1, inputs={kinds[2]: Ref(f"{row} a", kinds[2])})
        places[f"{row} a"] = Placement(-144, 60.0 * row - 22, width=160)
        places[f"{row} b"] = Placement(120, 60.0 * row - 10, width=160)
        if name == "Reroute":
            ways.append(Way(f"{row} a.image", f"{row} b.image", (Point(70, 60.0 * row + 20),)))
    board = _board(Workflow(graph=Graph(nodes), layout=Layout(nodes=places, ways=tuple(ways))))
    for row, name in enumerate(rows):
        if name != "Not run, dim":
            board.set_run(f"{row} a", NodeRun("done", seconds=1))
    kept = dict(board.links)
    links = {link.source[0]: link for link in kept}
    chosen = Chosen(links["2"], links["1"])
    area = QRectF(1600, 600, 300, 356)
    painter.save()
    painter.setClipRect(area)
    painter.translate(area.topLeft() + QPointF(20, 0))
    _only_links(painter, kept, chosen, Look(colours, ratio, 1.0), board)
    for row, name in enumerate(rows):
        paint_text(painter, 160, 60 * row + 24, name, Role.BODY, colours.text)
    painter.restore()


def _only_links(
    painter: QPainter, links: Mapping[Link, object], chosen: Chosen, look: Look, board: Board
) -> None:
    from app.canvas.paint_link import LinkState, paint_link

    for link, view in board.links.items():
        empty = board.nodes[link.source].run.status == "idle"
        state = LinkState(link == chosen.hover_link, link == chosen.link, empty)
        paint_link(painter, view, look, state)
        for at in (view.start, view.end):
            paint_socket(
                painter, at, look_of(view.type), look.colours, ground=look.colours.canvas,
                joined=True, many=view.many,
            )  # fmt: skip


def _sockets(painter: QPainter, colours: Colours) -> None:
    _title(painter, 1440, 32, "Socket types", colours)
    for number, kind in enumerate((*TYPES, "*")):
        x, y = 1440.0 + 230 * (number // 15), 60.0 + 31 * (number % 15)
        painter.setPen(QColor(colours.line))
        painter.setBrush(QColor(colours.raised))
        painter.drawRoundedRect(QRectF(x, y, 220, 26).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        look = look_of(kind)
        for step, joined in ((20, True), (44, False)):
            paint_socket(
                painter, QPointF(x + step, y + 13), look, colours, ground=colours.raised,
                joined=joined,
            )  # fmt: skip
        said = "Any" if kind == "*" else kind
        paint_text(painter, x + 68, y + 13, said, Role.BODY, colours.text)
