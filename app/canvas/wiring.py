"""Which links lead into and out of each place of a level, and which type each of them carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set

from app.document.level import GIVEN, TAKEN, Link, links_into, name_of, parent_of
from backend.graph.document import Graph, Node

TypeOf = Callable[[Link, dict[tuple[str, str], str]], str]
"""The type of a link's source; what is found on the way is noted in the mapping."""
Passes = Callable[[str], bool]
"""Whether a place gives on the types of what is linked to it."""


class Wiring:
    """The links of one level by their ends, read anew only where a node or a boundary changed."""

    def __init__(self) -> None:
        self._into: dict[str, tuple[Link, ...]] = {}
        self._from: dict[str, set[Link]] = {}
        self._types: dict[tuple[str, str], str] = {}
        self._touched: set[str] = set()
        """Sources of which other links may leave than before."""

    def into(self, place: str) -> tuple[Link, ...]:
        """The links that end at a place."""
        return self._into.get(place, ())

    def out_of(self, place: str) -> Set[Link]:
        """The links that begin at a place."""
        return self._from.get(place, frozenset())

    @property
    def read_places(self) -> Mapping[str, tuple[Link, ...]]:
        """All places that were read, with the links that end there."""
        return self._into

    def forget(self, place: str) -> tuple[Link, ...]:
        """A place is not there any more; the links that led there."""
        gone = self._into.pop(place, ())
        for link in gone:
            self._drop(link)
        return gone

    def read(self, graph: Graph, place: str) -> list[Link]:
        """Read what leads to a place; the links that do so no more."""
        before = self._into.get(place, ())
        now = () if place == GIVEN else tuple(links_into(graph, place))
        gone = [link for link in before if link not in now]
        for link in gone:
            self._drop(link)
        if place == GIVEN:
            return gone
        self._into[place] = now
        for link in now:
            if link not in before:
                self._touched.add(link.source)
                self._from.setdefault(link.source, set()).add(link)
        return gone

    def _drop(self, link: Link) -> None:
        self._touched.add(link.source)
        self._from.get(link.source, set()).discard(link)
        self._types.pop((link.source, link.output), None)

    def take_touched(self) -> dict[str, dict[str, int]]:
        """How many links leave each output, of the sources whose links are others since the last
        time."""
        found = {
            path: dict(Counter(link.output for link in self.out_of(path))) for path in self._touched
        }
        self._touched.clear()
        return found

    def near(self, gone: Iterable[str], fresh: Collection[str]) -> set[str]:
        """The places that are linked to nodes which are gone, or to ones that are new."""
        near = {link.target for path in gone for link in self.out_of(path)}
        if fresh:
            near |= {
                place for place, links in self._into.items()
                if any(link.source in fresh for link in links)
            }  # fmt: skip
        return near

    def type_of(self, link: Link, find: TypeOf) -> str:
        """The type that a link carries."""
        found = self._types.get((link.source, link.output))
        return found if found is not None else find(link, self._types)

    def retype(
        self, places: Collection[str], fed: Collection[str], passes: Passes, zones: Passes
    ) -> set[str]:
        """Forget the types of the outputs of these places, and of those that have theirs from what
        is linked to them; the ends of the links that are to be drawn anew for it.

        Of the places in ``fed`` nothing is another but what is linked to them.
        """
        todo, seen, ends = list(places), set(places), set()
        while todo:
            place = todo.pop()
            for link in self._given_on(place, place in places and place not in fed, passes, zones):
                self._types.pop((link.source, link.output), None)
                ends.add(link.target.removesuffix(f"/{TAKEN}"))
                if link.target not in seen:
                    seen.add(link.target)
                    todo.append(link.target)
        return ends

    def _given_on(self, place: str, is_new: bool, passes: Passes, zones: Passes) -> Iterator[Link]:
        """The links by which what is linked to a place comes out with a type of its own."""
        if name_of(place) == TAKEN:
            yield from self.out_of(parent_of(place))
        elif zones(place):
            yield from self.out_of(place)
            yield from self.out_of(f"{place}/{GIVEN}")
        elif is_new or passes(place):
            yield from self.out_of(place)


def all_places(found: Mapping[str, Node]) -> set[str]:
    """Every place of a level to which links may lead."""
    bodies = {f"{path}/{TAKEN}" for path, node in found.items() if node.body is not None}
    return set(found) | bodies | {TAKEN}
