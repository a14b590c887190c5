"""The menus of the window, and the one of the canvas: all that a drag can do is there too."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QMenu

from app.canvas.paint_ground import FRAME_COLOURS
from app.canvas.port_names import port_at, removed
from app.words import tr

if TYPE_CHECKING:
    from app.shell.window import Window

EXAMPLES = Path(__file__).resolve().parents[2] / "workflows"

_MENUS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("File", ("file.new", "file.open", "templates", "", "file.save", "file.save_as", "",
              "file.close", "file.quit")),
    ("Edit", ("edit.undo", "edit.redo", "", "edit.cut", "edit.copy", "edit.paste",
              "edit.duplicate", "edit.delete", "edit.heal", "", "select.all", "select.none",
              "select.up", "select.down", "", "edit.settings")),
    ("View", ("view.fit", "view.frame", "view.100", "view.in", "view.out", "", "view.find",
              "view.commands", "", "view.form", "view.side", "view.lower", "view.next_pane", "",
              "view.theme")),
    ("Node", ("node.add", "node.replace", "node.rename", "", "node.mute", "node.bypass",
              "node.collapse", "node.lock", "node.pin", "", "node.link", "node.unlink",
              "node.detach", "node.swap", "link.name", "link.draw", "", "group.make",
              "group.unpack", "group.enter", "group.leave", "zone.repeat", "zone.each", "zone.out",
              "frame.add", "note.add", "", "arrange")),
    ("Run", ("run.start", "run.to", "run.on_change", "run.look", "", "run.cancel",
             "run.cancel_all", "", "run.free")),
    ("Window", ("pane.viewer", "pane.inspector", "pane.problems", "pane.queue", "pane.gallery",
                "pane.models", "pane.log")),
)  # fmt: skip

_ARRANGE = ("arrange.left", "arrange.center", "arrange.right", "arrange.top", "arrange.middle",
            "arrange.bottom", "", "arrange.across", "arrange.down", "", "arrange.tidy")  # fmt: skip


def fill_menus(window: Window) -> None:
    """Put the menus into the bar of the window."""
    for title, rows in _MENUS:
        menu = window.bar.menus.addMenu(tr(title))
        menu.aboutToShow.connect(window.commands.refresh)
        _fill(window, menu, rows)


def _fill(window: Window, menu: QMenu, rows: tuple[str, ...]) -> None:
    for id in rows:
        if not id:
            menu.addSeparator()
        elif id == "arrange":
            _fill(window, menu.addMenu(tr("Arrange")), _ARRANGE)
        elif id == "templates":
            _templates(window, menu.addMenu(tr("Templates")))
        else:
            menu.addAction(window.commands.action(id))


def _templates(window: Window, menu: QMenu) -> None:
    """The workflows that Weft ships; each opens as a new graph. They are read when the menu is
    opened, since the window is to be there first."""

    def fill() -> None:
        if menu.isEmpty():
            for title, path in templates():
                menu.addAction(title, partial(open_template, window, path))

    menu.aboutToShow.connect(fill)


def templates() -> list[tuple[str, Path]]:
    """The workflows that Weft ships, by their titles in order."""
    found = []
    for path in EXAMPLES.glob("*.weft.json"):
        title = json.loads(path.read_text("utf-8")).get("title") or path.name.partition(".")[0]
        found.append((tr(title), path))
    return sorted(found)


def open_template(window: Window, path: Path) -> None:
    """Open a shipped workflow as a graph without a file, so that saving asks for a place."""
    window.open_text(path.read_text("utf-8"))


def canvas_menu(window: Window, at: QPointF) -> QMenu:
    """What can be done at a place of the canvas."""
    canvas = window.canvas
    assert canvas is not None
    menu = QMenu(window)
    window.commands.refresh()
    view, chosen = canvas.board.node_at(at), canvas.chosen
    port = port_at(view, at) if view is not None else None
    if view is not None and port is not None:
        _port(window, menu, view.path, port.name)
    elif view is not None:
        _outputs(window, menu, view.path)
        rows = ("run.to", "", "node.rename", "node.replace", "", "node.mute", "node.bypass",
                "node.collapse", "node.lock", "node.pin", "", "node.link", "node.unlink",
                "node.detach", "node.swap", "", "group.make", "group.unpack", "group.enter",
                "zone.repeat", "zone.each", "zone.out", "frame.add", "arrange", "", "edit.cut",
                "edit.copy", "edit.duplicate", "edit.delete", "edit.heal")  # fmt: skip
        _fill(window, menu, rows)
    elif chosen.link is not None and canvas.link_at(at) == chosen.link:
        link = chosen.link
        menu.addAction(
            tr("Look at what it carries"),
            lambda: window.panels.looking.look_at(link.source, link.output),
        )
        menu.addAction(tr("Reroute"), lambda: canvas.add_point(link, at))
        _fill(window, menu, ("link.name", "edit.delete"))
    else:
        menu.addAction(tr("Add a node"), lambda: window.adding.ask(at))
        _fill(window, menu, ("edit.paste", "", "frame.add", "note.add", "", "view.fit",
                             "arrange.tidy"))  # fmt: skip
        if chosen.frame is not None:
            _colours(window, menu.addMenu(tr("Colour of the frame")))
    return menu


def _port(window: Window, menu: QMenu, path: str, name: str) -> None:
    """What can be done to an input or output of the subgraph that is looked at."""
    canvas = window.canvas
    assert canvas is not None
    document, level = canvas.document, canvas.document.level
    menu.addAction(tr("Rename"), lambda: canvas.editing.rename_port(path, name))
    menu.addAction(
        tr("Take out"),
        lambda: window.edit(document, tr("Take out {name}", name=name), removed(path, level, name)),
    )


def _outputs(window: Window, menu: QMenu, path: str) -> None:
    canvas = window.canvas
    assert canvas is not None
    spec = canvas.board.nodes[path].spec
    for output in spec.outputs if spec is not None else ():
        menu.addAction(
            tr("Look at {name}", name=output.name.replace("_", " ")),
            partial(window.panels.looking.look_at, path, output.name),
        )
    if spec is not None and spec.outputs:
        menu.addSeparator()


def _colours(window: Window, menu: QMenu) -> None:
    names = (tr("Grey"), tr("Yellow"), tr("Blue"), tr("Green"), tr("Pink"), tr("Violet"), tr("Red"))
    for colour, name in zip(FRAME_COLOURS, names, strict=True):
        swatch = QPixmap(16, 16)
        swatch.fill(QColor(colour))
        menu.addAction(QIcon(swatch), name, partial(window.graph.color_frame, colour))
