"""Laying out what lies on a canvas: the shapes of nodes, zones around them, and links between."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from PySide6.QtCore import QPointF
from PySide6.QtGui import QPixmap

from app.canvas.changes import changed_rows
from app.canvas.ends import end_shape
from app.canvas.measure import REGULAR, Rows
from app.canvas.parts import LinkView, NodeView
from app.canvas.scene import Scene
from app.canvas.shape import Shown, shape_of
from app.canvas.text import wrap
from app.canvas.unplaced import settle_unplaced
from app.canvas.zones import Edge, zone_shape
from app.document.edits.common import SpecOf
from app.document.edits.kinds import output_type
from app.document.level import GIVEN, TAKEN, Link, parent_of
from app.run.state import IDLE, NodeRun
from backend.graph.document import Way, Workflow


class LaidOut(Scene):
    """A scene whose nodes are laid out by what they show: what the document says of them, and
    beside it runs, pictures, facts and the selection."""

    def __init__(self, spec_of: SpecOf, rows: Rows = REGULAR) -> None:
        super().__init__()
        self.spec_of = spec_of
        self.rows = rows
        self.workflow = Workflow()
        self.level = ""
        self._ways: dict[tuple[str, str], Way] = {}

    # -- what does not stand in the document ----------------------------------------------------

    def set_selected(self, paths: Collection[str]) -> None:
        """Show which nodes are selected."""
        for view in self.nodes.values():
            if view.selected != (view.path in paths):
                view.selected = view.path in paths
                self._spoiled.box(view.box)

    def set_run(self, path: str, run: NodeRun) -> None:
        """Show where a node stands."""
        view = self.nodes.get(path)
        if view is None or view.run is run:
            return
        before, was_empty, view.run = view.run, view.is_empty, run
        if was_empty != view.is_empty:  # its links are painted otherwise
            for link in self._wiring.out_of(path) & self.links.keys():
                self._spoiled.link(self.links[link])
        if (before.status == "failed") != (run.status == "failed") or run.status == "failed":
            words = run.sentence if run.status == "failed" else ""
            lines = wrap(words, view.shape.width - 36, 4) if words else ()
            if len(lines) > 3:
                lines = (*lines[:2], lines[2] + "…")
            self.set_shown(path, view.shown._replace(message=lines))
        self._spoiled.box(view.box)

    def set_picture(self, path: str, picture: QPixmap | None) -> None:
        """Show a picture on a node, or none."""
        view = self.nodes.get(path)
        if view is None:
            return
        view.picture = picture
        ratio = 0.0
        if picture is not None and picture.width():
            ratio = picture.height() / picture.width()
        if ratio != view.shown.picture:
            self.set_shown(path, view.shown._replace(picture=ratio))
        self._spoiled.box(view.box)

    def set_shown(self, path: str, shown: Shown) -> None:
        """Show facts, a message, or problems on a node."""
        view = self.nodes.get(path)
        if view is None or view.shown == shown:
            return
        view.shown = shown
        if not view.zone:
            before = view.shape
            self._shape_one(view)
            self._spoiled.box(view.box)
            if before != view.shape:
                self._put(view)
                self._relay({path} | self._shape_zones())

    def move(self, paths: Collection[str], dx: float, dy: float) -> None:
        """Show nodes elsewhere while they are dragged; the document hears of it at the end."""
        for path in paths:
            view = self.nodes[path]
            view.x += dx
            view.y += dy
            self._put(view)
        self._relay(set(paths) | self._shape_zones())

    def set_rows(self, rows: Rows) -> None:
        """Lay every node out with other heights of rows."""
        if rows != self.rows:
            self.rows = rows
            self._shape(set(self.nodes), ())
            self._spoiled.all()

    def forget_runs(self) -> None:
        """Nothing has been run."""
        for path in self.nodes:
            self.set_run(path, IDLE)

    # -- nodes and links ------------------------------------------------------------------------

    def _shape(self, paths: set[str], kept: Collection[str]) -> None:
        """Lay nodes out anew. Of those in ``kept`` nothing is another but what is linked."""
        moved, stayed = set(paths), []
        for path in paths:
            view = self.nodes[path]
            if not view.zone:
                before = view.shape
                self._shape_one(view)
                rows = changed_rows(before, view.shape) if path in kept else None
                if rows is not None:
                    moved.discard(path)
                    stayed.append(path)
                    self._spoiled.rows(view, rows)
        fresh = [self.nodes[path] for path in paths if self.nodes[path].placement is None]
        if fresh:
            settle_unplaced(self.nodes, self._wiring.read_places)
            moved |= {view.path for view in self.nodes.values() if view.placement is None}
        for path in moved:
            self._put(self.nodes[path])
        moved |= self._shape_zones()
        self._relay(moved)
        for path in stayed:  # their sockets lie where they lay
            for link in self.links_at(path):
                if link not in self.links:
                    self._relay_one(link)

    def _shape_one(self, view: NodeView) -> None:
        shape = shape_of(
            view.node, view.spec, view.placement, view.shown, view.outs, self.rows
        )  # fmt: skip
        view.shape = end_shape(view.path, shape) if view.path in (GIVEN, TAKEN) else shape

    def _shape_zones(self) -> set[str]:
        """Zones hold what is inside them; the innermost first."""
        moved = set()
        for zone in sorted(self.zones, key=lambda view: -view.above):
            inside = [
                v for v in self.nodes.values() if parent_of(v.path) == zone.path
            ]  # fmt: skip
            before = (zone.rect, zone.shape)
            zone_shape(zone, inside, self._edge_types(zone.path))
            if before != (zone.rect, zone.shape):
                self._put(zone)
                moved.add(zone.path)
        return moved

    def _edge_types(self, zone: str) -> dict[Edge, str]:
        """The types of what is linked to the edges of a zone, from outside and from inside."""
        into, taken = self._wiring.into(zone), self._wiring.into(f"{zone}/{TAKEN}")
        found: dict[Edge, str] = {("in", k.input, k.key): self._type_of(k) for k in into}
        return found | {("taken", k.input, None): self._type_of(k) for k in taken}

    def _put(self, view: NodeView) -> None:
        old = self._index.box(view.path)
        if old is not None:
            self._spoiled.box(old)
        self._index.put(view.path, view.box)
        self._spoiled.box(view.box)

    def _relay(self, moved: Iterable[str]) -> None:
        """Draw the links of nodes that were moved or laid out anew."""
        todo: dict[Link, None] = {}
        for path in moved:
            for target in (path, f"{path}/{TAKEN}"):
                todo.update(dict.fromkeys(self._wiring.into(target)))
            for source in (path, f"{path}/{GIVEN}"):
                todo.update(dict.fromkeys(self._wiring.out_of(source)))
        for link in todo:
            self._relay_one(link)

    def _relay_one(self, link: Link) -> None:
        old = self.links.get(link)
        start, end = self.source_place(link), self.target_place(link)
        if start is None or end is None:
            if old is not None:
                del self.links[link]
                self._spoiled.link(old)
                self._link_index.remove(link)
            return
        way = self._ways.get((f"{link.source}.{link.output}", f"{link.target}.{link.input}"))
        via = tuple(QPointF(p.x, p.y) for p in way.via) if way is not None else ()
        name = way.name if way is not None else ""
        shape = (start[0], end[0], self._type_of(link), start[1].many, via, name)
        if old is not None:
            if old.shape == shape:
                return
            self._spoiled.link(old)
        view = LinkView(link, *shape)
        self.links[link] = view
        self._link_index.put(link, view.box)
        self._spoiled.link(view)

    def _type_of(self, link: Link) -> str:
        return self._wiring.type_of(link, self._find_type)

    def _find_type(self, link: Link, known: dict[tuple[str, str], str]) -> str:
        return output_type(self.workflow, self.level, link.source, link.output, self.spec_of, known)
