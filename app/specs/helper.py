"""The process of checks as the window uses it: asked from one thread, answers by signals."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import QObject, Signal

from backend.engine.checks.wire import (
    AskForecast,
    Begin,
    CheckDocument,
    Counted,
    CountTokens,
    Forecast,
    Forget,
    PlainFacts,
    Told,
    read_specs,
)
from backend.graph.diagnostics import Diagnostic
from backend.graph.document import Workflow
from backend.graph.facts import Facts
from backend.graph.shape import Misfit

if TYPE_CHECKING:  # loaded by the thread, when the window is seen
    from backend.engine.checks.client import ChecksProcess

TRIES = 2
"""How often a process may end over one document before that is left alone until it is edited."""

LOOK = 0.05
"""Seconds between two questions whether a forecast is known."""
LONGEST = 30.0
"""Seconds after which a forecast is not waited for any more."""


@dataclass(frozen=True)
class News:
    """What a check says anew of a document: facts of steps that changed, steps that are gone, and
    all diagnostics where they are not as before. ``whole``: what was known before counts no more.
    ``workflow`` is the document that was checked; ``sentence`` says why there are no news."""

    workflow: Workflow
    facts: Mapping[str, Mapping[str, Facts]] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] | None = None
    ok: bool = False
    whole: bool = False
    sentence: str = ""


@dataclass
class _Wish:
    """The newest state of a document that waits to be checked."""

    workflow: Workflow
    base: Path
    grants: tuple[Path, ...]
    fresh: bool = False
    tries: int = 0


@dataclass
class _Question:
    """A forecast that is wanted, and since when it is being found out."""

    order: AskForecast
    since: float | None = None


class Helper(QObject):
    """Holds the process of checks, and begins another where it ends.

    Of each document only the newest state waits; what was edited meanwhile is never checked.
    """

    types = Signal(object, object)
    """Node types by their id, and sentences on what cannot be used (``SpecBook.take``)."""
    told = Signal(str, object)
    """A document's id, and ``News`` of it."""
    counted = Signal(str, object, object)
    """A document's id, the key of the question, and ``Counted``."""
    foretold = Signal(str, object)
    """A document's id, and ``Forecast``."""
    trouble = Signal(str)
    """Why nothing is checked at present; empty when all is well again."""

    def __init__(
        self,
        begin: Begin,
        patience: float | None = None,
        parent: QObject | None = None,
        *,
        later: bool = False,
    ) -> None:
        """The process starts at once, in a thread of its own; or ``later``, with ``start``.

        Args:
            begin: Which node types there are.
            patience: Seconds after which a process that does not answer is ended.
            parent: The owner.
        """
        super().__init__(parent)
        self._begin, self._patience = begin, patience
        self._more = threading.Condition()
        self._wishes: dict[str, _Wish] = {}
        self._last: dict[str, _Wish] = {}
        self._counts: dict[tuple[str, str], CountTokens] = {}
        self._forecasts: dict[str, _Question] = {}
        self._number = 0
        self._closed: list[str] = []
        self._over = self._anew = False
        self._process: ChecksProcess | None = None
        self._sent: dict[str, Workflow] = {}
        self._said = ""
        self._barren = 0  # processes in a row that ended before they had said what nodes there are
        self._thread = threading.Thread(target=self._work, name="weft-checks", daemon=True)
        if not later:
            self.start()

    def start(self) -> None:
        """Begin, where it has not."""
        if self._thread.ident is None and not self._over:
            self._thread.start()

    @property
    def pid(self) -> int | None:
        """The number of the process, while there is one."""
        process = self._process
        return process.pid if process is not None else None

    def check(
        self,
        document: str,
        workflow: Workflow,
        base: Path,
        grants: tuple[Path, ...] = (),
        fresh: bool = False,
    ) -> None:
        """Have a document checked; ``told`` follows. ``fresh``: look into all its files again."""
        with self._more:
            old = self._wishes.pop(document, None)
            fresh = fresh or (old is not None and old.fresh)
            wish = _Wish(workflow, base, grants, fresh)
            self._wishes[document] = self._last[document] = wish
            self._more.notify()

    def count(self, document: str, key: str, order: CountTokens) -> None:
        """Have tokens counted; ``counted`` follows. A newer question of the same key counts."""
        with self._more:
            self._counts[document, key] = order
            self._more.notify()

    def forecast(self, order: AskForecast) -> None:
        """Have it told what a run of a document would do with the memory; ``foretold`` follows,
        unless it is asked for anew meanwhile. No check waits for it."""
        with self._more:
            self._number += 1
            numbered = msgspec.structs.replace(order, number=self._number)
            self._forecasts[order.document] = _Question(numbered)
            self._more.notify()

    def forget(self, document: str) -> None:
        """A document was closed."""
        with self._more:
            self._forecasts.pop(document, None)
            self._wishes.pop(document, None)
            self._last.pop(document, None)
            for key in [key for key in self._counts if key[0] == document]:
                del self._counts[key]
            self._closed.append(document)
            self._more.notify()

    def restart(self) -> None:
        """Begin another process, which checks all documents anew: other packs are trusted, or node
        files have changed."""
        with self._more:
            self._anew = True
            process = self._process
            self._more.notify()
        if process is not None:
            process.end()

    def close(self) -> None:
        """End the process and the thread."""
        with self._more:
            self._over = True
            process = self._process
            self._more.notify()
        if process is not None:
            process.end()
        if self._thread.ident is not None:
            self._thread.join(10.0)

    def _work(self) -> None:
        from backend.engine.checks.client import Gone

        while True:
            with self._more:
                looks = self._process is not None and self._forecasts
                self._more.wait_for(lambda: self._over or self._has_work(), LOOK if looks else None)
                if self._over:
                    break
                anew, self._anew = self._anew, False
                if anew:
                    for document, wish in self._last.items():
                        wish.tries = 0
                        self._wishes.setdefault(document, wish)
            if anew:
                self._barren = 0
                self._lose("")
            try:
                if self._process is None:
                    self._start()
                else:
                    self._serve()
            except Gone as gone:
                self._lose(str(gone))
        self._lose("")

    def _has_work(self) -> bool:
        """Whether there is something to do; a process that does not start is tried on demand."""
        waiting = bool(self._wishes or self._counts or self._closed)
        waiting |= any(question.since is None for question in self._forecasts.values())
        return self._anew or waiting or (self._process is None and self._barren < TRIES)

    def _start(self) -> None:
        from backend.engine.checks.client import PATIENCE, ChecksProcess, Gone

        try:
            process = ChecksProcess(self._begin, self._patience or PATIENCE)
        except Gone as gone:
            self._barren += 1
            if self._barren >= TRIES:
                self._give_up(str(gone))
            raise
        self._barren = 0
        with self._more:
            self._process = process
            over = self._over
        if over:
            return
        self.types.emit(read_specs(process.types.specs), process.types.problems)
        if self._said:
            self._say("")

    def _serve(self) -> None:
        """Do what waits first: what was closed, a document, a question."""
        with self._more:
            closed, self._closed = self._closed, []
            document = next(iter(self._wishes), None)
            wish = self._wishes.pop(document) if document is not None else None
            count = next(iter(self._counts), None) if wish is None else None
            question = self._counts.pop(count) if count is not None else None
            foretold = {} if wish is not None or count is not None else dict(self._forecasts)
        assert self._process is not None
        for name in closed:
            if self._sent.pop(name, None) is not None:
                self._process.ask(Forget(name))
        if document is not None and wish is not None:
            self._check(self._process, document, wish)
        elif count is not None and question is not None:
            answer = self._process.ask(question)
            self.counted.emit(*count, answer)
        for name, wanted in foretold.items():
            self._foretell(self._process, name, wanted)

    def _foretell(self, process: ChecksProcess, document: str, wanted: _Question) -> None:
        """Ask for a forecast, or whether it is known by now."""
        found = process.ask(wanted.order)
        assert isinstance(found, Forecast)
        now = time.monotonic()
        with self._more:
            if self._forecasts.get(document) is not wanted:
                return
            wanted.since = wanted.since or now
            if found.going and now - wanted.since < LONGEST:
                return
            del self._forecasts[document]
        late = f"It takes more than {LONGEST:g} s to say what this run needs, so it is not said."
        self.foretold.emit(document, Forecast(wrong=late) if found.going else found)

    def _check(self, process: ChecksProcess, document: str, wish: _Wish) -> None:
        from backend.engine.checks.client import Gone
        from backend.engine.checks.patch import patch_between

        before = self._sent.get(document)
        try:
            patch = patch_between(before, wish.workflow)
            order = CheckDocument(
                document, patch, str(wish.base), tuple(map(str, wish.grants)), wish.fresh
            )
            told = process.ask(order)
        except (Misfit, TypeError, ValueError) as error:
            said = f"This document cannot be checked: {error}."
            self.told.emit(document, News(wish.workflow, sentence=said))
            return
        except Gone as gone:
            self._again(document, wish, str(gone))
            raise
        assert isinstance(told, Told)
        if told.wrong:
            self._sent.pop(document, None)
            self.told.emit(document, News(wish.workflow, sentence=told.wrong))
            return
        self._sent[document] = wish.workflow
        facts = {step: _read(known) for step, known in told.facts.items()}
        news = News(
            wish.workflow, facts, told.gone, told.diagnostics, told.ok, whole=before is None
        )
        self.told.emit(document, news)
        if self._said:
            self._say("")

    def _again(self, document: str, wish: _Wish, sentence: str) -> None:
        """Ask once more with another process, unless this document ends each of them."""
        with self._more:
            wish.tries += not self._anew
            if wish.tries < TRIES:
                self._wishes.setdefault(document, wish)
                return
        self.told.emit(document, News(wish.workflow, sentence=sentence))

    def _give_up(self, sentence: str) -> None:
        """No process can be had: say so of all that waits, and try again at the next edit."""
        with self._more:
            wishes, counts = self._wishes, self._counts
            self._wishes, self._counts, self._closed = {}, {}, []
        self._drop_forecasts(sentence)
        for document, wish in wishes.items():
            self.told.emit(document, News(wish.workflow, sentence=sentence))
        for document, key in counts:
            self.counted.emit(document, key, Counted(sentence=sentence))

    def _drop_forecasts(self, sentence: str) -> None:
        with self._more:
            dropped, self._forecasts = self._forecasts, {}
        for document in dropped:
            self.foretold.emit(document, Forecast(wrong=sentence))

    def _lose(self, sentence: str) -> None:
        """Let go of the process; an empty sentence where that was wanted."""
        with self._more:
            process, self._process = self._process, None
            quiet = self._over or self._anew or not sentence
        if not quiet:  # it may be a forecast that ended it
            self._drop_forecasts(sentence)
        self._sent.clear()
        if process is not None:
            process.close()
        if not quiet:
            self._say(sentence)

    def _say(self, sentence: str) -> None:
        self._said = sentence
        self.trouble.emit(sentence)


def _read(known: Mapping[str, PlainFacts]) -> Mapping[str, Facts]:
    return {
        output: Facts(
            one.type,
            MappingProxyType({name: _value(value) for name, value in one.known.items()}),
            one.is_list,
            one.length,
        )
        for output, one in known.items()
    }


def _value(value: Any) -> Any:
    return tuple(map(_value, value)) if isinstance(value, list) else value
