"""The commands of the window itself: files, views, running, tools."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt

from app.shell.pane import Pane
from app.words import tr

if TYPE_CHECKING:
    from app.shell.window import Window


def declare(window: Window) -> None:
    """Make all of them known."""
    _files(window)
    _edits(window)
    _views(window)
    _runs(window)
    _tools(window)


def _files(window: Window) -> None:
    add, group, documents = window.commands.add, tr("File"), window.services.documents

    def open_() -> bool:
        return window.document is not None

    def save() -> None:
        if window.document is not None:
            window.files.save(window.document)

    def save_as() -> None:
        if window.document is not None:
            window.files.save_as(window.document)

    def close() -> None:
        if window.document is not None:
            window.files.close(window.document)

    add("file.new", tr("New graph"), group, documents.new, "Ctrl+N", icon="plus")
    add("file.open", tr("Open"), group, window.files.ask_open, "Ctrl+O", icon="folder")
    add("file.save", tr("Save"), group, save, "Ctrl+S", possible=open_, icon="save")
    add("file.save_as", tr("Save as"), group, save_as, "Ctrl+Shift+S", possible=open_)
    add("file.close", tr("Close"), group, close, "Ctrl+W", possible=open_, icon="x")
    add("file.quit", tr("Quit"), group, window.close, "Ctrl+Q")


def _edits(window: Window) -> None:
    add, group = window.commands.add, tr("Edit")

    def can_undo() -> bool:
        return window.document is not None and window.document.session.history.can_undo

    def can_redo() -> bool:
        return window.document is not None and window.document.session.history.can_redo

    def undo() -> None:
        if window.document is not None:
            window.document.undo()

    def redo() -> None:
        if window.document is not None:
            window.document.redo()

    add("edit.undo", tr("Undo"), group, undo, "Ctrl+Z", possible=can_undo, icon="undo-2")
    add("edit.redo", tr("Redo"), group, redo, "Ctrl+Shift+Z", possible=can_redo, icon="redo-2")
    add("edit.paste", tr("Paste"), group, window.adding.paste_anything, "Ctrl+V",
        possible=window.adding.can_paste, on=window.host)  # fmt: skip
    add("edit.settings", tr("Settings"), group, lambda: show_settings(window), "Ctrl+,",
        icon="settings")  # fmt: skip


def show_settings(window: Window) -> None:
    """Open the settings."""
    from app.panels.settings.window import SettingsWindow

    found = window.findChild(SettingsWindow)
    if found is None:
        found = SettingsWindow(
            window.services.theme, window.services.desk, window.commands.all(), window
        )
        found.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    found.show()
    found.raise_()
    found.activateWindow()


def _views(window: Window) -> None:
    add, group = window.commands.add, tr("View")

    def has() -> bool:
        return window.canvas is not None

    def on_canvas(act: str, *rest: object) -> None:
        if window.canvas is not None:
            getattr(window.canvas, act)(*rest)

    def frame_selection() -> None:
        if window.canvas is not None:
            chosen = window.canvas.document.selection
            window.canvas.fit(chosen or None)

    def toggle_theme() -> None:
        dark = not window.services.theme.colours.dark
        window.services.desk.put("studio.theme", "dark" if dark else "light")

    add("view.fit", tr("Fit the graph"), group, lambda: on_canvas("fit"), "Home", possible=has,
        icon="maximize")  # fmt: skip
    add("view.frame", tr("Fit the selection"), group, frame_selection, ".", possible=has,
        on=window.host, icon="scan")  # fmt: skip
    add("view.100", tr("Zoom to 100 %"), group, lambda: on_canvas("zoom_to", 1.0), "Ctrl+1",
        possible=has)  # fmt: skip
    add("view.in", tr("Zoom in"), group, lambda: on_canvas("zoom_by", 1.25), "Ctrl++",
        possible=has, icon="zoom-in")  # fmt: skip
    add("view.out", tr("Zoom out"), group, lambda: on_canvas("zoom_by", 0.8), "Ctrl+-",
        possible=has, icon="zoom-out")  # fmt: skip
    add("view.find", tr("Find in the graph"), group, lambda: window.adding.ask_find(), "Ctrl+F",
        possible=has, icon="search")  # fmt: skip
    add("view.commands", tr("Commands"), group, lambda: window.adding.ask_command(),
        "Ctrl+Shift+P", icon="command")  # fmt: skip
    add("view.theme", tr("Light or dark"), group, toggle_theme, "", icon="sun")
    add("view.form", tr("Show the form"), group, lambda: window.show_form(
        not window.pages.shows_form), "Ctrl+E", possible=has, icon="panel-left")  # fmt: skip
    add("view.side", tr("Show or hide the right side"), group,
        lambda: window.side.setVisible(not window.side.isVisible()), "F8",
        icon="panel-right")  # fmt: skip
    add("view.lower", tr("Show or hide the lower side"), group,
        lambda: window.lower_part.setVisible(not window.lower_part.isVisible()), "F7",
        icon="panel-bottom")  # fmt: skip
    add("view.next_pane", tr("Next pane"), group, lambda: next_pane(window), "F6")
    for pane, title, keys in (
        ("view_pane", tr("Viewer"), "Alt+1"), ("node_pane", tr("Inspector"), "Alt+2"),
        ("said_pane", tr("Problems"), "Alt+3"), ("queue_pane", tr("Queue"), "Alt+4"),
        ("queue_pane", tr("Gallery"), "Alt+5"), ("said_pane", tr("Models"), "Alt+6"),
        ("said_pane", tr("Log"), "Alt+7"), ("time_pane", tr("Forecast"), "Alt+8"),
        ("node_pane", tr("Batch"), "Alt+9"),
    ):  # fmt: skip
        add(f"pane.{title.casefold()}", title, tr("Window"),
            partial(show_pane, window, pane, title), keys)  # fmt: skip


def show_pane(window: Window, pane: str, title: str) -> None:
    """Turn to a panel, and show its side where that is hidden."""
    window.side.show()
    window.lower_part.show()
    getattr(window, pane).show_tab(title)


def next_pane(window: Window) -> None:
    """Give the keyboard to the next pane, and from the last to the canvas."""
    from PySide6.QtWidgets import QApplication

    held = QApplication.focusWidget()
    panes = [window.host, *window.panes]
    here = next(
        (i for i, pane in enumerate(panes) if held is not None and pane.isAncestorOf(held)), -1
    )
    for step in range(1, len(panes) + 1):
        pane = panes[(here + step) % len(panes)]
        if pane.isVisible():
            if pane is window.host and window.canvas is not None:
                window.canvas.setFocus()
                window.canvas.show_focus()
            elif isinstance(pane, Pane):
                pane.bar.setFocus()
            return


def _runs(window: Window) -> None:
    add, group = window.commands.add, tr("Run")

    def has() -> bool:
        return window.document is not None

    def look() -> None:
        canvas = window.canvas
        view = canvas.board.nodes.get(canvas.document.active) if canvas is not None else None
        if view is not None and view.spec is not None and view.spec.outputs:
            window.panels.looking.look_at(view.path, view.spec.outputs[0].name)

    add("run.start", tr("Run"), group, lambda: window.run(), "Ctrl+Return", possible=has,
        icon="play")  # fmt: skip
    add("run.to", tr("Run to the selected nodes"), group, window.running.run_selected,
        "Ctrl+Shift+Return", possible=window.graph.has_selection, icon="skip-forward")  # fmt: skip
    add("run.on_change", tr("Run on change"), group, lambda: window.running.set_on_change(
        not window.running.on_change), "", possible=has, icon="refresh-cw"
    ).setCheckable(True)  # fmt: skip
    add("run.cancel", tr("Cancel"), group, window.running.cancel, "Ctrl+Alt+C",
        possible=window.running.can_cancel, icon="square")  # fmt: skip
    add("run.cancel_all", tr("Cancel everything"), group,
        lambda: window.services.room.cancel_all(), "")  # fmt: skip
    add("run.free", tr("Free memory"), group, window.running.free_memory, "",
        icon="memory-stick")  # fmt: skip
    add("run.look", tr("Look at its output"), group, look, "V", possible=window.graph.has_selection,
        on=window.host, icon="eye")  # fmt: skip


def _tools(window: Window) -> None:
    add, group = window.commands.add, tr("Tools")

    def take(name: str) -> None:
        window.tool = name
        if window.canvas is not None:
            window.canvas.set_tool(name)
        window.tools.show_checked(lambda id: id == f"tool.{name}")

    def ask_node() -> None:
        if window.canvas is not None:
            window.adding.ask(window.canvas.pointer())

    add("tool.select", tr("Select and move"), group, lambda: take("select"), "1", on=window.host,
        icon="move")  # fmt: skip
    add("tool.lasso", tr("Lasso"), group, lambda: take("lasso"), "2", on=window.host, icon="lasso")
    add("tool.cut", tr("Cut links"), group, lambda: take("cut"), "3", on=window.host,
        icon="scissors")  # fmt: skip
    add("node.add", tr("Add a node"), tr("Node"), ask_node, "Shift+A", on=window.host, icon="plus")
    add("node.replace", tr("Replace by another type"), tr("Node"), window.adding.ask_replace,
        "Shift+S", possible=window.graph.has_selection, on=window.host,
        icon="refresh-cw")  # fmt: skip
