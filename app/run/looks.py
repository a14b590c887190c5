"""Looking at the value of any output, from what the hosts remember."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from queue import SimpleQueue
from typing import TYPE_CHECKING

from app.run.mailbox import Mailbox
from app.run.places import inside
from app.run.worker import Worker
from app.words import tr
from backend.graph.document import BOUNDARY, Graph, Workflow
from backend.graph.format import FormatError, dump

if TYPE_CHECKING:
    from backend.engine.cancel import Cancel
    from backend.values import Data


@dataclass(frozen=True, slots=True)
class Sight:
    """What is to be looked at: an output of a step of a document, as a job with these ``seeds``
    ran it. ``compute``: what is not remembered is computed; otherwise it is told."""

    workflow: Workflow
    step: str
    output: str
    base: str
    grants: tuple[str, ...]
    folder: str
    seeds: Mapping[str, int]
    compute: bool = False
    job: int = 0


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen.

    Attributes:
        value: The value, ``None`` where there is none; ``sentence`` then says why.
        type: The name of its type, ``list[Image]`` for a list of pictures.
        cached: Whether it was there; false where it would have to be computed.
        job: The number of the job that it comes from, 0 where that is not known.
    """

    step: str
    output: str
    value: Data | None = None
    type: str = ""
    sentence: str = ""
    cached: bool = False
    job: int = 0


class Looks:
    """One thread that looks, in the order in which it was asked."""

    def __init__(self, worker: Worker, mailbox: Mailbox) -> None:
        self._worker, self._mailbox = worker, mailbox
        self._asked: SimpleQueue[tuple[Sight, Cancel, Callable[[Looked], object]] | None]
        self._asked = SimpleQueue()
        self._newest: dict[str, Cancel] = {}
        self._numbers = count(1)
        self._thread: threading.Thread | None = None

    def ask(self, sight: Sight, then: Callable[[Looked], object], key: str) -> None:
        """Have ``then`` called with what is seen. Of two that are asked under one key the older is
        dropped; it is not told any more."""
        from backend.engine.cancel import Cancel

        cancel = Cancel()
        if key:
            self.drop(key)
            self._newest[key] = cancel
        if self._thread is None:
            self._thread = threading.Thread(target=self._go, name="weft-looks", daemon=True)
            self._thread.start()
        self._asked.put((sight, cancel, then))

    def drop(self, key: str) -> None:
        """What was asked under this key is not wanted any more."""
        older = self._newest.pop(key, None)
        if older is not None:
            older()

    def close(self) -> None:
        """Tell nothing more. The worker is closed after it."""
        for key in list(self._newest):
            self.drop(key)
        self._asked.put(None)

    def _go(self) -> None:
        while (asked := self._asked.get()) is not None:
            sight, cancel, then = asked
            if cancel.is_set:
                continue
            seen = self._look(sight, cancel)
            self._mailbox.post(_telling(then, seen, cancel))

    def _look(self, sight: Sight, cancel: Cancel) -> Looked:
        from backend.engine.client.values import NoValue
        from backend.engine.seeds import put_seeds
        from backend.engine.wire import RunJob

        seen = Looked(sight.step, sight.output, job=sight.job)
        found = source_of(sight.workflow, sight.step, sight.output)
        if found is None:
            said = tr("What is inside a zone is not kept by itself. Look at what the zone gives.")
            return replace(seen, sentence=said)
        try:
            text = dump(put_seeds(sight.workflow, sight.seeds))
            order = RunJob(
                f"look {next(self._numbers)}", text, sight.base, sight.grants, sight.folder,
                only=(found[0],), compute=sight.compute,
            )  # fmt: skip
            outcome, value = self._worker.look(order, cancel, found)
        except FormatError as error:
            return replace(seen, sentence=error.sentence)
        except NoValue as error:
            return replace(seen, sentence=str(error))
        types = {each[:2]: each[2] for each in outcome.outputs}
        if found in types:
            return replace(seen, value=value, type=types[found], cached=True)
        why = [failure.sentence for failure in outcome.failures.values()]
        why += [each.sentence for each in outcome.diagnostics if each.level == "error"]
        why += [outcome.error.sentence] if outcome.error is not None else []
        why += [outcome.crash.cause] if outcome.crash is not None else []
        missing = tr("This value is not there. Run the node to see it.")
        return replace(seen, sentence=(why or [missing])[0])


def source_of(workflow: Workflow, step: str, output: str) -> tuple[str, str] | None:
    """The step that gives an output, and its name there: for a use of a subgraph what gives it
    inside. ``None`` for what lies in a zone. A name that the document does not have stays."""
    graph, path = workflow.graph, ""
    parts = step.split("/")
    while parts:
        name = parts.pop(0)
        node = graph.nodes.get(name)
        path = f"{path}/{name}" if path else name
        if node is None:
            return step, output
        inner = inside(workflow, node)
        if inner is None:
            if parts and node.body is not None:
                return None
            graph = node.body or Graph()
            continue
        graph = workflow.subgraphs[inner].graph
        gives = graph.outputs.get(output)
        if not parts and gives is not None and gives.node != BOUNDARY:
            parts, output = [gives.node], gives.output
    return path, output


def _telling(
    then: Callable[[Looked], object], seen: Looked, cancel: Cancel
) -> Callable[[], object]:
    return lambda: None if cancel.is_set else then(seen)
