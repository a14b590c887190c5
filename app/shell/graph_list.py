"""The commands on the graph: their ids, names, keys and icons."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from app.document.edits.arrange import Edge
from app.shell.commands import Commands
from app.words import tr

if TYPE_CHECKING:
    from app.shell.graph_commands import GraphCommands


def declare_graph(graph: GraphCommands, commands: Commands, on: QWidget) -> None:
    """Make all of them known; their keys count on ``on``, where the canvas lies."""
    some, one, any_ = graph.has_selection, graph.has_something, graph.has_canvas
    edit, node, select = tr("Edit"), tr("Node"), tr("Select")
    add = partial(commands.add, on=on)
    add("edit.cut", tr("Cut"), edit, graph.cut, "Ctrl+X", possible=some, icon="scissors")
    add("edit.copy", tr("Copy"), edit, graph.copy, "Ctrl+C", possible=one, icon="copy")
    add("edit.duplicate", tr("Duplicate"), edit, graph.duplicate, "Ctrl+D", possible=some)
    add("edit.delete", tr("Delete"), edit, graph.remove, "Del", possible=one, icon="trash-2")
    add("edit.heal", tr("Delete and heal"), edit, graph.heal, "Ctrl+Del", possible=some)
    add("select.all", tr("Select all"), select, graph.select_all, "Ctrl+A", possible=any_)
    add("select.none", tr("Select nothing"), select, graph.select_none, "Ctrl+Shift+A",
        possible=some)  # fmt: skip
    add("select.up", tr("Select what it needs"), select, lambda: graph.select_stream(True),
        "Shift+L", possible=some)  # fmt: skip
    add("select.down", tr("Select what needs it"), select, lambda: graph.select_stream(False),
        "L", possible=some)  # fmt: skip
    add("node.rename", tr("Rename"), node, graph.rename, "F2", possible=some)
    add("node.mute", tr("Mute"), node, lambda: graph.toggle_mode("mute"), "M", possible=some,
        icon="eye-off")  # fmt: skip
    add("node.bypass", tr("Bypass"), node, lambda: graph.toggle_mode("bypass"), "B",
        possible=some, icon="skip-forward")  # fmt: skip
    add("node.collapse", tr("Collapse"), node, lambda: graph.toggle_flag("collapsed"), "H",
        possible=some, icon="minimize")  # fmt: skip
    add("node.lock", tr("Lock"), node, lambda: graph.toggle_flag("locked"), "", possible=some,
        icon="lock")  # fmt: skip
    add("node.pin", tr("Pin in place"), node, lambda: graph.toggle_flag("pinned"), "P",
        possible=some, icon="pin")  # fmt: skip
    add("node.link", tr("Link selected"), node, graph.link_selected, "F", possible=some,
        icon="link")  # fmt: skip
    add("node.unlink", tr("Take all links away"), node, graph.unlink, "", possible=some,
        icon="unlink")  # fmt: skip
    add("node.detach", tr("Detach"), node, graph.detach, "Alt+D", possible=some)
    add("node.swap", tr("Swap inputs"), node, graph.swap, "Alt+S", possible=some,
        icon="shuffle")  # fmt: skip
    add("link.name", tr("Name the link, or draw it"), node, graph.name_link, "",
        possible=graph.has_link, icon="tag")  # fmt: skip
    add("link.draw", tr("Draw all named links"), node, graph.draw_names, "", possible=any_)
    _declare_structure(graph, commands, on)


def _declare_structure(graph: GraphCommands, commands: Commands, on: QWidget) -> None:
    some, any_ = graph.has_selection, graph.has_canvas
    group, arrange_ = tr("Structure"), tr("Arrange")
    add = partial(commands.add, on=on)
    add("group.make", tr("Make a subgraph"), group, graph.group, "Ctrl+G", possible=some,
        icon="boxes")  # fmt: skip
    add("group.unpack", tr("Unpack"), group, graph.ungroup, "Ctrl+Shift+G",
        possible=graph.can_ungroup, icon="ungroup")  # fmt: skip
    add("group.enter", tr("Enter the subgraph"), group, graph.enter, "Ctrl+Down",
        possible=graph.can_ungroup, icon="log-in")  # fmt: skip
    add("group.leave", tr("Leave the subgraph"), group, graph.leave, "Ctrl+Up", possible=any_,
        icon="log-out")  # fmt: skip
    add("zone.repeat", tr("Repeat in a zone"), group, lambda: graph.zone("repeat"), "",
        possible=some, icon="repeat")  # fmt: skip
    add("zone.each", tr("For each in a zone"), group, lambda: graph.zone("for_each"), "",
        possible=some, icon="repeat")  # fmt: skip
    add("zone.out", tr("Take out of the zone"), group, graph.take_out, "Alt+P",
        possible=graph.is_in_zone, icon="log-out")  # fmt: skip
    add("frame.add", tr("Frame"), group, graph.frame, "Ctrl+J", possible=any_, icon="frame")
    add("note.add", tr("Note"), group, graph.note, "Ctrl+Shift+N", possible=any_,
        icon="sticky-note")  # fmt: skip
    edges: tuple[tuple[Edge, str, str], ...] = (
        ("left", tr("Align left"), "align-start-vertical"),
        ("center", tr("Align middles"), "align-center-vertical"),
        ("right", tr("Align right"), "align-end-vertical"),
        ("top", tr("Align top"), "align-start-horizontal"),
        ("middle", tr("Align centres"), "align-center-horizontal"),
        ("bottom", tr("Align bottom"), "align-end-horizontal"),
    )
    for edge, title, glyph in edges:
        add(f"arrange.{edge}", title, arrange_, partial(graph.align, edge), "",
            possible=some, icon=glyph)  # fmt: skip
    add("arrange.across", tr("Distribute across"), arrange_, lambda: graph.distribute(True), "",
        possible=some)  # fmt: skip
    add("arrange.down", tr("Distribute down"), arrange_, lambda: graph.distribute(False), "",
        possible=some)  # fmt: skip
    add("arrange.tidy", tr("Tidy"), arrange_, graph.tidy, "Ctrl+Shift+T", possible=any_,
        icon="layout-grid")  # fmt: skip
