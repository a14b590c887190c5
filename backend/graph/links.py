"""Resolving links: through subgraphs, bypassed nodes and out of zones, to the node that gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from backend.graph.diagnostics import Diagnostic, diagnose
from backend.graph.document import BOUNDARY, Input, Ref
from backend.graph.opened import (
    Gone,
    Level,
    Linked,
    Opened,
    Scope,
    Skipped,
    Source,
    Structure,
    Use,
)
from backend.graph.params import Hints, near
from backend.graph.shape import short
from backend.graph.types import is_generic, title

ZONE_NAMES = ("index", "count")
"""What every zone hands to its body beside its items and carried values."""

End: TypeAlias = "Source | Gone | Broken | None"
"""Where a link leads: a source, a muted node, nowhere (said), or an open input of a subgraph."""


class Broken(NamedTuple):
    """A link that leads nowhere: code, sentence, fix."""

    code: str
    sentence: str
    fix: str = ""


class Hop(NamedTuple):
    """A link that leads on to another."""

    scope: Scope
    ref: Ref


class Links:
    """Resolves the links of one opened document and remembers the long ways."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self.known: dict[tuple[int, str, str], End] = {}
        self.hints = Hints()
        self.names: dict[Opened, set[str]] = {}

    def resolve_all(self) -> None:
        """Fill in ``links``, ``captures``, ``needs`` and the levels' ``outputs``."""
        for node in self.structure.nodes():
            self.resolve_node(node)
        for level in self.structure.levels:
            self.resolve_outputs(level)
        for used in uses(self.structure.scope):
            self.check_use(used)

    def resolve_node(self, node: Opened) -> None:
        """Fill in the links of one node, and say what is wrong with them."""
        muted: dict[str, Gone] = {}
        broken: set[str] = set()
        for name, (given, scope) in node.raw.items():
            place = f"{node.place}.inputs.{name}"
            arity = self.arity_of(node, name, place)
            if arity is None:
                broken.add(name)
                continue
            ends = [(key, self.resolve(scope, ref)) for key, ref in _refs(given)]
            for _, end in ends:
                if isinstance(end, Broken):
                    node.problems.append(diagnose(end.code, place, end.sentence, end.fix))
                    broken.add(name)
                elif isinstance(end, Gone):
                    muted[name] = end
            problem = _wrong_form(node, name, arity, given, place)
            if problem is not None:
                node.problems.append(problem)
                broken.add(name)
                continue
            live = {key: local(e, node.level) for key, e in ends if isinstance(e, Source)}
            linked: Linked | None = live if arity == "named" else tuple(live.values())
            if arity in ("one", "list"):
                linked = next(iter(live.values()), None)
            if linked:
                node.links[name] = linked
        self.check_required(node, muted, broken)

    def arity_of(self, node: Opened, name: str, place: str) -> str | None:
        """How many links an input takes; ``None`` where it takes none, which is said."""
        table = node.table
        if table is None:
            return "named"  # of an unknown type nothing is known, so every form will do
        if name in table.inputs:
            return table.inputs[name].arity
        param = table.params.get(name)
        if param is None:
            names = [*table.inputs, *table.params]
            sentence = f"{table.spec.title} has no input {short(name)}."
            node.problems.append(diagnose("W302", place, sentence, near(name, names)))
        elif param.link_type is None:
            sentence = f"{name} of {node.id} takes no link."
            node.problems.append(diagnose("W207", place, sentence, "Set its value instead."))
        else:
            return "one"
        return None

    def check_required(self, node: Opened, muted: Mapping[str, Gone], broken: set[str]) -> None:
        """Say which inputs are missing; leave the node out where they come from a muted one."""
        if node.table is None:
            return
        for socket in node.table.spec.inputs:
            name = socket.name
            if node.table.spec.zone and name in muted:  # its body reads each of them by name
                node.left_out = muted[name].by
            if socket.optional:
                continue
            linked = node.links.get(name)
            if linked is None and name in muted:
                node.left_out = muted[name].by
            elif linked is None and name not in broken:
                place = f"{node.place}.inputs.{name}"
                sentence = f"{name} of {node.id} is not linked."
                node.problems.append(
                    diagnose("W301", place, sentence, f"Link {with_article(socket.type)} to it.")
                )

    def resolve_outputs(self, level: Level) -> None:
        """Fill in what a level gives to the outside."""
        scope = level.scope
        assert scope is not None
        for name, ref in scope.graph.outputs.items():
            end = self.resolve(scope, ref)
            if isinstance(end, Source):
                level.outputs[name] = local(end, level)
            elif isinstance(end, Gone):
                level.outputs[name] = end
            elif isinstance(end, Broken):
                self.say_output(
                    level, diagnose(end.code, _output_place(scope, name), end.sentence, end.fix)
                )

    def say_output(self, level: Level, problem: Diagnostic) -> None:
        """Say a problem of a level's outputs where it belongs."""
        if level.owner is not None:
            level.owner.problems.append(problem)
        else:
            self.structure.loose.append(("", problem))

    def check_use(self, used: Use) -> None:
        """Say what is wrong with the links into a subgraph."""
        ports, exposed = used.subgraph.inputs, used.subgraph.params
        for name, (given, scope) in used.raw.items():
            place = f"{used.place}.inputs.{name}"
            if name not in ports and name not in exposed:
                sentence = f"Subgraph {used.node.type[9:]} has no input {short(name)}."
                fix = near(name, [*ports, *exposed])
                self.structure.loose.append((used.id, diagnose("W302", place, sentence, fix)))
            elif name in ports and isinstance(given, Ref):
                end = self.resolve(scope, given)
                if isinstance(end, Broken):
                    said = diagnose(end.code, place, end.sentence, end.fix)
                    self.structure.loose.append((used.id, said))
            elif name in ports:
                sentence = f"{name} of {used.id} takes one link."
                self.structure.loose.append((used.id, diagnose("W306", place, sentence)))
        for name, port in ports.items():
            if name not in used.raw and not port.optional:
                sentence = f"{name} of {used.id} is not linked."
                place = f"{used.place}.inputs.{name}"
                fix = f"Link {with_article(port.type)} to it."
                self.structure.loose.append((used.id, diagnose("W301", place, sentence, fix)))

    def resolve(self, scope: Scope, ref: Ref) -> End:
        """Follow a link to its end. Ways of more than one hop are remembered from every hop on."""
        way: dict[tuple[int, str, str], None] = {}
        at: End | Hop = Hop(scope, ref)
        while isinstance(at, Hop):
            key = (id(at.scope), at.ref.node, at.ref.output)
            if key in self.known:
                at = self.known[key]
                break
            if key in way:
                fix = "Take one of the links on this way out."
                at = Broken("W308", f"The link {at.ref} leads back to itself.", fix)
                break
            ahead = self.hop(at.scope, at.ref)
            if isinstance(ahead, Hop) or way:
                way[key] = None
            at = ahead
        for key in way:
            self.known[key] = at
        return at

    def hop(self, scope: Scope, ref: Ref) -> End | Hop:
        """One hop of a link: its end, or the link that it leads on to."""
        if ref.node == BOUNDARY:
            return self.hop_out(scope, ref)
        entry = scope.entries.get(ref.node)
        while entry is None and scope.kind == "zone" and scope.outer is not None:
            scope = scope.outer
            entry = scope.entries.get(ref.node)
        if entry is None:
            fix = self.hints.near(ref.node, scope.entries)
            return Broken("W304", f"There is no node {short(ref.node)} to link {ref} from.", fix)
        if isinstance(entry, Opened):
            return _output(entry, ref)
        if isinstance(entry, Use):
            inner = entry.subgraph.graph.outputs.get(ref.output)
            if inner is None or entry.scope is None:
                return no_output(entry.id, ref.output, list(entry.subgraph.graph.outputs))
            return Hop(entry.scope, inner)
        if not entry.passes:
            return Gone(entry.id)
        passed = through(entry, ref.output)
        if passed is None:
            sentence = f"Nothing fits through {entry.id}, which is bypassed, to {ref.output}."
            return Broken("W309", sentence, "Link past it, or mute it.")
        return Hop(scope, passed)

    def hop_out(self, scope: Scope, ref: Ref) -> End | Hop:
        """Follow ``$.name``: to the nearest zone that hands it in, or to a subgraph's input."""
        while scope.kind == "zone" and isinstance(scope.owner, Opened) and scope.outer is not None:
            if ref.output in self.handed_in(scope.owner):
                return Source(scope.owner, ref.output, given=True)
            scope = scope.outer
        used = scope.owner
        if isinstance(used, Use) and scope.outer is not None and ref.output in used.subgraph.inputs:
            if ref.output not in used.raw:
                return None
            given, outer = used.raw[ref.output]
            return Hop(outer, given) if isinstance(given, Ref) else None
        fix = "Hand it in, as an input, an item or a carried value."
        return Broken("W313", f"Nothing called {short(ref.output)} is handed in for {ref}.", fix)

    def handed_in(self, zone: Opened) -> set[str]:
        """The names under which a zone's body reads what the zone hands in."""
        if zone not in self.names:
            self.names[zone] = names = set(ZONE_NAMES)
            for group in ("items", "carry"):
                given = zone.raw.get(group)
                if given is not None and isinstance(given[0], Mapping):
                    names.update(given[0])
        return self.names[zone]


def _refs(given: Input) -> Iterator[tuple[str, Ref]]:
    if isinstance(given, Ref):
        yield "", given
    elif isinstance(given, Mapping):
        yield from given.items()
    else:
        for index, ref in enumerate(given):
            yield str(index), ref


def _wrong_form(node: Opened, name: str, arity: str, given: Input, place: str) -> Diagnostic | None:
    if node.table is None:
        return None
    if arity == "named" and not isinstance(given, Mapping):
        sentence = f"{name} of {node.id} takes links by name."
        return diagnose("W307", place, sentence, 'Write {"name": "node.output"}.')
    if arity != "named" and isinstance(given, Mapping):
        sentence = f"{name} of {node.id} takes no links by name."
        return diagnose("W307", place, sentence, 'Write "node.output".')
    if arity in ("one", "list") and isinstance(given, tuple) and len(given) != 1:
        sentence = f"{name} of {node.id} takes one link, and there are {len(given)}."
        return diagnose("W306", place, sentence, "Keep one, or join them in a list first.")
    return None


def _output(entry: Opened, ref: Ref) -> End:
    if entry.table is None:
        return Source(entry, ref.output)
    names: Mapping[str, object] = entry.table.outputs
    there = ref.output in names
    if entry.body is not None and entry.body.scope is not None:
        names = entry.body.scope.graph.outputs
        ends = ref.output == "stop" and "items" not in entry.table.inputs
        there = ref.output in names and not ends
    return Source(entry, ref.output) if there else no_output(entry.id, ref.output, list(names))


def no_output(node_id: str, output: str, names: list[str]) -> Broken:
    """What to say of a link from an output that a node has not."""
    return Broken("W303", f"{node_id} has no output {short(output)}.", near(output, names))


def through(entry: Skipped, output: str) -> Ref | None:
    """The link that a bypassed node passes on to an output: the first whose type fits."""
    inputs = entry.node.inputs
    if entry.table is not None and entry.table.spec.zone:
        carried = inputs.get("carry")
        return carried.get(output) if isinstance(carried, Mapping) else None
    if entry.subgraph is not None:
        fitting = [n for n in entry.subgraph.inputs if n in inputs]
        fitting.sort(key=lambda name: name != output)
    elif entry.table is None:
        fitting = list(inputs)
    elif output not in entry.table.outputs:
        return None
    else:
        wanted = entry.table.outputs[output].type
        fitting = [s.name for s in entry.table.spec.inputs if _fits(s.type, wanted)]
    refs = (ref for name in fitting if name in inputs for _, ref in _refs(inputs[name]))
    return next(refs, None)


def _fits(given: str, wanted: str) -> bool:
    return given == wanted or is_generic(given) or is_generic(wanted)


def local(source: Source, level: Level) -> Source:
    """The source as seen from ``level``: what lies further out comes in through captures."""
    home = source.node.body if source.given else source.node.level
    if level is home or level.owner is None:
        return source
    name = f"{source.node.id}.{'$' if source.given else ''}{source.output}"
    seen = Source(level.owner, name, given=True)
    while level is not home and level.owner is not None and level.parent is not None:
        outer = level.parent
        way = source if outer is home or outer.owner is None else Source(outer.owner, name, True)
        level.owner.captures[name] = way
        level = outer
    return seen


def uses(scope: Scope) -> Iterator[Use]:
    """Every use of a subgraph, in document order, those inside others too."""
    stack = [iter(scope.entries.values())]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
        elif isinstance(entry, Use):
            yield entry
            if entry.scope is not None:
                stack.append(iter(entry.scope.entries.values()))
        elif isinstance(entry, Opened) and entry.body is not None and entry.body.scope is not None:
            stack.append(iter(entry.body.scope.entries.values()))


def _output_place(scope: Scope, name: str) -> str:
    return f"{scope.place.removesuffix('nodes.')}outputs.{name}"


def with_article(type_name: str) -> str:
    """A socket type in words, ``an image``."""
    words = title(type_name)
    if is_generic(type_name):
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
