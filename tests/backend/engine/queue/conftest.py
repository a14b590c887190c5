"""A queue in an empty folder, jobs to put into it, and clients that compute them right here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.engine.cancel import Cancel
from backend.engine.client import Crash, JobOutcome
from backend.engine.engine import Engine
from backend.engine.events import RunStarted
from backend.engine.queue.job import Draft, Job
from backend.engine.queue.ledger import Ledger
from backend.engine.queue.runner import Runner
from backend.engine.queue.store import Queue
from backend.engine.registry import NodeRegistry
from backend.engine.wire import RunJob
from backend.graph.format import parse
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder, sidecar_of
from backend.sdk import Context, FilePath, NameTemplate, NodeType, SeedParam, UserError, node


def node_types() -> list[NodeType]:
    """Nodes that write what they are told, so that files can be compared."""

    @node(category="Test")
    def words(ctx: Context, text: str = "a b") -> list[str]:
        """The words of a text, one by one."""
        return text.split()

    @node(category="Test")
    def noise(ctx: Context, seed: SeedParam = 0) -> str:
        """The seed as text."""
        return str(seed)

    @node(category="Test", lane="file")
    def read(ctx: Context, path: FilePath = "") -> str:
        """A text from a file."""
        return ctx.read(path).read_text()

    @node(category="Test")
    def refuse(ctx: Context, text: str = "no") -> str:
        """Fail."""
        raise UserError(f"It does not want to: {text}.")

    @node(category="Test", effect=True, lane="file")
    def write(
        ctx: Context,
        text: str,
        name: NameTemplate = "file",
        overwrite: str = "number",
        folder: bool = False,
        beside: bool = False,
    ) -> None:
        """Save a text, in a folder or with a sidecar, if that is asked."""

        def fill(path: Path, provenance: Any) -> None:
            if folder:
                (path / "text").write_text(text)
                return
            path.write_text(text)
            if beside:
                sidecar_of(path).write_text(f"tells of {text}")

        if folder:
            ctx.save_folder(name, fill, overwrite=overwrite)
        else:
            ctx.save(name, ".txt", fill, overwrite=overwrite)

    return [kind for kind in locals().values() if isinstance(kind, NodeType)]


def document(nodes: dict[str, Any], **more: Any) -> str:
    """The text of a workflow; ``version`` may be left out of its nodes."""
    full = {name: {"version": 1, **each} for name, each in nodes.items()}
    return json.dumps({"weft": 1, "nodes": full, **more})


NOTHING = document({"make": {"type": "words"}})


def saying(text: str, **params: Any) -> str:
    """A workflow that saves each word of a text in a file of its own."""
    return document(
        {
            "make": {"type": "words", "params": {"text": text}},
            "keep": {"type": "write", "params": params, "inputs": {"text": "make.texts"}},
        }
    )


class Here:
    """Computes jobs in this process, as a host does in its own."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.closed = False

    def run(self, job: RunJob, on_event: Any, cancel: Cancel | None) -> JobOutcome:
        self.ran.append(job.id)
        assert job.ledger is not None
        assert job.job is not None
        grants = Grants(Path(job.base), tuple(map(Path, job.grants)))
        ledger = Ledger(Path(job.ledger), job.job)
        output = OutputFolder(Path(job.output))
        engine = Engine(NodeRegistry(node_types()), grants=grants, output=output, ledger=ledger)
        try:
            workflow = parse(job.workflow, "job")
            result = engine.run(workflow, only=job.only, on_event=on_event, cancel=cancel)
        finally:
            engine.close()
            ledger.close()
        told = ("status", "failures", "saved", "kept", "seconds", "seeds", "diagnostics")
        return JobOutcome(**{name: getattr(result, name) for name in told})

    def arrange(self, jobs: Any, cancel: Cancel) -> tuple[tuple[()], int]:
        return (), len(jobs)

    def close(self) -> None:
        self.closed = True


class Crashing(Here):
    """A host that dies with the jobs of some numbers, ``early`` before they have begun."""

    def __init__(self, *numbers: int, times: int = 1000, early: bool = False) -> None:
        super().__init__()
        self.numbers, self.times, self.early = numbers, times, early

    def run(self, job: RunJob, on_event: Any, cancel: Cancel | None) -> JobOutcome:
        if int(job.id.partition(":")[0]) in self.numbers and self.times:
            self.times -= 1
            self.ran.append(job.id)
            if not self.early:
                on_event(RunStarted(1, {}))
            return JobOutcome("crashed", crash=Crash((), "The host was killed.", signal=9))
        return super().run(job, on_event, cancel)


class Waiting(Here):
    """A host whose jobs go on until they are cancelled; it calls ``begun`` first."""

    def __init__(self, begun: Callable[[RunJob], None]) -> None:
        super().__init__()
        self.begun = begun

    def run(self, job: RunJob, on_event: Any, cancel: Cancel | None) -> JobOutcome:
        import threading

        assert cancel is not None
        self.ran.append(job.id)
        over = threading.Event()
        remove = cancel.on_cancel(over.set)
        self.begun(job)
        assert over.wait(10)
        remove()
        return JobOutcome("cancelled")


class Heard:
    """What a runner said."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.pauses = 0

    def begun(self, job: Job) -> None:
        self.said.append(("begun", job.id))

    def event(self, job: Job, event: Any) -> None:
        pass

    def ended(self, job: Job, state: str, ending: Any) -> None:
        self.said.append((state, job.id))

    def paused(self) -> None:
        self.pauses += 1


class Shop:
    """A queue and what is around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.queue = Queue(folder / "queue.sqlite")

    def draft(self, text: str = NOTHING, **more: Any) -> Draft:
        draft = Draft(text, str(self.folder), str(self.out), (str(self.folder),), title="a job")
        return replace(draft, **more)

    def add(self, text: str = NOTHING, **more: Any) -> int:
        (number,) = self.queue.add([self.draft(text, **more)])
        return number

    def line(self) -> list[int]:
        return [job.id for job in self.queue.jobs()]

    def state(self, number: int) -> str:
        return self.queue.job(number).state

    def work(
        self,
        client: Any = None,
        *,
        stop: Cancel | None = None,
        heard: Heard | None = None,
        **how: Any,
    ) -> Heard:
        heard = heard or Heard()
        client = client or Here()
        Runner(self.queue, lambda: client, heard, **how).work(stop or Cancel())
        return heard

    def files(self) -> dict[str, str]:
        found = (path for path in self.out.rglob("*") if path.is_file())
        return {p.relative_to(self.out).as_posix(): p.read_text() for p in sorted(found)}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.queue.close()
