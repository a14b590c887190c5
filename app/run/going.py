"""What goes on: the steps of the open documents, the job that runs, and its record."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from app.run.board import Board, Live, Origin
from app.run.costs import Costs
from app.run.state import JobView
from app.run.timeline import Timeline
from app.run.words import running_sentence
from backend.engine.events import Event, Preview
from backend.graph.spec import NodeSpec

if TYPE_CHECKING:
    from backend.engine.queue.job import Job

TIMELINES = 20
"""Jobs whose timelines are kept."""


class Going:
    """Takes in what jobs say, in the order of its coming, and collects what it changes.

    ``origins`` tells what each job was made of; another thread may add to it.
    """

    def __init__(self, costs: Costs) -> None:
        self.costs = costs
        self.origins: dict[int, Origin] = {}
        self.boards: dict[str, Board] = {}
        self.timelines: dict[int, Timeline] = {}
        self.live: Live | None = None
        self.changed: dict[str, set[str]] = {}
        self.shown: set[tuple[str, str]] = set()
        self._pictures: dict[int, bytes] = {}

    @property
    def job(self) -> int:
        """The job that runs here; 0 for none."""
        return self.live.job if self.live is not None else 0

    @property
    def board(self) -> Board | None:
        """The document of the job that runs, where it is open."""
        origin = self.origins.get(self.job)
        return self.boards.get(origin.document) if origin is not None else None

    def expect(self, origin: Origin) -> None:
        """A job waits."""
        board = self.boards.setdefault(origin.document, Board(origin.document))
        self._note(board, board.expect(origin, self.costs))

    def begun(self, job: Job, now: float) -> str:
        """A job begins; the id of its document."""
        self.live = Live(job.id, now)
        origin = self.origins.get(job.id)
        document = origin.document if origin is not None else ""
        self.timelines[job.id] = Timeline(job.id, job.title, now, document)
        while len(self.timelines) > TIMELINES:
            del self.timelines[min(self.timelines)]
        board = self.board
        if board is not None and origin is not None:
            board.seeds = job.seeds
            self._note(board, board.begin(job.id, origin, self.costs))
        return document

    def heard(self, job: int, event: Event, now: float, specs: Mapping[str, NodeSpec]) -> None:
        """The job that runs says something."""
        if self.live is None or self.live.job != job:
            return
        self.live.hear(event)
        origin = self.origins.get(job)
        step = getattr(event, "step", "")
        spec = specs.get(origin.plan.get(step, "")) if origin is not None else None
        timeline = self.timelines[job]
        if spec is None:
            timeline.hear(event, now)
        else:
            timeline.hear(event, now, spec.lane, spec.category)
        if isinstance(event, Preview):
            self._pictures[job] = event.jpeg
        board = self.board
        if board is not None and board.hear(event, now, self.costs):
            self._note(board, (step,))
            if isinstance(event, Preview):
                self.shown.add((board.document, step))

    def ended(self, now: float, waiting: Collection[str]) -> None:
        """The job that runs is over; ``waiting`` are the steps that others wait with."""
        board, job, self.live = self.board, self.job, None
        if job in self.timelines:
            self.timelines[job].end(now)
        if board is not None:
            board.job = 0
            self._note(board, board.end(waiting))

    def withdrawn(self, document: str, job: int, waiting: Collection[str]) -> None:
        """A job has ended, which may never have begun here."""
        board = self.boards.get(document)
        if board is not None and board.last != job:
            self._note(board, board.end(waiting))

    def tick(self, now: float) -> None:
        """Time goes by."""
        board = self.board
        if board is not None:
            self._note(board, board.tick(now))

    def weigh(self, now: float, memory: int, device: int) -> None:
        """The host holds so many bytes, and its GPU."""
        if self.live is not None:
            self.timelines[self.live.job].sample(now, memory, device)
        board = self.board
        if board is not None:
            self._note(board, board.weigh(memory))

    def steps(self, jobs: Collection[int]) -> set[str]:
        """The steps of some jobs."""
        return {step for job in jobs if job in self.origins for step in self.origins[job].plan}

    def lively(self, view: JobView, now: float, specs: Mapping[str, NodeSpec]) -> JobView:
        """A job with its picture, and how far it is."""
        view = replace(view, picture=self._pictures.get(view.id, b""))
        live, board = self.live, self.board
        if live is None or live.job != view.id or view.status != "running":
            return view
        left = board.left(live, now, self.costs) if board is not None else None
        title = self._title_of(live, specs)
        said = running_sentence(title, view.wish, left if live.step else None)
        return replace(view, progress=live.progress, left=left, sentence=said)

    def tidy(self, kept: Collection[int]) -> None:
        """Forget jobs that are neither listed nor the last of an open document."""
        lasts = {self.job, *(board.last for board in self.boards.values()), *kept}
        newest = max(kept, default=0)
        for number in [n for n in self._pictures if n not in lasts]:
            del self._pictures[number]
        for number in [n for n in list(self.origins) if n not in lasts and n < newest]:
            del self.origins[number]

    def _title_of(self, live: Live, specs: Mapping[str, NodeSpec]) -> str:
        """What people call the step that is under way: its title, or that of its type."""
        origin = self.origins.get(live.job)
        if origin is None or not live.step:
            return live.step or live.said
        node = origin.workflow.graph.nodes.get(live.step)
        if node is not None and node.title:
            return node.title
        spec = specs.get(origin.plan.get(live.step, ""))
        return spec.title if spec is not None else live.step

    def _note(self, board: Board, steps: Collection[str]) -> None:
        if steps:
            self.changed.setdefault(board.document, set()).update(steps)
