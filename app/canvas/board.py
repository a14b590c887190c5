"""What lies on the canvas of one level, kept in step with the document."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from app.canvas.changes import same_but_links
from app.canvas.ends import end_nodes, end_spec
from app.canvas.laid_out import LaidOut
from app.canvas.measure import REGULAR, Rows
from app.canvas.parts import FrameView, NodeView, NoteView
from app.canvas.wiring import Wiring, all_places
from app.document.difference import Difference, changed_keys, compared, same_keys
from app.document.edits.common import SpecOf
from app.document.edits.place import move_to
from app.document.level import GIVEN, TAKEN, Link, graph_of, layout_of, walk
from app.labels import label
from backend.graph.document import Graph, Layout, Node, Workflow
from backend.graph.spec import NodeSpec
from backend.graph.types import is_generic


class Board(LaidOut):
    """A level of a document as it lies on the canvas.

    ``sync`` takes a new document and works only on what changed; ``take_dirty`` then tells which
    boxes are to be painted anew (``None``: everything).
    """

    def __init__(self, spec_of: SpecOf, rows: Rows = REGULAR) -> None:
        super().__init__(spec_of, rows)
        self._graph: Graph | None = None
        self._layout: Layout | None = None
        self._found: Mapping[str, Node] = {}
        self.difference: Difference[str, Node] | None = None
        """What the last edit changed of the nodes of a level without zones."""
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
        self.workflow, self.difference = workflow, None
        if graph is self._graph and layout is self._layout and not others:
            return
        found, same, fresh = self._walked(graph)
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
        again = self._reroute(layout)
        again |= self._retype(relink | changed, ()) if others else self._retype(relink, self._fed)
        joined = self._joined(relink)
        kept = self._fed | (joined - changed)
        self._fed.clear()
        self._shape(changed | joined, frozenset() if others else kept)
        self._relay(again)
        self._furnish(layout)
        self._graph, self._layout, self._found = graph, layout, found

    # -- keeping in step ------------------------------------------------------------------------

    def _walked(self, graph: Graph) -> tuple[Mapping[str, Node], bool, list[str]]:
        """All nodes of the level by their paths, whether these are the same paths as before, and
        which of the nodes are new or others."""
        if not self.level and self._graph is not None and not self.zones:
            same, fresh = compared(self._found, graph.nodes)
            self.difference = Difference(self._found, graph.nodes, same, fresh)
            if all(graph.nodes[path].body is None for path in fresh):  # no zones: no more to walk
                return graph.nodes, same, fresh
        found = dict(walk(graph)) | end_nodes(self.level, graph, self._found)
        return found, *compared(self._found, found)

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
            placement, spec = layout.nodes.get(path), self._spec(path, node)
            alike = view.placement is placement and view.spec == spec
            if alike and view.node is not node and same_but_links(view.node, node):
                self._fed.add(path)
            view.node, view.placement, view.spec = node, placement, spec
            view.zone = node.body is not None
            view.above = path.count("/")
            if view.placement is not None:
                view.x, view.y = view.placement.x, view.placement.y
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

    def _retype(self, places: Collection[str], fed: Collection[str]) -> set[str]:
        """Find the types of what leaves these places anew, of the ``fed`` where it passes them."""

        def passes(path: str) -> bool:
            view = self.nodes.get(path)
            spec = view.spec if view is not None else None
            return spec is None or any(is_generic(output.type) for output in spec.outputs)

        def zones(path: str) -> bool:
            view = self.nodes.get(path)
            return view is not None and view.zone

        return self._wiring.retype(places, fed, passes, zones)

    def _joined(self, targets: set[str]) -> set[str]:
        """Nodes of which other outputs are linked than before."""
        changed = {target for target in targets if target in self.nodes}
        for path, outs in self._wiring.take_touched().items():
            view = self.nodes.get(path)
            if view is not None:
                if outs.keys() != view.outs.keys():
                    changed.add(path)
                view.outs = outs  # how many do not show
        return changed

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

    def settled(self, workflow: Workflow) -> Workflow:
        """The document with a place for every node that has none, where it is shown."""
        places = {
            view.path: (view.x, view.y)
            for view in self.nodes.values()
            if view.placement is None
        }  # fmt: skip
        return move_to(workflow, self.level, places) if places else workflow
