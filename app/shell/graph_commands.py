"""What can be done to the selected nodes: each a command, and an edit of the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from PySide6.QtWidgets import QApplication

from app.canvas.canvas import Canvas
from app.document.edits import arrange, copies, frames, place, subgraphs, swap, unpack, ways, zones
from app.document.edits.arrange import Edge
from app.document.edits.clipboard import copy, is_workflow, paste
from app.document.edits.common import EditError, added
from app.document.edits.connect import disconnect, disconnect_nodes
from app.document.edits.frames import Box, around
from app.document.edits.nodes import detach_nodes, remove_nodes, toggle_mode
from app.document.edits.rehome import move_to_zone, take_out
from app.document.level import GIVEN, TAKEN
from app.document.session import Change
from app.shell.linking import link_first
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
        """Put what is on the clipboard where the pointer is, into the zone there."""
        canvas, text = self._canvas(), QApplication.clipboard().text()
        at, level = canvas.pointer(), canvas.document.level
        spot = (round(at.x() / 8) * 8.0, round(at.y() / 8) * 8.0)
        zone = canvas.zone_at(at)

        def change(workflow: Workflow) -> Workflow:
            made = paste(workflow, level, text, canvas.spec_of, spot)
            fresh = added(workflow, made, level)
            return move_to_zone(made, level, fresh, zone, canvas.spec_of) if zone else made

        self._select_added(tr("Paste"), change)

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
                workflow = link_first(workflow, level, left, right, canvas)
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

    def is_in_zone(self) -> bool:
        """Whether a selected node lies in a zone."""
        canvas = self._where()
        return canvas is not None and any("/" in path for path in self._nodes())

    def take_out(self) -> None:
        """Put the selected nodes where the zone around them lies, with their links."""
        canvas = self._canvas()
        level, chosen = canvas.document.level, self._nodes()
        self._select_added(
            tr("Take out of the zone"), lambda w: take_out(w, level, chosen, canvas.spec_of)
        )

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
