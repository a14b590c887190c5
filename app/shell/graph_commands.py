"""What can be done to the selected nodes: each a command, and an edit of the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise

from PySide6.QtWidgets import QApplication, QWidget

from app.canvas.canvas import Canvas
from app.document.edits import arrange, copies, frames, place, subgraphs, swap, unpack, ways, zones
from app.document.edits.arrange import Edge
from app.document.edits.clipboard import copy, is_workflow, paste
from app.document.edits.common import EditError, added
from app.document.edits.connect import connect, disconnect, disconnect_nodes
from app.document.edits.frames import Box, around
from app.document.edits.nodes import detach_nodes, remove_nodes, toggle_mode
from app.document.level import GIVEN, TAKEN, Link, graph_of, walk
from app.document.session import Change
from app.shell.commands import Commands
from app.words import tr
from backend.graph.document import Workflow

Where = Callable[[], Canvas | None]


class GraphCommands:
    """Commands on the canvas that is looked at."""

    def __init__(self, where: Where) -> None:
        """``where`` gives the canvas, if a document is open."""
        self._where = where

    # -- what they need ---------------------------------------------------------------------------

    def _canvas(self) -> Canvas:
        canvas = self._where()
        assert canvas is not None
        return canvas

    def has_canvas(self) -> bool:
        """Whether a graph is looked at."""
        return self._where() is not None

    def has_selection(self) -> bool:
        """Whether nodes are selected."""
        return self._where() is not None and bool(self._nodes())

    def _nodes(self) -> frozenset[str]:
        """The selected nodes, without the ends of a subgraph, which are no nodes of it."""
        return self._canvas().document.selection - {GIVEN, TAKEN}

    def has_something(self) -> bool:
        """Whether nodes, a link, a frame or a note are selected."""
        canvas = self._where()
        if canvas is None:
            return False
        chosen = canvas.chosen
        parts = (chosen.link, chosen.frame, chosen.note)
        return bool(self._nodes()) or any(part is not None for part in parts)

    def edit(self, label: str, change: Change) -> bool:
        """Change the document; a sentence where it cannot be."""
        canvas = self._canvas()
        try:
            return canvas.edit(label, change)
        except EditError as error:
            canvas.said.emit(str(error))
            return False

    def _on_chosen(self, label: str, change: Callable[..., Workflow], *rest: object) -> None:
        """Do an edit ``(workflow, level, paths, ...)`` to the selected nodes."""
        canvas = self._canvas()
        level, chosen = canvas.document.level, self._nodes()
        self.edit(label, lambda w: change(w, level, chosen, *rest))

    def _select_added(self, label: str, change: Change) -> None:
        canvas = self._canvas()
        before = canvas.document.workflow
        if self.edit(label, change):
            canvas.document.select(added(before, canvas.document.workflow, canvas.document.level))

    def _sizes(self) -> Mapping[str, tuple[float, float]]:
        nodes = self._canvas().board.nodes
        return {path: (v.shape.width, v.shape.height) for path, v in nodes.items()}

    # -- clipboard --------------------------------------------------------------------------------

    def copy(self) -> None:
        """Put the selected nodes on the clipboard, as the text of a workflow."""
        canvas = self._canvas()
        chosen = canvas.chosen
        found = [each for each in (chosen.frame,) if each is not None]
        notes = [each for each in (chosen.note,) if each is not None]
        text = copy(canvas.document.workflow, canvas.document.level, self._nodes(), found, notes)
        QApplication.clipboard().setText(text)

    def cut(self) -> None:
        """Put the selected nodes on the clipboard and take them out."""
        self.copy()
        self.remove()

    def can_paste(self) -> bool:
        """Whether there are nodes on the clipboard."""
        return self.has_canvas() and is_workflow(QApplication.clipboard().text())

    def paste(self) -> None:
        """Put what is on the clipboard where the pointer is."""
        canvas, text = self._canvas(), QApplication.clipboard().text()
        at, level = canvas.pointer(), canvas.document.level
        spot = (round(at.x() / 8) * 8.0, round(at.y() / 8) * 8.0)
        self._select_added(tr("Paste"), lambda w: paste(w, level, text, canvas.spec_of, spot))

    def duplicate(self) -> None:
        """Put copies beside the selected nodes."""
        canvas = self._canvas()
        level, chosen = canvas.document.level, self._nodes()
        self._select_added(tr("Duplicate"), lambda w: copies.duplicate(w, level, chosen))

    # -- taking away ------------------------------------------------------------------------------

    def remove(self) -> None:
        """Take the selected nodes, link, frame or note away."""
        canvas = self._canvas()
        level, nodes, chosen = canvas.document.level, self._nodes(), canvas.chosen
        if nodes:
            label = tr("Delete a node") if len(nodes) == 1 else tr("Delete {n} nodes", n=len(nodes))
            self.edit(label, lambda w: remove_nodes(w, level, nodes))
        elif chosen.link is not None:
            link = chosen.link
            self.edit(tr("Delete a link"), lambda w: disconnect(w, level, [link]))
        elif chosen.frame is not None:
            number = chosen.frame
            canvas.choose()
            self.edit(tr("Delete a frame"), lambda w: frames.remove_frames(w, level, [number]))
        elif chosen.note is not None:
            number = chosen.note
            canvas.choose()
            self.edit(tr("Delete a note"), lambda w: frames.remove_notes(w, level, [number]))

    def heal(self) -> None:
        """Take the selected nodes away; what passed through them is linked past them."""
        self._on_chosen(tr("Delete and heal"), remove_nodes, self._canvas().spec_of)

    def detach(self) -> None:
        """Take the selected nodes out of their links."""
        self._on_chosen(tr("Detach"), detach_nodes, self._canvas().spec_of)

    def unlink(self) -> None:
        """Take all links of the selected nodes away."""
        self._on_chosen(tr("Unlink"), disconnect_nodes)

    def swap(self) -> None:
        """Swap the links of the first two inputs of a type of the active node."""
        canvas = self._canvas()
        level, path = canvas.document.level, canvas.document.active
        if path not in self._nodes():
            return
        self.edit(tr("Swap inputs"), lambda w: swap.swap_first(w, level, path, canvas.spec_of))

    def link_selected(self) -> None:
        """Link the selected nodes from left to right, where an output fits a free input."""
        canvas = self._canvas()
        views = sorted((canvas.board.nodes[p] for p in self._nodes()), key=lambda v: v.x)
        level = canvas.document.level

        def change(workflow: Workflow) -> Workflow:
            for left, right in pairwise(views):
                workflow = _link_first(workflow, level, left, right, canvas)
            return workflow

        self.edit(tr("Link"), change)

    # -- selecting --------------------------------------------------------------------------------

    def select_all(self) -> None:
        """Select every node of the level."""
        canvas = self._canvas()
        canvas.document.select(canvas.board.nodes.keys())

    def select_none(self) -> None:
        """Select nothing."""
        self._canvas().document.select([])

    def select_stream(self, up: bool) -> None:
        """Select all that the selected nodes need (``up``), or all that need them."""
        canvas = self._canvas()
        found = set(canvas.document.selection)
        todo = list(found)
        while todo:
            path = todo.pop()
            for link in canvas.board.links_at(path):
                end = link.source if up else link.target
                near = link.target if up else link.source
                end = end.removesuffix("/$").removesuffix("/$out")
                if near == path and end not in found and end in canvas.board.nodes:
                    found.add(end)
                    todo.append(end)
        canvas.document.select(found)

    # -- states and places ------------------------------------------------------------------------

    def toggle_mode(self, mode: str) -> None:
        """Mute or bypass the selected nodes, or switch them on again."""
        label = tr("Mute") if mode == "mute" else tr("Bypass")
        self._on_chosen(label, toggle_mode, mode)

    def toggle_flag(self, flag: str) -> None:
        """Collapse, lock or pin the selected nodes, or the other way round where all are so."""
        canvas = self._canvas()
        acts = {"collapsed": place.collapse, "locked": place.lock, "pinned": place.pin}
        labels = {"collapsed": tr("Collapse"), "locked": tr("Lock"), "pinned": tr("Pin")}
        views = [canvas.board.nodes[p] for p in self._nodes()]
        on = not all(getattr(view.placement, flag, False) for view in views)
        level, places = (
            canvas.document.level,
            {v.path: (v.x, v.y) for v in views if not v.placement},
        )
        chosen, act = self._nodes(), acts[flag]

        def change(workflow: Workflow) -> Workflow:
            placed = place.move_to(workflow, level, places) if places else workflow
            return act(placed, level, chosen, on)

        self.edit(labels[flag], change)

    def align(self, edge: Edge) -> None:
        """Bring an edge of the selected nodes on one line."""
        self._on_chosen(tr("Align"), arrange.align, edge, self._sizes())

    def distribute(self, across: bool) -> None:
        """Put equal gaps between the selected nodes."""
        self._on_chosen(tr("Distribute"), arrange.distribute, across, self._sizes())

    def tidy(self) -> None:
        """Lay the selected nodes, or all, out in columns."""
        canvas = self._canvas()
        level, chosen = canvas.document.level, self._nodes() or None
        sizes = self._sizes()
        self.edit(tr("Tidy"), lambda w: arrange.tidy(w, level, sizes, chosen))

    # -- furniture --------------------------------------------------------------------------------

    def frame(self) -> None:
        """Put a frame around the selected nodes, or an empty one where the pointer is."""
        canvas = self._canvas()
        views = [canvas.board.nodes[p] for p in canvas.document.selection]
        at = canvas.pointer()
        box = (
            around(Box(v.x, v.y, v.shape.width, v.shape.height) for v in views)
            if views else Box(at.x() - 160, at.y() - 100, 320, 200)
        )  # fmt: skip
        level = canvas.document.level
        if self.edit(tr("Frame"), lambda w: frames.add_frame(w, level, box)):
            canvas.editing.rename_frame(len(canvas.board.frames) - 1)

    def note(self) -> None:
        """Put a note where the pointer is."""
        canvas = self._canvas()
        at, level = canvas.pointer(), canvas.document.level
        spot = (round(at.x() / 8) * 8.0, round(at.y() / 8) * 8.0)
        if self.edit(tr("Note"), lambda w: frames.add_note(w, level, "", spot)):
            canvas.editing.edit_note(len(canvas.board.notes) - 1)

    def rename(self) -> None:
        """Edit the title of the active node."""
        canvas = self._canvas()
        if canvas.document.active:
            canvas.editing.rename(canvas.document.active)

    def color_frame(self, color: str) -> None:
        """Give the selected frame another colour."""
        canvas = self._canvas()
        level, number = canvas.document.level, canvas.chosen.frame
        if number is not None:
            self.edit(
                tr("Colour a frame"), lambda w: frames.change_frame(w, level, number, color=color)
            )

    # -- subgraphs, zones, links ------------------------------------------------------------------

    def group(self) -> None:
        """Make a subgraph of the selected nodes."""
        canvas = self._canvas()
        level, chosen = canvas.document.level, self._nodes()
        places = {p: (canvas.board.nodes[p].x, canvas.board.nodes[p].y) for p in chosen}

        def change(workflow: Workflow) -> Workflow:
            placed = place.move_to(workflow, level, places)
            return subgraphs.make_subgraph(placed, level, chosen, canvas.spec_of)

        self._select_added(tr("Make a subgraph"), change)

    def ungroup(self) -> None:
        """Unpack the active subgraph into the graph, or dissolve the active zone."""
        canvas = self._canvas()
        level, path = canvas.document.level, canvas.document.active
        view = canvas.board.nodes.get(path)
        if view is None:
            return
        if view.zone:
            self.edit(tr("Dissolve a zone"), lambda w: zones.dissolve_zone(w, level, path))
        else:
            self._select_added(tr("Unpack"), lambda w: unpack.unpack(w, level, path))

    def can_ungroup(self) -> bool:
        """Whether a subgraph or a zone is active."""
        canvas = self._where()
        view = canvas.board.nodes.get(canvas.document.active) if canvas is not None else None
        return view is not None and (view.zone or view.node.type.startswith("subgraph:"))

    def zone(self, kind: str) -> None:
        """Put the selected nodes into a zone that repeats, or that runs for each item."""
        canvas = self._canvas()
        level, chosen = canvas.document.level, self._nodes()
        spec = canvas.specs().get(kind)
        if spec is None:
            return
        places = {p: (canvas.board.nodes[p].x, canvas.board.nodes[p].y) for p in chosen}

        def change(workflow: Workflow) -> Workflow:
            placed = place.move_to(workflow, level, places)
            return zones.make_zone(placed, level, chosen, spec, canvas.spec_of)

        self.edit(tr("Make a zone"), change)

    def enter(self) -> None:
        """Go into the active subgraph."""
        canvas = self._canvas()
        view = canvas.board.nodes.get(canvas.document.active)
        if view is not None and view.node.type.startswith("subgraph:"):
            canvas.document.enter(view.node.type.removeprefix("subgraph:"))

    def leave(self) -> None:
        """Go out of a subgraph."""
        self._canvas().document.enter("")

    def name_link(self) -> None:
        """Show the selected link, and all from its output, as a name at both ends, or as links."""
        canvas = self._canvas()
        link, level = canvas.chosen.link, canvas.document.level
        if link is None:
            return
        view = canvas.board.links[link]
        if view.name:
            self.edit(tr("Draw links"), lambda w: ways.draw_links(w, level, view.name))
        else:
            self.edit(
                tr("Name a link"), lambda w: ways.name_links(w, level, link.source, link.output)
            )

    def draw_names(self) -> None:
        """Draw all named links of the level as links."""
        canvas = self._canvas()
        level = canvas.document.level
        names = {view.name for view in canvas.board.links.values() if view.name}

        def change(workflow: Workflow) -> Workflow:
            for name in names:
                workflow = ways.draw_links(workflow, level, name)
            return workflow

        self.edit(tr("Draw links"), change)

    def has_link(self) -> bool:
        """Whether a link is selected."""
        canvas = self._where()
        return canvas is not None and canvas.chosen.link is not None

    # -- the list of them -------------------------------------------------------------------------

    def declare(self, commands: Commands, on: QWidget) -> None:
        """Make all of them known; their keys count on ``on``, where the canvas lies."""
        some, one, any_ = self.has_selection, self.has_something, self.has_canvas
        edit, node, select = tr("Edit"), tr("Node"), tr("Select")
        add = partial(commands.add, on=on)
        add("edit.cut", tr("Cut"), edit, self.cut, "Ctrl+X", possible=some, icon="scissors")
        add("edit.copy", tr("Copy"), edit, self.copy, "Ctrl+C", possible=one, icon="copy")
        add("edit.duplicate", tr("Duplicate"), edit, self.duplicate, "Ctrl+D", possible=some)
        add("edit.delete", tr("Delete"), edit, self.remove, "Del", possible=one, icon="trash-2")
        add("edit.heal", tr("Delete and heal"), edit, self.heal, "Ctrl+Del", possible=some)
        add("select.all", tr("Select all"), select, self.select_all, "Ctrl+A", possible=any_)
        add("select.none", tr("Select nothing"), select, self.select_none, "Ctrl+Shift+A",
            possible=some)  # fmt: skip
        add("select.up", tr("Select what it needs"), select, lambda: self.select_stream(True),
            "Shift+L", possible=some)  # fmt: skip
        add("select.down", tr("Select what needs it"), select, lambda: self.select_stream(False),
            "L", possible=some)  # fmt: skip
        add("node.rename", tr("Rename"), node, self.rename, "F2", possible=some)
        add("node.mute", tr("Mute"), node, lambda: self.toggle_mode("mute"), "M", possible=some,
            icon="eye-off")  # fmt: skip
        add("node.bypass", tr("Bypass"), node, lambda: self.toggle_mode("bypass"), "B",
            possible=some, icon="skip-forward")  # fmt: skip
        add("node.collapse", tr("Collapse"), node, lambda: self.toggle_flag("collapsed"), "H",
            possible=some, icon="minimize")  # fmt: skip
        add("node.lock", tr("Lock"), node, lambda: self.toggle_flag("locked"), "", possible=some,
            icon="lock")  # fmt: skip
        add("node.pin", tr("Pin in place"), node, lambda: self.toggle_flag("pinned"), "P",
            possible=some, icon="pin")  # fmt: skip
        add("node.link", tr("Link selected"), node, self.link_selected, "F", possible=some,
            icon="link")  # fmt: skip
        add("node.unlink", tr("Take all links away"), node, self.unlink, "", possible=some,
            icon="unlink")  # fmt: skip
        add("node.detach", tr("Detach"), node, self.detach, "Alt+D", possible=some)
        add("node.swap", tr("Swap inputs"), node, self.swap, "Alt+S", possible=some,
            icon="shuffle")  # fmt: skip
        add("link.name", tr("Name the link, or draw it"), node, self.name_link, "",
            possible=self.has_link, icon="tag")  # fmt: skip
        add("link.draw", tr("Draw all named links"), node, self.draw_names, "", possible=any_)
        self._declare_structure(commands, on)

    def _declare_structure(self, commands: Commands, on: QWidget) -> None:
        some, any_ = self.has_selection, self.has_canvas
        group, arrange_ = tr("Structure"), tr("Arrange")
        add = partial(commands.add, on=on)
        add("group.make", tr("Make a subgraph"), group, self.group, "Ctrl+G", possible=some,
            icon="boxes")  # fmt: skip
        add("group.unpack", tr("Unpack"), group, self.ungroup, "Ctrl+Shift+G",
            possible=self.can_ungroup, icon="ungroup")  # fmt: skip
        add("group.enter", tr("Enter the subgraph"), group, self.enter, "Ctrl+Down",
            possible=self.can_ungroup, icon="log-in")  # fmt: skip
        add("group.leave", tr("Leave the subgraph"), group, self.leave, "Ctrl+Up", possible=any_,
            icon="log-out")  # fmt: skip
        add("zone.repeat", tr("Repeat in a zone"), group, lambda: self.zone("repeat"), "",
            possible=some, icon="repeat")  # fmt: skip
        add("zone.each", tr("For each in a zone"), group, lambda: self.zone("for_each"), "",
            possible=some, icon="repeat")  # fmt: skip
        add("frame.add", tr("Frame"), group, self.frame, "Ctrl+J", possible=any_, icon="frame")
        add("note.add", tr("Note"), group, self.note, "Ctrl+Shift+N", possible=any_,
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
            add(f"arrange.{edge}", title, arrange_, partial(self.align, edge), "",
                possible=some, icon=glyph)  # fmt: skip
        add("arrange.across", tr("Distribute across"), arrange_, lambda: self.distribute(True), "",
            possible=some)  # fmt: skip
        add("arrange.down", tr("Distribute down"), arrange_, lambda: self.distribute(False), "",
            possible=some)  # fmt: skip
        add("arrange.tidy", tr("Tidy"), arrange_, self.tidy, "Ctrl+Shift+T", possible=any_,
            icon="layout-grid")  # fmt: skip


def _link_first(
    workflow: Workflow, level: str, left: object, right: object, canvas: Canvas
) -> Workflow:
    """Link the first output of one node that fits a free input of the other."""
    from app.canvas.parts import NodeView
    from app.document.edits.kinds import fits

    assert isinstance(left, NodeView)
    assert isinstance(right, NodeView)
    graph = graph_of(workflow, level)
    taken = {(path, name) for path, node in walk(graph) for name in node.inputs}
    for out in (s for s in left.shape.sockets if s.side == "out"):
        for into in (s for s in right.shape.sockets if s.side == "in"):
            if (right.path, into.name) not in taken and fits(out.type, into.type):
                link = Link(left.path, out.name, right.path, into.name)
                return connect(workflow, level, link, canvas.spec_of)
    return workflow
