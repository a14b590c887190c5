"""Opening a document: subgraphs into the graph that uses them, zones into levels of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from backend.graph.diagnostics import Diagnostic, diagnose
from backend.graph.document import Input, Json, Node, Workflow
from backend.graph.migrate import lift_node
from backend.graph.opened import Level, Opened, Scope, Skipped, Structure, Table, Use
from backend.graph.params import Hints, near
from backend.graph.registry import Registry
from backend.graph.shape import SUBGRAPH, short

Tables: TypeAlias = Callable[[str], Table | None]


def expand(workflow: Workflow, registry: Registry, tables: Tables) -> Structure:
    """Open a document whose expansion was counted before (``count.check_expansion``).

    Links are not looked at yet. Nodes come in document order, a subgraph's in its place.
    """
    return _Opening(workflow, registry, tables).run()


class _Opening:
    def __init__(self, workflow: Workflow, registry: Registry, tables: Tables) -> None:
        self.workflow = workflow
        self.registry = registry
        self.tables = tables
        self.hints = Hints()
        top = Level()
        top.scope = Scope("top", workflow.graph, "", "nodes.", top)
        self.found = Structure(top, [top], top.scope)

    def run(self) -> Structure:
        """Open every scope, one after the other, with a stack of its own."""
        stack: list[tuple[Scope, Iterator[tuple[str, Node]]]] = []
        entering: Scope | None = self.found.scope
        while entering is not None or stack:
            if entering is not None:
                stack.append((entering, iter(entering.graph.nodes.items())))
                entering = None
            scope, left = stack[-1]
            for node_id, node in left:
                entering = self.open(scope, node_id, node)
                if entering is not None:
                    break
            else:
                stack.pop()
        return self.found

    def open(self, scope: Scope, node_id: str, node: Node) -> Scope | None:
        """Enter one node in its scope; the scope of its inside where it has one."""
        path, place = scope.path + node_id, scope.place + node_id
        if node.mode != "on":
            scope.entries[node_id] = self.skip(node, path, place)
            return None
        inner = scope.inner + node_id
        values = scope.values.get(inner, {}) if scope.values else {}
        raw: dict[str, tuple[Input, Scope]] = {n: (i, scope) for n, i in node.inputs.items()}
        if scope.links:
            raw.update(scope.links.get(inner, {}))
        if node.type.startswith(SUBGRAPH):
            return self.use(scope, node_id, node, values, raw)
        table = self.tables(node.type)
        problems: list[Diagnostic] = []
        if table is None:
            problems.append(self.unknown_type(node.type, place))
        elif node.version != table.spec.version:
            node, lifted = self.lift(node, table, place)
            problems.append(lifted)
            outside = {n: link for n, link in raw.items() if link[1] is not scope}
            raw = {n: (link, scope) for n, link in node.inputs.items()} | outside
        made = Opened(path, place, node, table, scope.level, values, raw, problems=problems)
        scope.entries[node_id] = made
        scope.level.nodes.append(made)
        return self.enter_body(scope, made, inner) if table is not None else None

    def enter_body(self, scope: Scope, made: Opened, inner: str) -> Scope | None:
        """The scope of a zone's body, or what is wrong with having one."""
        zone = made.table is not None and made.table.spec.zone
        body = made.node.body
        if not zone or body is None:
            if zone:
                sentence = f"{made.id} has no body, so there is nothing that it could run."
                made.problems.append(diagnose("W108", made.place, sentence, "Put nodes into it."))
            elif body is not None:
                sentence = f"{made.id} has a body, but {made.node.type} runs none."
                made.problems.append(diagnose("W109", made.place, sentence, "Take the body out."))
            return None
        level = Level(owner=made, parent=scope.level, depth=scope.level.depth + 1)
        level.scope = Scope(
            "zone",
            body,
            made.id + "/",
            made.place + ".body.nodes.",
            level,
            outer=scope,
            owner=made,
            inner=inner + "/",
            values=scope.values,
            links=scope.links,
        )
        made.body = level
        self.found.levels.append(level)
        return level.scope

    def skip(self, node: Node, path: str, place: str) -> Skipped:
        """The entry of a node that is muted or bypassed."""
        subgraph = self.workflow.subgraphs.get(node.type.removeprefix(SUBGRAPH))
        if not node.type.startswith(SUBGRAPH):
            subgraph = None
        return Skipped(path, place, node, node.mode == "bypass", self.tables(node.type), subgraph)

    def lift(self, node: Node, table: Table, place: str) -> tuple[Node, Diagnostic]:
        """The node in the present version of its type, and what to say of that."""
        now = table.spec.version
        title = table.spec.title
        if node.version > now:
            sentence = f"{title} is of version {node.version} here, and this Weft has {now}."
            return node, diagnose("W102", place, sentence, "Update Weft or the node pack.")
        was = node.version
        try:
            lifted = lift_node(node, self.registry)
            if lifted.version != now:
                raise ValueError(f"there is no step from version {lifted.version}")
        except Exception as error:  # a migration is a node author's code
            sentence = f"{title} cannot be lifted from version {was} to {now}: {error}."
            return node, diagnose("W104", place, sentence, "Put the node in anew.")
        sentence = f"{title} was lifted from version {was} to {now}."
        return lifted, diagnose("W103", place, sentence, "Save the workflow to keep it so.")

    def use(
        self,
        scope: Scope,
        node_id: str,
        node: Node,
        values: Mapping[str, Json],
        raw: dict[str, tuple[Input, Scope]],
    ) -> Scope | None:
        """Enter a use of a subgraph; the scope of its inside."""
        path, place = scope.path + node_id, scope.place + node_id
        name = node.type[len(SUBGRAPH) :]
        subgraph = self.workflow.subgraphs.get(name)
        if subgraph is None:
            fix = near(name, list(self.workflow.subgraphs))
            said = diagnose("W105", place, f"There is no subgraph {short(name)}.", fix)
            made = Opened(path, place, node, None, scope.level, {}, raw, problems=[said])
            scope.entries[node_id] = made
            scope.level.nodes.append(made)
            return None
        if node.each != "zip":
            sentence = f"each of {path} has no effect: lists meet on the nodes inside."
            fix = f"Set it on the nodes of subgraph {name}."
            said = diagnose("W314", f"{place}.each", sentence, fix)
            self.found.loose.append((path, said))
        used = Use(path, place, node, subgraph, {**node.params, **values}, raw)
        scope.entries[node_id] = used
        used.scope = Scope(
            "subgraph",
            subgraph.graph,
            path + "/",
            f"subgraphs.{name}.nodes.",
            scope.level,
            outer=scope,
            owner=used,
        )
        self.hand_in(used, used.scope)
        return used.scope

    def unknown_type(self, name: str, place: str) -> Diagnostic:
        """What to say of a node whose type is not at hand."""
        fix = self.hints.near(name, self.registry.specs)
        fix = fix or "Install the node pack that it comes from."
        return diagnose("W101", place, f"There is no node type {short(name)}.", fix)

    def hand_in(self, used: Use, inside: Scope) -> None:
        """Lay what the use sets over the inner parameters that the subgraph exposes."""
        exposed = used.subgraph.params
        for name, value in used.values.items():
            if name not in exposed:
                sentence = f"Subgraph {used.node.type[9:]} exposes no parameter {short(name)}."
                fix = near(name, list(exposed))
                said = diagnose("W201", f"{used.place}.params.{name}", sentence, fix)
                self.found.loose.append((used.id, said))
                continue
            target = exposed[name]
            inside.values.setdefault(target.node, {})[target.param] = value
        for name, link in used.raw.items():
            if name in exposed and name not in used.subgraph.inputs:
                target = exposed[name]
                inside.links.setdefault(target.node, {})[target.param] = link
