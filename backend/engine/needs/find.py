"""The needs of all steps of a program that would run, bodies of zones included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backend.catalog.errors import CatalogError
from backend.engine.needs.asking import Asking
from backend.engine.needs.components import Components
from backend.engine.needs.results import result_bytes
from backend.engine.needs.scope import REFERENCES, Book, Scope, Unknown
from backend.engine.registry import NodeRegistry
from backend.graph.facts import Facts
from backend.graph.flat import FROM_ZONE
from backend.graph.spec import Socket
from backend.media.grants import Grants
from backend.plan.forecast import Plan
from backend.plan.measured import Key
from backend.plan.needs import Loop, Need, Needs, Used
from backend.plan.params import namespace
from backend.plan.program import Link, Program, Unit
from backend.plan.sizes import item_bytes
from backend.plan.survey import Survey
from backend.sdk import Peak

CARRIERS = (*REFERENCES, "Guider")


@dataclass(eq=False)
class Finder:
    """Collects needs scope by scope. ``leads`` are, by scope, the steps with needs whose results
    lead to each step."""

    book: Book
    components: Components
    found: list[Need] = field(default_factory=list)

    def walk(self, scope: Scope, order: Sequence[int]) -> list[frozenset[str]]:
        """Take the steps of ``order``, of which each stands behind its sources; for every step of
        the program, the steps with needs that lead to what it gives."""
        units = scope.program.units
        leads: list[frozenset[str]] = [frozenset()] * len(units)
        for i in order:
            self._resolve(scope, i)
        for i in order:
            unit = units[i]
            before = self._before(scope, unit, leads)
            if unit.body is not None:
                leads[i] = self._zone(scope, i, before)
                continue
            need = self._need(scope, unit, before)
            if need is not None:
                self.found.append(need)
            leads[i] = frozenset((unit.step.id,)) if need is not None else before
        return leads

    def _resolve(self, scope: Scope, i: int) -> None:
        """Look at the references that a step gives, so that none is asked through a long chain."""
        unit = scope.program.units[i]
        for output, facts in self.book.facts.get(unit.step.id, {}).items():
            if facts.type in CARRIERS and unit.body is None:
                try:
                    scope.value_of(i, output)
                except Unknown:
                    continue  # who uses it says so

    def _before(self, scope: Scope, unit: Unit, leads: Sequence[frozenset[str]]) -> frozenset[str]:
        rows = (leads[link.wire.step] for link in unit.links if link.wire.step != FROM_ZONE)
        return frozenset().union(*rows, scope.before)

    def _zone(self, scope: Scope, i: int, before: frozenset[str]) -> frozenset[str]:
        """Walk the body of a zone; what leads to what comes out of it."""
        unit = scope.program.units[i]
        body = unit.body
        assert body is not None
        turns = scope.turns(unit)
        carries = any(link.name == "carry" for link in unit.links)
        chained = carries or unit.effect or unit.spec.input("items") is None
        loop = Loop(unit.step.id, 1 if turns is None else turns, chained)
        inner = Scope(
            self.book, body, None, (scope, i), (*scope.loops, loop),
            scope.unsure or turns is None, before,
        )  # fmt: skip
        leads = self.walk(inner, reached(body.units, body.body_roots))
        return frozenset().union(before, *(leads[root] for root in body.body_roots))

    def _need(self, scope: Scope, unit: Unit, before: frozenset[str]) -> Need | None:
        hook = self.book.registry.hook(unit.spec.type, "peak")
        if hook is None:
            return None
        calls, troubles = scope.calls(unit), []
        if scope.unsure or calls is None:
            troubles.append("How often it runs is only known then; this is for once.")
        try:
            peak = self._peak(scope, unit, hook)
        except Exception as error:  # a hook is a node author's code; the run may still go well
            peak = Peak(None)
            troubles.append(f"Its node type could not say what it needs ({error}).")
        uses: list[Used] = []
        for name, passes in peak.uses:
            try:
                uses += self._uses(scope, unit, name, passes, calls or 1)
            except (Unknown, CatalogError) as error:
                troubles.append(f"{name}: {error}")
        named = [name for use in uses for name in (use.component, *use.before)]
        networks = [self.components.found[name] for name in named]
        scale = item_bytes(networks[0].dtype) / 4 if networks else 1
        activation = None if peak.activation is None else int(peak.activation * scale)
        if activation is None and uses and not troubles:
            troubles.append("What it computes in is only known when it runs.")
        key = Key(
            unit.spec.type,
            tuple(f"{c.weights.identity} {c.weights.part}" for c in networks),
            activation or 0,
            self.components.device,
            networks[0].dtype if networks else "",
        )
        outputs = self.book.facts.get(unit.step.id, {})
        return Need(
            unit.step.id, unit.spec.type, tuple(uses), activation, result_bytes(outputs),
            calls=1 if calls is None else calls, loops=scope.loops, after=tuple(sorted(before)),
            key=key if uses else None, unknown=" ".join(troubles),
        )  # fmt: skip

    def _peak(self, scope: Scope, unit: Unit, hook: Callable[..., Any]) -> Peak:
        inputs = facts_by_input(scope, unit)
        given = {s.name: inputs.get(s.name, _nothing(s)) for s in unit.spec.inputs}
        peak = hook(namespace(unit.spec, scope.params(unit)), **given)
        if not isinstance(peak, Peak):
            raise TypeError(f"it gives {type(peak).__name__}, not Peak")
        return peak

    def _uses(self, scope: Scope, unit: Unit, name: str, passes: int, calls: int) -> Iterator[Used]:
        """What one call uses of the weights at an input; where a list of models maps the step, each
        of them in its share of the calls, so that all calls together come out right."""
        name, _, within = name.partition(".")
        for link in unit.links:
            if link.name != name or link.socket is None:
                continue
            value = scope.value(link.wire)
            values = value if isinstance(value, list) else [value]
            share = len(values) if link.maps and isinstance(value, list) else 1
            for one in values:
                for used in self.components.used(one, -(-passes // share)):
                    yield replace(used, within=within)


def find_needs(
    registry: NodeRegistry,
    grants: Grants,
    facts: Mapping[str, Mapping[str, Facts]],
    survey: Survey,
    steps: Iterable[int],
    device: str,
) -> Needs:
    """What the steps of a surveyed program need that would run.

    Args:
        registry: The node types, whose ``peak`` hooks are asked.
        grants: What may be read; of models only headers are.
        facts: What a check found, by step and output.
        survey: The program, with the values of cached steps.
        steps: The steps that would run, in their order.
        device: ``cpu`` or ``cuda:N``; it says in which precision weights are held.
    """
    book = Book(registry, facts, Asking(grants, device))
    finder = Finder(book, Components(device))
    wanted = list(steps)
    finder.walk(Scope(book, survey.program, survey), wanted)
    return Needs(tuple(finder.found), finder.components.found)


def running(plan: Plan, program: Program) -> list[int]:
    """The steps that a plan says would run, or might, in its order."""
    numbers = {unit.step.id: i for i, unit in enumerate(program.units)}
    return [numbers[step.id] for step in plan.steps if step.status in ("run", "maybe")]


def facts_by_input(scope: Scope, unit: Unit) -> dict[str, Any]:
    """The facts at the sockets of a step as its hooks get them: of one item where a list maps."""
    found: dict[str, Any] = {}
    for link in unit.links:
        if link.socket is None:
            continue
        facts = scope.facts(link.wire)
        if facts is not None and facts.is_list and link.maps:
            facts = facts.single()
        if link.socket.arity == "many":
            found[link.name] = (*found.get(link.name, ()), *_spread(facts, link))
        elif link.socket.arity == "named":
            found.setdefault(link.name, {})[link.part] = facts
        else:
            found[link.name] = facts
    return found


def reached(units: Sequence[Unit], roots: Iterable[int]) -> list[int]:
    """The steps that some steps need, and these, in the order of the program."""
    seen, todo = set(roots), list(roots)
    while todo:
        for source in units[todo.pop()].sources:
            if source not in seen:
                seen.add(source)
                todo.append(source)
    return sorted(seen)


def _spread(facts: Facts | None, link: Link) -> tuple[Facts | None, ...]:
    if facts is None or not facts.is_list:
        return (facts,)
    return (facts.single(),) * min(facts.length or 1, 1000)


def _nothing(socket: Socket) -> Any:
    return {"many": (), "named": {}}.get(socket.arity)
