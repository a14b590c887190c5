"""What is known of an open document without running it: diagnostics, and facts of every output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from PySide6.QtCore import QObject, Signal

from app.open_document import OpenDocument
from app.specs.helper import Helper, News
from app.specs.places import place_of, step_prefix
from backend.engine.checks.wire import Counted, CountTokens
from backend.graph.diagnostics import Diagnostic
from backend.graph.facts import Facts

_NOTHING: Mapping[str, Facts] = MappingProxyType({})

Answer = Callable[[Counted], None]


class Checks(QObject):
    """Has its document checked after every change. While one check is under way only the newest
    state waits, so what is said is at most one check behind (``behind``)."""

    checked = Signal(object)
    """The steps (a ``frozenset`` of ids) whose facts are not as before."""

    def __init__(
        self,
        document: OpenDocument,
        helper: Helper,
        grants: tuple[Path, ...] = (),
        parent: QObject | None = None,
    ) -> None:
        """``grants`` are what the document may read beside the folder of its file."""
        super().__init__(parent)
        self.facts: Mapping[str, Mapping[str, Facts]] = MappingProxyType({})
        self.diagnostics: tuple[Diagnostic, ...] = ()
        self.ok = False
        self.sentence = ""
        self._document, self._helper, self._grants = document, helper, grants
        self._answers: dict[str, Answer] = {}
        self._by_node: Mapping[tuple[str, str], tuple[Diagnostic, ...]] | None = None
        self._seen = document.workflow
        self._known = False
        document.changed.connect(self._ask)
        document.saved.connect(self._ask)
        helper.told.connect(self._hear)
        helper.counted.connect(self._hear_count)
        self._ask()

    @property
    def behind(self) -> bool:
        """Whether the document has changed since it was last checked."""
        return not self._known or self._seen is not self._document.workflow

    def set_grants(self, grants: tuple[Path, ...]) -> None:
        """The document may read other files now, beside the folder of its own."""
        if grants != self._grants:
            self._grants = grants
            self._ask()

    def refresh(self) -> None:
        """Look into all files again: they may have changed while the window was away."""
        self._ask(fresh=True)

    def facts_at(self, level: str, path: str) -> Mapping[str, Facts]:
        """What is known of the outputs of a node; of a subgraph's inside, at its first use."""
        prefix = step_prefix(self._document.workflow, level)
        return _NOTHING if prefix is None else self.facts.get(prefix + path, _NOTHING)

    def said_of(self, level: str, path: str) -> tuple[Diagnostic, ...]:
        """The diagnostics of a node, in the order of the document."""
        if self._by_node is None:
            found: dict[tuple[str, str], list[Diagnostic]] = {}
            for each in self.diagnostics:
                place = place_of(each.place)
                found.setdefault((place.level, place.node), []).append(each)
            self._by_node = {key: tuple(row) for key, row in found.items()}
        return self._by_node.get((level, path), ())

    def count(self, step: str, text: str, answer: Answer, *, plain: bool = False) -> None:
        """Have the tokens of a text counted as the text encoder linked to a step reads them.

        ``answer`` is called later, unless another text was asked of for this step meanwhile.
        """
        self._answers[step] = answer
        # Half of a character, as an input method may leave behind, cannot travel.
        whole = text.encode("utf-8", "replace").decode()
        order = CountTokens(self._document.id, step, whole, plain)
        self._helper.count(self._document.id, step, order)

    def close(self) -> None:
        """The document is closed."""
        self._document.changed.disconnect(self._ask)
        self._document.saved.disconnect(self._ask)
        self._helper.told.disconnect(self._hear)
        self._helper.counted.disconnect(self._hear_count)
        self._helper.forget(self._document.id)

    def _ask(self, *_: object, fresh: bool = False) -> None:
        path = self._document.session.path
        base = path.absolute().parent if path is not None else Path.home()
        grants = (base, *self._grants) if path is not None else self._grants
        self._helper.check(self._document.id, self._document.workflow, base, grants, fresh)

    def _hear(self, document: str, news: News) -> None:
        if document != self._document.id:
            return
        self._seen, self._known, self.sentence = news.workflow, True, news.sentence
        if news.sentence:
            self.ok = False
            self.checked.emit(frozenset())
            return
        steps = frozenset([*news.facts, *news.gone])
        if news.whole:
            steps |= frozenset(self.facts)
            self.facts = MappingProxyType(dict(news.facts))
        elif steps:
            kept = {**self.facts, **news.facts}
            for step in news.gone:
                kept.pop(step, None)
            self.facts = MappingProxyType(kept)
        if news.diagnostics is not None:
            self.diagnostics, self._by_node = news.diagnostics, None
        self.ok = news.ok
        self.checked.emit(steps)

    def _hear_count(self, document: str, step: str, counted: Counted) -> None:
        if document == self._document.id and step in self._answers:
            self._answers.pop(step)(counted)
