"""What a host computes with: node types, engines, the cache, loaded models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.engine.cancel import Cancel
from backend.engine.context import Components
from backend.engine.disk.layered import make_cache
from backend.engine.engine import Engine, InvalidWorkflow, RunResult, make_store
from backend.engine.events import Event
from backend.engine.host.device import device_for
from backend.engine.host.outbox import Outbox
from backend.engine.outlook import VALUES
from backend.engine.packs import load_trusted
from backend.engine.queue.ledger import Ledger
from backend.engine.registry import NodeFileError, NodeRegistry, scan_nodes
from backend.engine.wire import JobEnd, RunJob, Setup
from backend.graph.diagnostics import Diagnostic
from backend.graph.document import Workflow
from backend.graph.format import FormatError, parse
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.media.spool import Spool
from backend.models.store import Coming
from backend.plan.ahead import Turn, by_weights, turns_ahead
from backend.plan.measured import FILE, Measured
from backend.plan.memory import USUAL_DISK
from backend.plan.needs import Component, Needs
from backend.plan.residency.model import Budget
from backend.sdk import NodeType
from backend.values import Data, Weights

LOOK, LOOK_TIGHT = 0.5, 10.0
"""Seconds that jobs which wait are looked at before the first of them begins: while all their
models fit together, and where they do not."""


class Workplace:
    """Runs jobs one after the other. What it loads and remembers stays for the next."""

    def __init__(self, setup: Setup) -> None:
        """Import the node types; whatever is heavy waits for a job."""
        folder = Path(setup.cache_folder)
        self._setup = setup
        self._registry, self.errors = _node_types(setup)
        self._cache = make_cache(folder, setup.memory, setup.disk, setup.costly)
        self._spool = Spool(folder / "spool")
        self._outbox = Outbox(folder / "values")
        self._models: dict[str, _Models] = {}
        self._measured = Measured(folder / FILE)
        self._engine: tuple[object, Engine] | None = None
        self._last = ""
        self._values: Mapping[str, Mapping[str, Data]] = {}

    def run(self, job: RunJob, on_event: Callable[[Event], None], cancel: Cancel) -> JobEnd:
        """Run a job to its end; ``on_event`` as in ``Engine.run``."""
        begin = time.perf_counter()
        self._last, self._values = job.id, {}
        try:
            workflow = parse(job.workflow, "the workflow of the job")
        except FormatError as error:
            wrong = Diagnostic(error.code, "error", error.place, error.sentence)
            return JobEnd(job.id, "invalid", diagnostics=(wrong,))
        device = device_for(self._setup.device, workflow, self._registry.specs)
        with self._engine_for(job, device) as engine:
            if not job.compute and not _remembers(engine, workflow, job.only):
                return JobEnd(job.id, "done")
            result = engine.run(
                workflow, only=job.only, seed=job.seed, on_event=on_event, cancel=cancel
            )
        self._values = result.values
        return _end(job, result, time.perf_counter() - begin)

    def arrange(self, jobs: Sequence[RunJob]) -> tuple[tuple[Turn, ...], int]:
        """Which steps of jobs that wait are best taken before the first is run, and how many jobs
        that was told from: where they take long to look at, the first ones."""
        begin, device, needs = time.monotonic(), "", list[Needs]()
        components: dict[str, Component] = {}
        for job in jobs:
            place, found = self._needs(job)
            device = device or place
            # Steps that save, and what computes elsewhere, wait for their turn.
            saves = any(self._registry.specs[need.type].effect for need in found.needs)
            needs.append(Needs() if place != device or saves else found)
            components |= needs[-1].components
            held = sum(component.held for component in components.values())
            budget = self._budget(device) if components else 0
            if time.monotonic() - begin > (LOOK if held <= budget else LOOK_TIGHT):
                break
        room = min(VALUES, self._setup.memory // 2)
        if not components or not room:
            return (), len(needs)
        seconds = {name: each.stored / USUAL_DISK for name, each in components.items()}
        return turns_ahead(needs, Budget(budget, room), seconds), len(needs)

    def _needs(self, job: RunJob) -> tuple[str, Needs]:
        """Where a job would compute and what it would need; nothing where it has errors."""
        try:
            workflow = parse(job.workflow, "the workflow of the job")
            device = device_for(self._setup.device, workflow, self._registry.specs)
            with self._engine_for(job, device) as engine:
                return device, by_weights(engine.needs_apart(workflow, only=job.only))
        except (FormatError, InvalidWorkflow):
            return "", Needs()

    def _budget(self, device: str) -> int:
        return self._models_on(device).budget

    def _models_on(self, device: str) -> _Models:
        setup = self._setup
        made = _Models(device, setup.models, setup.host_memory)
        return self._models.setdefault(device, made)

    def value_file(self, job: str, step: str, output: str) -> Path:
        """Put an output of the last job into a file for the client.

        Raises:
            LookupError: it is not there.
            OSError: it cannot be written.
        """
        if job != self._last:
            raise LookupError(job)
        return self._outbox.put(self._values[step][output])

    def close(self) -> None:
        """Let go of everything, and leave nothing behind in the cache folder."""
        self._values = {}
        if self._engine is not None:
            self._engine[1].close()
        self._cache.close()
        self._measured.close()
        for models in self._models.values():
            models.close()
        self._spool.close()
        self._outbox.close()

    @contextmanager
    def _engine_for(self, job: RunJob, device: str) -> Iterator[Engine]:
        """The last job's engine where it fits, since it knows that document; else a new one."""
        if job.ledger is not None and job.job is not None:
            ledger = Ledger(Path(job.ledger), job.job)
            engine = self._new_engine(job, device, ledger)
            try:
                yield engine
            finally:
                engine.close()
                ledger.close()
            return
        kind = (job.base, job.grants, job.output, job.use_cache, device)
        if self._engine is not None and self._engine[0] != kind:
            self._engine[1].close()
            self._engine = None
        if self._engine is None:
            self._engine = kind, self._new_engine(job, device, None)
        yield self._engine[1]

    def _new_engine(self, job: RunJob, device: str, ledger: Ledger | None) -> Engine:
        return Engine(
            self._registry,
            grants=Grants(Path(job.base), tuple(map(Path, job.grants))),
            output=OutputFolder(Path(job.output)),
            cache=self._cache,
            use_cache=job.use_cache,
            store=self._models_on(device),
            spool=self._spool,
            device=device,
            threads=self._setup.threads or None,
            embed=self._setup.embed,
            ledger=ledger,
            pictures=self._setup.pictures,
            memory=self._setup.models,
            measured=self._measured,
        )


def _remembers(engine: Engine, workflow: Workflow, only: Sequence[str]) -> bool:
    """Whether a run would compute nothing."""
    try:
        plan = engine.plan(workflow, only=only)
    except InvalidWorkflow:
        return True  # the run says what is wrong
    return not plan.run and not plan.maybe


class _Models:
    """The loaded models of one device, whose store is made when the first is wanted."""

    def __init__(self, device: str, budget: int, host: int) -> None:
        self._device, self._budget, self._host = device, budget, host
        self._store: Components | None = None

    @property
    def held(self) -> Components:
        """The store."""
        if self._store is None:
            self._store = make_store(self._device, self._budget, self._host)
        return self._store

    @property
    def budget(self) -> int:
        """Bytes for weights and what steps compute in."""
        return self.held.budget

    @property
    def short(self) -> int:
        """Bytes that the step is thought to compute in beyond its budget."""
        return 0 if self._store is None else self._store.short

    @property
    def nbytes(self) -> int:
        """Bytes of what is loaded."""
        return 0 if self._store is None else self._store.nbytes

    @property
    def waited(self) -> float:
        """Seconds that computing has waited for weights, in all."""
        return 0.0 if self._store is None else self._store.waited

    @property
    def read(self) -> tuple[int, float]:
        """Bytes of weights that were read, in all, and the seconds that took."""
        return (0, 0.0) if self._store is None else self._store.read

    def get(self, weights: Weights, device: str, check: Callable[[], None]) -> Any:
        """The loaded component behind a reference."""
        return self.held.get(weights, device, check)

    def expect(self, step: Sequence[Coming], later: Sequence[Coming], device: str) -> None:
        """A step begins that computes with some components, and after it others do."""
        self.held.expect(step, later, device)

    def leave(self) -> None:
        """The step is over."""
        self.held.leave()

    def resident(self) -> Mapping[str, int]:
        """Bytes that are loaded, by what people call it."""
        return {} if self._store is None else self._store.resident()

    def clear(self) -> None:
        """Let go of all weights."""
        if self._store is not None:
            self._store.clear()

    def close(self) -> None:
        """Let go of everything."""
        if self._store is not None:
            self._store.close()


def _node_types(setup: Setup) -> tuple[NodeRegistry, tuple[str, ...]]:
    """Weft's node types, those of trusted packs and those of further folders; and what is wrong."""
    packs, problems = load_trusted(Path(setup.data_folder)) if setup.data_folder else ([], [])
    registry = scan_nodes(packs=packs)
    if setup.nodes:
        registry = _together([registry, *(scan_nodes(Path(folder)) for folder in setup.nodes)])
    return registry, (*problems, *(error.sentence for error in registry.errors))


def _together(registries: Sequence[NodeRegistry]) -> NodeRegistry:
    """One registry of several; of two node types with one id the first stays."""
    types: dict[str, NodeType] = {}
    errors = [error for registry in registries for error in registry.errors]
    for registry in registries:
        for name in registry.specs:
            if name in types:
                errors.append(NodeFileError(name, f"Two node files declare {name!r}. Rename one."))
            types.setdefault(name, registry.type(name))
    return NodeRegistry(types.values(), errors)


def _end(job: RunJob, result: RunResult, seconds: float) -> JobEnd:
    outputs = [
        (step, name, _type_name(value))
        for step, made in result.values.items()
        for name, value in made.items()
    ]
    return JobEnd(
        id=job.id,
        status=result.status,
        failures=dict(result.failures),
        saved=result.saved,
        kept=result.kept,
        seconds=seconds,
        seeds=dict(result.seeds),
        diagnostics=result.diagnostics,
        outputs=tuple(outputs),
    )


def _type_name(value: Data) -> str:
    if isinstance(value, list) and value:
        return f"list[{type(value[0]).__name__}]"
    return type(value).__name__
