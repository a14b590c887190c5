"""What lies on the canvas of one level, kept in step with the document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPixmap

from app.canvas.ends import end_nodes, end_spec
from app.canvas.index import Box, Index
from app.canvas.parts import FrameView, LinkView, NodeView, NoteView
from app.canvas.shape import Place, Shown, Side, Socket, shape_of
from app.canvas.text import wrap
from app.canvas.unplaced import settle_unplaced
from app.canvas.zones import zone_shape
from app.document.edits.place import move_to
from app.document.level import (
    GIVEN,
    TAKEN,
    Link,
    graph_of,
    layout_of,
    links_into,
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

    def __init__(self, spec_of: SpecOf) -> None:
        self.spec_of = spec_of
        self.workflow = Workflow()
        self.level = ""
        self.nodes: dict[str, NodeView] = {}
        self.links: dict[Link, LinkView] = {}
        self.frames: tuple[FrameView, ...] = ()
        self.notes: tuple[NoteView, ...] = ()
        self.zones: list[NodeView] = []
        self._into: dict[str, tuple[Link, ...]] = {}
        self._from: dict[str, set[Link]] = {}
        self._index: Index[str] = Index()
        self._link_index: Index[Link] = Index()
        self._dirty: list[Box] | None = None
        self._graph: Graph | None = None
        self._layout: Layout | None = None
        self._types: dict[tuple[str, str], str] = {}
        self._ways: dict[tuple[str, str], Way] = {}
        self._found: Mapping[str, Node] = {}
        self._touched: set[str] = set()
        """Sources whose links were read anew."""

    def open(self, workflow: Workflow, level: str) -> None:
        """Show a level from the beginning."""
        self.nodes, self.links, self.zones = {}, {}, []
        self._into, self._from, self._types = {}, {}, {}
        self._index.clear()
        self._link_index.clear()
        self._graph, self._layout, self.level = None, None, level
        self._found, self._ways, self._touched = {}, {}, set()
        self.sync(workflow)
        self._dirty = None

    def sync(self, workflow: Workflow) -> None:
        """Follow the document; its level must still be there."""
        graph, layout = graph_of(workflow, self.level), layout_of(workflow, self.level)
        others = workflow.subgraphs is not self.workflow.subgraphs
        self.workflow = workflow
        if graph is self._graph and layout is self._layout and not others:
            return
        found = dict(walk(graph))
        found |= end_nodes(self.level)
        gone = list(self.nodes.keys() - found.keys())
        changed = self._changed(found, layout, others)
        for path in gone:
            self._remove(path)
        relink = self._relinked(found, changed, gone)
        self._place(found, changed, layout)
        self._unlink(self._into.keys() - self._all_targets(found))
        self._link(graph, relink)
        again = self._reroute(layout) | self._retype(relink | (changed if others else set()))
        self._shape(changed | self._joined(relink))
        self._relay(again)
        self._furnish(layout)
        self._graph, self._layout, self._found = graph, layout, found

    # -- keeping in step ------------------------------------------------------------------------

    def _changed(self, found: Mapping[str, Node], layout: Layout, others: bool) -> set[str]:
        """The paths that are new, or that have another node or place."""
        old = self._found
        changed = {path for path, node in found.items() if old.get(path) is not node}
        before = self._layout.nodes if self._layout is not None else {}
        if layout.nodes is not before:
            moved = {p for p, place in layout.nodes.items() if before.get(p) is not place}
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
        self._spoil(view.box)
        self._index.remove(path)
        for link in self._into.pop(path, ()):
            self._drop_link(link)

    def _drop_link(self, link: Link) -> None:
        view = self.links.pop(link, None)
        if view is not None:
            self._spoil(view.box)
            self._link_index.remove(link)
        self._touched.add(link.source)
        held = self._from.get(link.source)
        if held is not None:
            held.discard(link)
        self._types.pop((link.source, link.output), None)

    def _relinked(self, found: Mapping[str, Node], changed: set[str], gone: list[str]) -> set[str]:
        """The paths whose links are to be read anew."""
        if self._graph is None or gone or any(path not in self.nodes for path in changed):
            zones = any(node.body is not None for node in found.values())
            if zones or self._graph is None:
                return self._all_targets(found)
            fresh = {path for path in changed if path not in self.nodes}
            near = {link.target for path in gone for link in self._from.get(path, ())}
            loose = {
                target for target, links in self._into.items()
                if any(link.source in fresh for link in links)
            }  # fmt: skip
            return {p for p in changed | near | loose | {TAKEN} if p in found or p == TAKEN}
        inside = {
            path for path in changed
            if self.nodes[path].node is not found[path] and found[path].body is not None
        }  # fmt: skip
        if inside:
            return self._all_targets(found)
        return {p for p in changed if self.nodes[p].node is not found[p]} | {TAKEN}

    def _all_targets(self, found: Mapping[str, Node]) -> set[str]:
        bodies = {f"{path}/{TAKEN}" for path, node in found.items() if node.body is not None}
        return set(found) | bodies | {TAKEN}

    def _place(self, found: Mapping[str, Node], changed: set[str], layout: Layout) -> None:
        for path in changed:
            node = found[path]
            view = self.nodes.get(path)
            if view is None:
                view = self.nodes[path] = NodeView(path, node)
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
        reordered = list(self.nodes) != list(found)
        if reordered:
            self.nodes = {path: self.nodes[path] for path in found}
            self._dirty = None  # what lies over what may be another now
        if reordered or any(self.nodes[path].number < 0 for path in changed):
            for number, view in enumerate(self.nodes.values()):
                view.number = number
        if changed or len(self.zones) != sum(1 for view in self.zones if view.path in found):
            self.zones = [view for view in self.nodes.values() if view.zone]

    def _spec(self, path: str, node: Node) -> NodeSpec | None:
        if path in (GIVEN, TAKEN):
            return end_spec(self.workflow, self.level, path)
        return self.spec_of(self.workflow, node)

    def _unlink(self, targets: Iterable[str]) -> None:
        """Forget what led to places that are not there any more, such as the ends of a zone."""
        for target in targets:
            for link in self._into.pop(target):
                self._drop_link(link)

    def _link(self, graph: Graph, targets: Iterable[str]) -> None:
        for target in targets:
            for link in self._into.get(target, ()):
                self._drop_link(link)
            if target == GIVEN:
                continue
            read = tuple(links_into(graph, target))
            self._into[target] = read
            for link in read:
                self._touched.add(link.source)
                self._from.setdefault(link.source, set()).add(link)

    def _retype(self, targets: Collection[str]) -> set[str]:
        """Forget the types of the outputs of these nodes, and of those that have theirs from what
        is linked to them; the ends of the links that are to be drawn anew for it."""
        todo, seen, ends = list(targets), set(targets), set()
        while todo:
            target = todo.pop()
            for source in self._passed(target, target in targets):
                for link in self._from.get(source, ()):
                    self._types.pop((link.source, link.output), None)
                    ends.add(link.target.removesuffix(f"/{TAKEN}"))
                    if link.target not in seen:
                        seen.add(link.target)
                        todo.append(link.target)
        return ends

    def _passed(self, target: str, is_new: bool) -> tuple[str, ...]:
        """Where what is linked to a place comes out with a type of its own."""
        if name_of(target) == TAKEN:
            return (parent_of(target),)
        view = self.nodes.get(target)
        if view is not None and view.zone:
            return (target, f"{target}/{GIVEN}")
        spec = view.spec if view is not None else None
        generic = spec is None or any(is_generic(output.type) for output in spec.outputs)
        return (target,) if generic or is_new else ()

    def _joined(self, targets: set[str]) -> set[str]:
        """Nodes of which other outputs are linked than before."""
        changed = {target for target in targets if target in self.nodes}
        for path in self._touched:
            view = self.nodes.get(path)
            if view is None:
                continue
            outs = dict(Counter(link.output for link in self._from.get(path, ())))
            if outs != view.outs:
                view.outs = outs
                changed.add(path)
        self._touched.clear()
        return changed

    def _shape(self, paths: set[str]) -> None:
        moved = set(paths)
        for path in paths:
            view = self.nodes[path]
            if not view.zone:
                self._shape_one(view)
        fresh = [self.nodes[path] for path in paths if self.nodes[path].placement is None]
        if fresh:
            settle_unplaced(self.nodes, self._into)
            moved |= {view.path for view in self.nodes.values() if view.placement is None}
        for path in moved:
            self._put(self.nodes[path])
        moved |= self._shape_zones()
        self._relay(moved)

    def _shape_one(self, view: NodeView) -> None:
        view.shape = shape_of(view.node, view.spec, view.placement, view.shown, view.outs)

    def _shape_zones(self) -> set[str]:
        """Zones hold what is inside them; the innermost first."""
        moved = set()
        for zone in sorted(self.zones, key=lambda view: -view.above):
            inside = [
                v for v in self.nodes.values() if parent_of(v.path) == zone.path
            ]  # fmt: skip
            before = (zone.rect, zone.shape)
            zone_shape(zone, inside)
            if before != (zone.rect, zone.shape):
                self._put(zone)
                moved.add(zone.path)
        return moved

    def _put(self, view: NodeView) -> None:
        old = self._index.box(view.path)
        if old is not None:
            self._spoil(old)
        self._index.put(view.path, view.box)
        self._spoil(view.box)

    def _relay(self, moved: Iterable[str]) -> None:
        """Draw the links of nodes that were moved or laid out anew."""
        todo: dict[Link, None] = {}
        for path in moved:
            for target in (path, f"{path}/{TAKEN}"):
                todo.update(dict.fromkeys(self._into.get(target, ())))
            for source in (path, f"{path}/{GIVEN}"):
                todo.update(dict.fromkeys(self._from.get(source, ())))
        for link in todo:
            self._relay_one(link)

    def _relay_one(self, link: Link) -> None:
        old = self.links.get(link)
        start, end = self.source_place(link), self.target_place(link)
        if start is None or end is None:
            if old is not None:
                del self.links[link]
                self._spoil(old.box)
                self._link_index.remove(link)
            return
        way = self._ways.get((f"{link.source}.{link.output}", f"{link.target}.{link.input}"))
        via = tuple(QPointF(p.x, p.y) for p in way.via) if way is not None else ()
        name = way.name if way is not None else ""
        shape = (start[0], end[0], self._type_of(link), start[1].many, via, name)
        if old is not None:
            if old.shape == shape:
                return
            self._spoil(old.box)
        view = LinkView(link, *shape)
        self.links[link] = view
        self._link_index.put(link, view.box)
        self._spoil(view.box)

    def _reroute(self, layout: Layout) -> set[str]:
        """Take the ways of links; the targets of those that have another one now."""
        ways = {(way.source, way.target): way for way in layout.ways}
        if ways == self._ways:
            return set()
        changed = {end for end in {*ways, *self._ways} if ways.get(end) != self._ways.get(end)}
        self._ways = ways
        return {target.rpartition(".")[0].removesuffix(f"/{TAKEN}") for _, target in changed}

    def _furnish(self, layout: Layout) -> None:
        frames = tuple(FrameView(n, f) for n, f in enumerate(layout.frames))
        notes = tuple(NoteView(n, note) for n, note in enumerate(layout.notes))
        if frames != self.frames or notes != self.notes:
            rects = [view.rect for view in (*self.frames, *frames)]
            rects += [view.rect for view in (*self.notes, *notes)]
            for each in rects:
                rect = each.adjusted(-8, -8, 8, 8)
                self._spoil((rect.left(), rect.top(), rect.right(), rect.bottom()))
            self.frames, self.notes = frames, notes

    def _spoil(self, box: Box) -> None:
        if self._dirty is not None:
            self._dirty.append(box)

    # -- asking ---------------------------------------------------------------------------------

    def take_dirty(self) -> list[Box] | None:
        """What changed since the last time; ``None`` is everything."""
        dirty, self._dirty = self._dirty, []
        return dirty

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
        found = self._types.get((link.source, link.output))
        if found is None:
            from app.document.edits.kinds import output_end

            end = output_end(self.workflow, self.level, link.source, link.output, self.spec_of)
            found = self._types[link.source, link.output] = end.type
        return found

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
        yield from self._into.get(path, ())
        yield from self._from.get(path, ())

    def links_from(self, path: str, output: str) -> tuple[Link, ...]:
        """The links that leave an output."""
        return tuple(each for each in self._from.get(path, ()) if each.output == output)

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
                self._spoil(view.box)

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
        self._spoil(view.box)

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
        self._spoil(view.box)

    def set_shown(self, path: str, shown: Shown) -> None:
        """Show facts, a message, or problems on a node."""
        view = self.nodes.get(path)
        if view is None or view.shown == shown:
            return
        view.shown = shown
        if not view.zone:
            before = view.shape
            self._shape_one(view)
            self._spoil(view.box)
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
