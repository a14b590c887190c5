"""What is known of the wires of a program, and of the bodies of its zones, before it runs: facts,
and the references to weights that they carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.catalog.errors import CatalogError
from backend.engine.gather import Given, Misuse, arguments, item_of, meet, shape_of
from backend.engine.mapped import joined
from backend.engine.registry import NodeRegistry
from backend.engine.results import WrongResult, outputs_of
from backend.graph.conversions import convert, convert_facts
from backend.graph.facts import Facts, facts_of
from backend.graph.flat import FROM_ZONE, Wire
from backend.graph.types import is_generic
from backend.plan.needs import Loop
from backend.plan.params import namespace
from backend.plan.program import Link, Program, Unit
from backend.plan.survey import Survey
from backend.sdk import UserError
from backend.values import Data, Guider, Model

REFERENCES = ("Model", "TextEncoder", "VAE", "LanguageModel", "Upscaler", "ControlNet")
"""The types of links that carry references. A node that takes and gives nothing else costs nothing
to run, so it is asked what it gives."""
_TOO_LONG = 1000
"""Items of lists of references that are looked at."""


class Unknown(Exception):
    """What a wire carries is only known when it runs; the text says why, in a sentence."""


@dataclass(eq=False)
class Book:
    """What all scopes of a plan share: node types, facts by step and output, the context in which
    nodes are asked, and what they were asked with and gave."""

    registry: NodeRegistry
    facts: Mapping[str, Mapping[str, Facts]]
    context: Any
    asked: dict[tuple[Any, ...], tuple[Any, Mapping[str, Data]]] = field(default_factory=dict)


@dataclass(eq=False)
class Scope:
    """A program, or the body of a zone in it, with the loops around; ``survey`` has the values of
    cached steps, where there is one. ``around`` is the scope of the zone, and its step; ``unsure``
    that the turns of a zone around are not known, and ``before`` which steps lead to it."""

    book: Book
    program: Program
    survey: Survey | None = None
    around: tuple[Scope, int] | None = None
    loops: tuple[Loop, ...] = ()
    unsure: bool = False
    before: frozenset[str] = frozenset()
    _known: dict[tuple[int, str], Any] = field(default_factory=dict)

    def facts(self, wire: Wire) -> Facts | None:
        """What is known of a wire."""
        if wire.step == FROM_ZONE:
            found = self._handed(wire.output)
        else:
            found = self.book.facts.get(self.program.units[wire.step].step.id, {}).get(wire.output)
        return convert_facts(wire.convert, found) if found is not None and wire.convert else found

    def value(self, wire: Wire) -> Data:
        """The references on a wire, or the number or text.

        Raises:
            Unknown: it carries something else, or it is only known when it runs.
        """
        facts = self.facts(wire)
        if facts is not None and facts.value is not None and not facts.is_list:
            return facts.value
        if facts is None or not (facts.type in REFERENCES or facts.type == "Guider"):
            raise Unknown("It is only known when it runs.")
        if wire.step != FROM_ZONE:
            value = self.value_of(wire.step, wire.output)
            return convert(wire.convert, value) if wire.convert else value
        scope, link = self._outer(wire.output)
        value = scope.value(link.wire)
        if link.name != "items" or not isinstance(value, list):
            return value
        if not value or any(item != value[0] for item in value):
            raise Unknown(f"{wire.output} is another one in each turn.")
        return value[0]

    def value_of(self, i: int, output: str) -> Data:
        """The references that a step gives.

        Raises:
            Unknown: they are only known when it runs.
        """
        at = i, output
        if at not in self._known:
            survey = self.survey
            found, value = survey.value(Wire(*at)) if survey is not None else (False, None)
            try:
                self._known[at] = value if found else self._ask(*at)
            except Unknown as error:
                self._known[at] = error
        known = self._known[at]
        if isinstance(known, Unknown):
            raise known
        return known

    def calls(self, unit: Unit) -> int | None:
        """How often a step is called in one turn: once, or for the items of the lists that map it;
        ``None`` where that is not known."""
        lengths: list[int] = []
        for link in unit.links:
            facts = self.facts(link.wire)
            if link.maps and facts is not None and facts.is_list:
                if facts.length is None:
                    return None
                lengths.append(facts.length)
        if not lengths:
            return 1
        try:
            return meet([""] * len(lengths), lengths, unit.step.each, 1 << 40).count
        except Misuse:
            return None

    def turns(self, unit: Unit) -> int | None:
        """How many turns a zone makes."""
        if unit.spec.input("items") is None:
            times = self.params(unit).get("times")
            return times if isinstance(times, int) else None
        lengths = []
        for link in unit.links:
            facts = self.facts(link.wire) if link.name == "items" else None
            if link.name == "items":
                lengths.append((facts.length if facts.is_list else 1) if facts else None)
        if None in lengths:
            return None
        known = [length for length in lengths if length is not None]
        try:
            return meet([""] * len(known), known, unit.step.each, 1 << 40).count
        except Misuse:
            return None

    def params(self, unit: Unit) -> dict[str, Any]:
        """The parameters of a step that are known."""
        params = {n: v for n, v in unit.step.params.items() if n not in unit.step.inputs}
        for link in unit.links:
            facts = self.facts(link.wire) if link.param is not None else None
            if facts is not None and not facts.is_list and facts.value is not None:
                params[link.name] = facts.value
        return params

    def _handed(self, name: str) -> Facts | None:
        if name in ("index", "count"):
            turns = self.loops[-1].turns if self.loops else None
            return facts_of("Integer", value=turns) if name == "count" else Facts("Integer")
        try:
            scope, link = self._outer(name)
        except Unknown:
            return None
        found = scope.facts(link.wire)
        return found.single() if found is not None and link.name == "items" else found

    def _outer(self, name: str) -> tuple[Scope, Link]:
        """The link into the zone that hands in a name."""
        if self.around is not None:
            scope, i = self.around
            for link in scope.program.units[i].links:
                if link.param is None and link.part == name:
                    return scope, link
        raise Unknown("It is only known when it runs.")

    def _ask(self, i: int, output: str) -> Data:
        unit = self.program.units[i]
        spec = unit.spec
        if unit.body is not None:
            return self._of_zone(i, unit.body, output)
        if any(socket.name == output and socket.type == "Guider" for socket in spec.outputs):
            return self._model_of(unit)
        if unit.lazy:
            return self._chosen(unit)
        if spec.effect:
            return self._passed(unit, output)
        takes = [link.socket.type for link in unit.links if link.socket is not None]
        gives = [socket.type for socket in spec.outputs]
        hooked = self.book.registry.hook(spec.type, "gives") is not None
        if not hooked and (spec.lane == "device" or not all(map(_light, (*takes, *gives)))):
            raise Unknown(f"It is only known once {unit.step.id} has run.")
        return self._called(unit)[output]

    def _of_zone(self, i: int, body: Program, output: str) -> Data:
        """What each turn of a zone gives, as the list of them; a carried value as it is."""
        inner = Scope(self.book, body, None, (self, i), self.loops)
        value, unit = inner.value(body.flat.outputs[output]), self.program.units[i]
        if any(link.name == "carry" and link.part == output for link in unit.links):
            return value
        turns = self.turns(unit)
        if turns is None or turns > _TOO_LONG:
            raise Unknown(f"It is only known once {unit.step.id} has run.")
        return [value] * turns

    def _model_of(self, unit: Unit) -> Guider:
        """A guider with the model that goes into its node; its conditionings are left out."""
        for link in unit.links:
            if link.socket is not None and link.socket.type in ("Model", "Guider"):
                value = self.value(link.wire)
                if isinstance(value, Guider):
                    return value
                if isinstance(value, Model):
                    return Guider("none", {}, value)
        raise Unknown(f"The model of {unit.step.id} is only known when it runs.")

    def _chosen(self, unit: Unit) -> Data:
        """What a lazy node passes on, where its parameters alone say which input that is."""
        hook = self.book.registry.hook(unit.spec.type, "needs")
        try:
            names = set(hook(namespace(unit.spec, self.params(unit)), {})) if hook else set()
        except Exception:
            names = set()  # it fails again when it runs, and is told then
        chosen = [link for link in unit.links if link.label in names and link.socket is not None]
        if len(chosen) != 1:
            raise Unknown(f"{unit.step.id} chooses its inputs while it runs.")
        return self.value(chosen[0].wire)

    def _passed(self, unit: Unit, output: str) -> Data:
        """What a node that is run for its effect passes on: its only input of that type."""
        socket = unit.spec.output(output)
        wanted = socket.type if socket is not None else ""
        same = [k for k in unit.links if k.socket is not None and k.socket.type == wanted]
        if len(same) != 1:
            raise Unknown(f"It is only known once {unit.step.id} has run.")
        return self.value(same[0].wire)

    def _called(self, unit: Unit) -> Mapping[str, Data]:
        """What a node gives that costs nothing to run, or that its ``gives`` hook tells; that one
        gets ``None`` for what is no reference, such as a picture."""
        given = [
            Given(link, None if _heavy(link) else self.value(link.wire), "") for link in unit.links
        ]
        known = (unit.static, *(_name(entry.value) for entry in given))
        if known not in self.book.asked:
            try:
                self.book.asked[known] = given, self._call_each(unit, given)
            except (UserError, CatalogError, Misuse, WrongResult) as error:
                raise Unknown(str(error)) from error
            except Exception as error:  # a node's own code; it fails again when it runs
                raise Unknown(f"{unit.step.id}: {type(error).__name__}: {error}") from error
        return self.book.asked[known][1]

    def _call_each(self, unit: Unit, given: Sequence[Given]) -> Mapping[str, Data]:
        axes = [entry for entry in given if entry.axis]
        if not axes:
            return self._call(unit, given)
        lengths = [len(entry.value) for entry in axes]
        met = meet([e.link.label for e in axes], lengths, unit.step.each, _TOO_LONG)
        items = (item_of(given, met.places(n), False) for n in range(met.count))
        rows = [self._call(unit, item) for item in items]
        return {s.name: joined([row[s.name] for row in rows]) for s in unit.spec.outputs}

    def _call(self, unit: Unit, given: Sequence[Given]) -> Mapping[str, Data]:
        spec, registry, context = unit.spec, self.book.registry, self.book.context
        function = registry.type(spec.type).function
        row, named = arguments(unit, shape_of(function), given)
        hook = registry.hook(spec.type, "gives")
        if hook is None:
            return outputs_of(spec, function(context, *row, **named))
        params = {p.name: named.pop(p.name) for p in spec.params if p.name in named}
        return outputs_of(spec, hook(namespace(spec, params), context, *row, **named))


def _light(type_name: str) -> bool:
    return type_name in REFERENCES or is_generic(type_name)


def _heavy(link: Link) -> bool:
    return link.socket is not None and not _light(link.socket.type)


def _name(value: Data) -> Any:
    """What a value is known by in the memory of what was asked, which keeps it alive."""
    return value if isinstance(value, str | int | float) else id(value)
