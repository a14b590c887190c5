"""What lies on the canvas of one level, kept in step with the document."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPixmap

from app.canvas.changes import changed_rows, same_but_links
from app.canvas.ends import end_nodes, end_shape, end_spec
from app.canvas.index import Box, Index
from app.canvas.measure import REGULAR, Rows
from app.canvas.parts import FrameView, LinkView, NodeView, NoteView
from app.canvas.shape import Place, Shown, Side, Socket, shape_of
from app.canvas.spoiled import Spoiled
from app.canvas.text import wrap
from app.canvas.unplaced import settle_unplaced
from app.canvas.wiring import Wiring, all_places
from app.canvas.zones import Edge, zone_shape
from app.document.difference import changed_keys, copied, same_keys
from app.document.edits.kinds import output_type
from app.document.edits.place import move_to
from app.document.level import (
    GIVEN,
    TAKEN,
    Link,
    graph_of,
    layout_of,
    name_of,
    parent_of,
    walk,
)
from app.labels import label
from app.run.state import IDLE, NodeRun
from backend.graph.document import Graph, Layout, Node, Way, Workflow
from backend.graph.spec import NodeSpec
from backend.graph.types import is_generic

SpecOf = Callable[[Workflow, Node], NodeSpec | None]


class Board:
    """Nodes, links, frames and notes of one level, and where each lies.

    ``sync`` takes a new document and works only on what changed; ``take_dirty`` then tells which
    boxes are to be painted anew (``None``: everything).
    """

    def __init__(self, spec_of: SpecOf, rows: Rows = REGULAR) -> None:
        self.spec_of = spec_of
        self.rows = rows
        self.workflow = Workflow()
        self.level = ""
        self.nodes: dict[str, NodeView] = {}
        self.links: dict[Link, LinkView] = {}
        self.frames: tuple[FrameView, ...] = ()
        self.notes: tuple[NoteView, ...] = ()
        self.zones: list[NodeView] = []
        self._wiring = Wiring()
        self._index: Index[str] = Index()
        self._link_index: Index[Link] = Index()
        self._spoiled = Spoiled()
        self._graph: Graph | None = None
        self._layout: Layout | None = None
        self._ways: dict[tuple[str, str], Way] = {}
        self._found: Mapping[str, Node] = {}
        self._fed: set[str] = set()
        """Nodes of which nothing is another but what feeds them."""

    def open(self, workflow: Workflow, level: str) -> None:
        """Show a level from the beginning."""
        self.nodes, self.links, self.zones = {}, {}, []
        self._wiring = Wiring()
        self._index.clear()
        self._link_index.clear()
        self._graph, self._layout, self.level = None, None, level
        self._found, self._ways = {}, {}
        self.sync(workflow)
        self._spoiled.all()

    def sync(self, workflow: Workflow) -> None:
        """Follow the document; its level must still be there."""
        graph, layout = graph_of(workflow, self.level), layout_of(workflow, self.level)
        others = workflow.subgraphs is not self.workflow.subgraphs
        self.workflow = workflow
        if graph is self._graph and layout is self._layout and not others:
            return
        found, fresh = self._walked(graph)
        same = same_keys(self.nodes, found)
        gone = [] if same else list(self.nodes.keys() - found.keys())
        changed = self._changed(found, fresh, layout, others)
        for path in gone:
            self._remove(path)
        relink = self._relinked(found, changed, gone)
        zones = [p for p in changed if p in self.nodes and self.nodes[p].zone]
        self._place(found, changed, layout, same)
        if gone or zones or len(relink) > len(changed) + 1:
            for place in self._wiring.read_places.keys() - all_places(found):
                self._forget_links(self._wiring.forget(place))
        for place in relink:
            self._forget_links(self._wiring.read(graph, place))
        again = self._reroute(layout) | self._retype(relink | (changed if others else set()))
        joined = self._joined(relink)
        kept = self._fed | (joined - changed)
        self._fed.clear()
        self._shape(changed | joined, frozenset() if others else kept)
        self._relay(again)
        self._furnish(layout)
        self._graph, self._layout, self._found = graph, layout, found

    # -- keeping in step ------------------------------------------------------------------------

    def _walked(self, graph: Graph) -> tuple[dict[str, Node], list[str]]:
        """All nodes of the level by their paths, and which of them are new or others."""
        if not self.level and self._graph is not None and not self.zones:
            found = copied(graph.nodes)
            fresh = changed_keys(self._found, found)
            if all(found[path].body is None for path in fresh):  # no zones: no more to walk
                return found, fresh
        found = dict(walk(graph)) | end_nodes(self.level, graph, self._found)
        return found, changed_keys(self._found, found)

    def _changed(
        self, found: Mapping[str, Node], fresh: list[str], layout: Layout, others: bool
    ) -> set[str]:
        """The paths that are new, or that have another node or place."""
        changed = set(fresh)
        before = self._layout.nodes if self._layout is not None else {}
        if layout.nodes is not before:
            moved = set(changed_keys(before, layout.nodes))
            moved |= before.keys() - layout.nodes.keys()
            changed |= {path for path in moved if path in found}
        if others:
            changed |= {path for path, node in found.items() if self._depends(path, node)}
        return changed

    def _depends(self, path: str, node: Node) -> bool:
        """Whether a node is another one, or may be, now that the subgraphs are others."""
        if path in (GIVEN, TAKEN):
            view = self.nodes.get(path)
            return view is None or self._spec(path, node) != view.spec
        return node.body is not None or node.type.startswith("subgraph:")

    def _remove(self, path: str) -> None:
        view = self.nodes.pop(path)
        self._spoiled.box(view.box)
        self._index.remove(path)
        self._forget_links(self._wiring.forget(path))

    def _forget_links(self, gone: Iterable[Link]) -> None:
        for link in gone:
            view = self.links.pop(link, None)
            if view is not None:
                self._spoiled.link(view)
                self._link_index.remove(link)

    def _relinked(self, found: Mapping[str, Node], changed: set[str], gone: list[str]) -> set[str]:
        """The paths whose links are to be read anew."""
        if self._graph is None or gone or any(path not in self.nodes for path in changed):
            zones = any(node.body is not None for node in found.values())
            if zones or self._graph is None:
                return all_places(found)
            fresh = {path for path in changed if path not in self.nodes}
            near = changed | self._wiring.near(gone, fresh) | {TAKEN}
            return {p for p in near if p in found or p == TAKEN}
        inside = {
            path for path in changed
            if self.nodes[path].node is not found[path]
            and (self.nodes[path].zone or found[path].body is not None)
        }  # fmt: skip
        if inside:
            return all_places(found)
        return {p for p in changed if self.nodes[p].node is not found[p]} | {TAKEN}

    def _place(
        self, found: Mapping[str, Node], changed: set[str], layout: Layout, same: bool
    ) -> None:
        for path in changed:
            node = found[path]
            view = self.nodes.get(path)
            if view is None:
                view = self.nodes[path] = NodeView(path, node)
            elif same_but_links(view.node, node) and view.placement is layout.nodes.get(path):
                self._fed.add(path)
            view.node = node
            view.placement = layout.nodes.get(path)
            view.spec = self._spec(path, node)
            view.zone = node.body is not None
            view.above = path.count("/")
            if view.placement is not None:
                view.x, view.y = view.placement.x, view.placement.y
            spec = view.spec
            view.title = node.title or (spec.title if spec is not None else label(node.type))
            view.hue_type = spec.category if spec is not None else ""
        reordered = not same and not same_keys(self.nodes, found)
        if reordered:
            self.nodes = {path: self.nodes[path] for path in found}
            self._spoiled.all()  # what lies over what may be another now
        if reordered or any(self.nodes[path].number < 0 for path in changed):
            for number, view in enumerate(self.nodes.values()):
                view.number = number
        before = {view.path for view in self.zones}
        zones = {path for path in changed if self.nodes[path].zone}
        if reordered or zones != before & changed or not before <= found.keys():
            self.zones = [view for view in self.nodes.values() if view.zone]

    def _spec(self, path: str, node: Node) -> NodeSpec | None:
        if path in (GIVEN, TAKEN):
            return end_spec(self.workflow, self.level, path, self.spec_of)
        return self.spec_of(self.workflow, node)

    def _retype(self, places: Collection[str]) -> set[str]:
        def passes(path: str) -> bool:
            view = self.nodes.get(path)
            spec = view.spec if view is not None else None
            return spec is None or any(is_generic(output.type) for output in spec.outputs)

        def zones(path: str) -> bool:
            view = self.nodes.get(path)
            return view is not None and view.zone

        return self._wiring.retype(places, passes, zones)

    def _joined(self, targets: set[str]) -> set[str]:
        """Nodes of which other outputs are linked than before."""
        changed = {target for target in targets if target in self.nodes}
        for path, outs in self._wiring.take_touched().items():
            view = self.nodes.get(path)
            if view is not None and outs != view.outs:
                view.outs = outs
                changed.add(path)
        return changed

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
        told = view.node, view.spec, view.placement, view.shown, view.outs, self.rows
        if view.path in (GIVEN, TAKEN):
            view.shape = end_shape(view.path, *told)
        else:
            view.shape = shape_of(*told)

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

    def _reroute(self, layout: Layout) -> set[str]:
        """Take the ways of links; the targets of those that have another one now."""
        if self._layout is not None and layout.ways is self._layout.ways:
            return set()
        ways = {(way.source, way.target): way for way in layout.ways}
        if ways == self._ways:
            return set()
        changed = {end for end in {*ways, *self._ways} if ways.get(end) != self._ways.get(end)}
        self._ways = ways
        return {target.rpartition(".")[0].removesuffix(f"/{TAKEN}") for _, target in changed}

    def _furnish(self, layout: Layout) -> None:
        if layout is self._layout:
            return
        frames = tuple(FrameView(n, f) for n, f in enumerate(layout.frames))
        notes = tuple(NoteView(n, note) for n, note in enumerate(layout.notes))
        if frames != self.frames or notes != self.notes:
            self._spoiled.furniture((*self.frames, *frames, *self.notes, *notes))
            self.frames, self.notes = frames, notes

    # -- asking ---------------------------------------------------------------------------------

    def take_dirty(self) -> list[Box] | None:
        """What changed since the last time; ``None`` is everything."""
        return self._spoiled.take()

    def source_place(self, link: Link) -> tuple[QPointF, Socket] | None:
        """Where a link begins, and at which socket."""
        return self._end(link.source, "out", link.output, None)

    def target_place(self, link: Link) -> tuple[QPointF, Socket] | None:
        """Where a link ends, and at which socket."""
        return self._end(link.target, "in", link.input, link.key)

    def _end(
        self, path: str, side: Side, name: str, key: int | str | None
    ) -> tuple[QPointF, Socket] | None:
        view = self.nodes.get(path)
        if view is None and name_of(path) in (GIVEN, TAKEN):  # the inner side of a zone's edge
            view = self.nodes.get(parent_of(path))
            inner: Side = "given" if side == "out" else "taken"
            socket = view.shape.places.get((inner, name, None)) if view is not None else None
            return (view.place(socket), socket) if view is not None and socket else None
        if view is None:
            return None
        socket = view.shape.socket(side, name, key)
        return (view.place(socket), socket) if socket is not None else None

    def _type_of(self, link: Link) -> str:
        return self._wiring.type_of(link, self._find_type)

    def _find_type(self, link: Link, known: dict[tuple[str, str], str]) -> str:
        return output_type(self.workflow, self.level, link.source, link.output, self.spec_of, known)

    def nodes_in(self, rect: QRectF) -> list[NodeView]:
        """The nodes that paint something there, in the order of painting."""
        box = (rect.left(), rect.top(), rect.right(), rect.bottom())
        found = [self.nodes[path] for path in self._index.at(box)]
        found.sort(key=_depth)
        return found

    def links_in(self, rect: QRectF) -> list[LinkView]:
        """The links that may paint something there."""
        box = (rect.left(), rect.top(), rect.right(), rect.bottom())
        return [self.links[link] for link in self._link_index.at(box) if link in self.links]

    def links_at(self, path: str) -> Iterator[Link]:
        """The links into and out of a node."""
        yield from self._wiring.into(path)
        yield from self._wiring.out_of(path)

    def links_from(self, path: str, output: str) -> tuple[Link, ...]:
        """The links that leave an output."""
        return tuple(each for each in self._wiring.out_of(path) if each.output == output)

    def node_at(self, point: QPointF) -> NodeView | None:
        """The topmost node under a point; of a zone only its title counts."""
        spot = QRectF(point.x() - 1, point.y() - 1, 2, 2)
        for view in reversed(self.nodes_in(spot)):
            if view.zone:
                if view.rect.contains(point) and point.y() < view.y + 36:
                    return view
            elif view.rect.contains(point):
                return view
        return None

    def socket_at(
        self, point: QPointF, reach: float, wanted: str = ""
    ) -> tuple[Place, Socket] | None:
        """The nearest socket within reach of a point; ``wanted`` is ``in`` or ``out``.

        On the edge of a zone two lie at one place: the point says by its side which one is meant.
        """
        best: tuple[tuple[float, bool], Place, Socket] | None = None
        spot = QRectF(point.x() - reach, point.y() - reach, 2 * reach, 2 * reach)
        for view in self.nodes_in(spot):
            for (side, _, _), socket in view.shape.places.items():
                if wanted and socket.side != wanted:
                    continue
                at = view.place(socket)
                off = point - at
                far = max(abs(off.x()), abs(off.y()))
                inside = off.x() > 0 if side in ("in", "given") else off.x() < 0
                score = far, view.zone and inside != (side in ("given", "taken"))
                if far <= reach and (best is None or score <= best[0]):
                    best = score, place_of(view.path, side, socket), socket
        return (best[1], best[2]) if best is not None else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing lies here."""
        return not (self.nodes or self.frames or self.notes)

    def bounds(self, paths: Collection[str] | None = None) -> QRectF | None:
        """What holds the nodes of these paths, or everything."""
        views = self.nodes.values() if paths is None else [self.nodes[p] for p in paths]
        rects = [view.rect for view in views]
        if paths is None:
            rects += [frame.rect for frame in self.frames]
            rects += [note.rect for note in self.notes]
        if not rects:
            return None
        left, top = min(r.left() for r in rects), min(r.top() for r in rects)
        right, bottom = max(r.right() for r in rects), max(r.bottom() for r in rects)
        return QRectF(left, top, right - left, bottom - top)

    # -- what does not stand in the document --------------------------------------------------

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
        before, view.run = view.run, run
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

    def settled(self, workflow: Workflow) -> Workflow:
        """The document with a place for every node that has none, where it is shown."""
        places = {
            view.path: (view.x, view.y)
            for view in self.nodes.values()
            if view.placement is None
        }  # fmt: skip
        return move_to(workflow, self.level, places) if places else workflow

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


def place_of(path: str, side: str, socket: Socket) -> Place:
    """A socket as the end of a link; the inner sides of a zone's edges are boundaries."""
    if side == "given":
        return Place(f"{path}/{GIVEN}", "out", socket.name)
    if side == "taken":
        return Place(f"{path}/{TAKEN}", "in", socket.name)
    return Place(path, socket.side, socket.name, socket.key)


def _depth(view: NodeView) -> tuple[bool, int, bool, int]:
    return (not view.zone, view.above, view.selected, view.number)
