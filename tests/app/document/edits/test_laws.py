"""What holds for every edit: it can be saved, breaks no link, and is undone to the byte."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.document.edits import (
    arrange,
    clipboard,
    connect,
    copies,
    exchange,
    frames,
    free_ends,
    inline,
    insert,
    nodes,
    params,
    place,
    ports,
    rehome,
    subgraphs,
    swap,
    unpack,
    ways,
    zones,
)
from app.document.edits.common import EditError
from app.document.edits.kinds import fits, input_end, output_end
from app.document.level import Link, graph_of, hands_in, layout_of, links, node_at, walk
from app.document.session import Session
from backend.graph.check import check
from backend.graph.format import dump, parse

TYPES = (
    "load_image",
    "blur",
    "resize",
    "batch_images",
    "image_folder",
    "save_image",
    "number",
    "expression",
    "switch",
    "shape_mask",
    "make_list",
    "repeat",
    "for_each",
)
INCOMPLETE = {
    "W301",  # an input that must be linked is not
    "W305",  # a list where one value is wanted, or types that a generic node cannot bring together
    "W311",  # lists of different length
    "W309",  # nothing fits through a bypassed node
    "W401",
    "W402",
    "W501",  # what is carried comes from a muted node
    "W503",  # what is carried comes back as another type
    "W505",  # the body gives nothing
    "W208",
    "W314",
    "W107",
    "W202",  # what comes is of the type, but no value that the parameter may have
    "W203",
    "W204",
    "W205",
    "W310",
    "W601",
    "W602",
}


class Hand:
    """Does what drawn numbers say, as a user would with the mouse: to whatever is there."""

    def __init__(self, draw, specs, spec_of) -> None:
        self.draw, self.specs, self.spec_of = draw, specs, spec_of
        self.clip = ""

    def one(self, options):
        options = list(options)
        return options[self.draw(st.integers(0, 10_000)) % len(options)] if options else None

    def level(self, workflow):
        return self.one(["", *workflow.subgraphs])

    def path(self, workflow, level):
        return self.one(path for path, _ in walk(graph_of(workflow, level)))

    def some(self, workflow, level):
        paths = [path for path, _ in walk(graph_of(workflow, level))]
        return {self.one(paths) for _ in range(self.draw(st.integers(1, 3)))} if paths else set()

    def outputs(self, workflow, level):
        graph = graph_of(workflow, level)
        for path, node in walk(graph):
            spec = self.spec_of(workflow, node)
            yield from ((path, output.name) for output in spec.outputs)
            if node.body is not None:
                yield from ((f"{path}/$", name) for name in sorted(hands_in(node)))
        if level:
            yield from (("$", name) for name in workflow.subgraphs[level].inputs)

    def inputs(self, workflow, level):
        for path, node in walk(graph_of(workflow, level)):
            spec = self.spec_of(workflow, node)
            yield from ((path, socket.name) for socket in spec.inputs)
            yield from ((path, param.name) for param in spec.params if param.link_type)
            if node.body is not None:
                yield (f"{path}/$out", "result")

    def edit(self, workflow):
        level = self.level(workflow)
        doings = [name for name in dir(self) if name.startswith("do_")]
        return getattr(self, self.one(doings))(workflow, level)

    def do_add(self, workflow, level):
        made = nodes.new_node(self.specs[self.one(TYPES)])
        inside = [p for p, n in walk(graph_of(workflow, level)) if n.body is not None]
        return nodes.add_node(workflow, level, made, (0, 0), self.one(["", *inside]))

    do_add_more = do_add

    def do_connect(self, workflow, level):
        begins = list(self.outputs(workflow, level))
        end = self.one(self.inputs(workflow, level))
        if not begins or end is None:
            return workflow
        begin = self.one(begins)
        given = output_end(workflow, level, *begin, self.spec_of)
        wanted = input_end(workflow, level, *end, self.spec_of)
        if wanted is None or not fits(given.type, wanted.type):
            return workflow
        return connect.connect(workflow, level, Link(*begin, *end), self.spec_of)

    do_connect_more = do_connect
    do_connect_still_more = do_connect

    def do_disconnect(self, workflow, level):
        link = self.one(links(graph_of(workflow, level)))
        return connect.disconnect(workflow, level, [link]) if link else workflow

    def do_remove(self, workflow, level):
        return nodes.remove_nodes(workflow, level, self.some(workflow, level))

    def do_heal(self, workflow, level):
        return nodes.remove_nodes(workflow, level, self.some(workflow, level), self.spec_of)

    def do_detach(self, workflow, level):
        return nodes.detach_nodes(workflow, level, self.some(workflow, level), self.spec_of)

    def do_mode(self, workflow, level):
        mode = self.one(["mute", "bypass", "on"])
        plain = {p for p in self.some(workflow, level) if node_at(graph_of(workflow, level), p)}
        return nodes.toggle_mode(workflow, level, plain, mode)

    def do_duplicate(self, workflow, level):
        return copies.duplicate(workflow, level, self.some(workflow, level))

    def do_copy(self, workflow, level):
        self.clip = clipboard.copy(workflow, level, self.some(workflow, level))
        return workflow

    def do_paste(self, workflow, level):
        if not self.clip:
            return workflow
        inside = [p for p, n in walk(graph_of(workflow, level)) if n.body is not None]
        zone = self.one(["", *inside])
        return clipboard.paste(workflow, level, self.clip, self.spec_of, (8, 8), zone)

    def do_insert(self, workflow, level):
        link, path = self.one(links(graph_of(workflow, level))), self.path(workflow, level)
        if link is None or path is None:
            return workflow
        return insert.insert(workflow, level, link, path, self.spec_of)

    def do_exchange(self, workflow, level):
        path = self.path(workflow, level)
        if path is None:
            return workflow
        spec = self.specs[self.one(TYPES)]
        return exchange.replace_node(workflow, level, path, spec, self.spec_of)

    def do_swap(self, workflow, level):
        path = self.path(workflow, level)
        return swap.swap_first(workflow, level, path, self.spec_of) if path else workflow

    def do_group(self, workflow, level):
        chosen = self.some(workflow, level)
        return subgraphs.make_subgraph(workflow, level, chosen, self.spec_of)

    def do_unpack(self, workflow, level):
        uses = [p for p, n in walk(graph_of(workflow, level)) if n.type.startswith("subgraph:")]
        return unpack.unpack(workflow, level, self.one(uses)) if uses else workflow

    def do_zone(self, workflow, level):
        spec = self.specs[self.one(["repeat", "for_each"])]
        return zones.make_zone(workflow, level, self.some(workflow, level), spec, self.spec_of)

    def do_dissolve(self, workflow, level):
        path = self.one(p for p, n in walk(graph_of(workflow, level)) if n.body is not None)
        return zones.dissolve_zone(workflow, level, path) if path else workflow

    def do_rehome(self, workflow, level):
        homes = [p for p, n in walk(graph_of(workflow, level)) if n.body is not None]
        zone, chosen = self.one(["", *homes]), self.some(workflow, level)
        return rehome.move_to_zone(workflow, level, chosen, zone, self.spec_of)

    do_rehome_more = do_rehome

    def do_free_end(self, workflow, level):
        begin, end = self.one(self.outputs(workflow, level)), self.one(self.inputs(workflow, level))
        if begin is None or end is None:
            return workflow
        homes = [f"{p}/$out" for p, n in walk(graph_of(workflow, level)) if n.body is not None]
        taken = self.one(["$out", *homes])
        if self.draw(st.booleans()) and (level or taken != "$out"):
            link = Link(*begin, taken, "")
        elif level:
            link = Link("$", "", *end)
        else:
            return workflow
        return free_ends.connect_free(workflow, level, link, self.spec_of)

    def do_expose(self, workflow, level):
        path = self.path(workflow, level)
        spec = self.spec_of(workflow, node_at(graph_of(workflow, level), path)) if path else None
        param = self.one(spec.params) if spec is not None else None
        return params.expose(workflow, level, path, param.name) if param else workflow

    def do_rename(self, workflow, level):
        path = self.path(workflow, level)
        name = self.one("abcd")
        return inline.rename_node(workflow, level, path, name) if path else workflow

    def do_port(self, workflow, level):
        if not level or not workflow.subgraphs[level].inputs:
            return workflow
        name = self.one(workflow.subgraphs[level].inputs)
        if self.draw(st.booleans()):
            return ports.remove_port(workflow, level, name)
        return ports.rename_port(workflow, level, name, "renamed")

    def do_output(self, workflow, level):
        name = self.one(graph_of(workflow, level).outputs)
        if name is None:
            return workflow
        if self.draw(st.booleans()):
            return ports.remove_output(workflow, level, name)
        return ports.rename_output(workflow, level, name, "renamed")

    def do_reroute(self, workflow, level):
        link = self.one(links(graph_of(workflow, level)))
        return ways.add_reroute(workflow, level, link, (4, 5)) if link else workflow

    def do_name(self, workflow, level):
        link = self.one(links(graph_of(workflow, level)))
        if link is None:
            return workflow
        return ways.name_links(workflow, level, link.source, link.output, "wire")

    def do_place(self, workflow, level):
        workflow = arrange.tidy(workflow, level, {})
        return place.collapse(workflow, level, self.some(workflow, level), True)

    def do_frame(self, workflow, level):
        return frames.add_frame(workflow, level, frames.Box(0, 0, 100, 100))


def assert_whole(workflow, registry) -> None:
    """It is read as it is saved, no link is broken, and the layout speaks of what is there."""
    text = dump(workflow)
    assert parse(text, "again") == workflow
    said = [d for d in check(workflow, registry).diagnostics if d.code not in INCOMPLETE]
    assert not said, [(d.code, d.place, d.sentence) for d in said]
    for level in ("", *workflow.subgraphs):
        paths = {path for path, _ in walk(graph_of(workflow, level))} | {"$", "$out"}
        layout = layout_of(workflow, level)
        assert set(layout.nodes) <= paths
        there = {
            (f"{k.source}.{k.output}", f"{k.target}.{k.input}")
            for k in links(graph_of(workflow, level))
        }
        assert {(way.source, way.target) for way in layout.ways} <= there


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_edits_leave_a_whole_document_and_are_undone_to_the_byte(
    registry, specs, spec_of, data
) -> None:
    session = Session()
    first = session.workflow
    hand = Hand(data.draw, specs, spec_of)
    seen = [dump(first)]
    for _ in range(data.draw(st.integers(1, 25))):
        try:
            changed = session.edit("Edit", hand.edit)
        except EditError:
            changed = False
        assert_whole(session.workflow, registry)
        if changed:
            seen.append(dump(session.workflow))
    for text in reversed(seen[:-1]):
        assert session.undo()
        assert dump(session.workflow) == text
    assert session.workflow is first
    for text in seen[1:]:
        assert session.redo()
        assert dump(session.workflow) == text
