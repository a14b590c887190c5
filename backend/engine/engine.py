"""The engine: one call runs a workflow in the caller's process."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from types import MappingProxyType
from typing import Literal

from backend.engine.cache import Cache, MemoryCache
from backend.engine.cancel import Cancel
from backend.engine.content import Contents
from backend.engine.context import Components, Facilities, Ledger
from backend.engine.desk import Outside, Shelf
from backend.engine.events import Event, Note, RunFinished
from backend.engine.frame import Frame
from backend.engine.gather import Shape, shape_of
from backend.engine.kit import Kit
from backend.engine.lanes import make_lanes
from backend.engine.lookup import HeaderLookup
from backend.engine.needs import device_budget, find_needs, host_budget, machine_budget, running
from backend.engine.numerics import Numerics, default_threads
from backend.engine.outlook import Outlook
from backend.engine.provenance import Provenance
from backend.engine.registry import NodeRegistry
from backend.engine.run import Run
from backend.engine.seeds import settle_seeds
from backend.engine.words import Failure
from backend.graph.caps import Caps
from backend.graph.check import Checked, Checker
from backend.graph.conversions import convert
from backend.graph.diagnostics import Diagnostic
from backend.graph.document import Workflow
from backend.graph.flat import FROM_ZONE
from backend.media.grants import Grants
from backend.media.name_fields import scalars_of
from backend.media.outputs import OutputFolder
from backend.media.spool import Spool
from backend.plan.forecast import Plan, forecast
from backend.plan.measured import Key, Measured
from backend.plan.memory import MemoryPlan, Speeds, plan_memory
from backend.plan.needs import Needs
from backend.plan.program import Compiler, Program
from backend.plan.residency.model import Budget
from backend.plan.result import Nothing
from backend.plan.survey import WANT, Desk, Survey
from backend.sdk import Saved
from backend.values import Data

Status = Literal["done", "failed", "cancelled", "invalid"]
DEFAULT_BUDGET = 2 * 2**30


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    ``values`` are the outputs of the wanted steps that have them, by step and output; ``failures``
    the steps that failed; ``saved`` the files that were written, ``kept`` those of cached steps,
    which still stand as they were; ``seeds`` those drawn or set, by ``node.param``. ``invalid``
    means that the workflow has errors (see ``diagnostics``) and nothing ran.
    """

    status: Status
    values: Mapping[str, Mapping[str, Data]] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    saved: tuple[Saved, ...] = ()
    kept: tuple[Saved, ...] = ()
    seconds: float = 0.0
    seeds: Mapping[str, int] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()


class InvalidWorkflow(Exception):
    """A plan was asked for of a workflow with errors."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("; ".join(d.sentence for d in diagnostics if d.level == "error"))
        self.diagnostics = diagnostics


def _ignore(event: Event) -> None:
    """What becomes of events that nobody asked for."""


class Engine:
    """Runs workflows, one at a time, and remembers results between runs.

    What it knows of the last document makes the next run of an edited one cheap. Its methods may
    be called from any thread; a second run waits for the first.
    """

    def __init__(
        self,
        registry: NodeRegistry,
        *,
        grants: Grants,
        output: OutputFolder,
        cache: Cache | None = None,
        use_cache: bool = True,
        store: Components | None = None,
        spool: Spool | None = None,
        device: str = "cpu",
        threads: int | None = None,
        caps: Caps | None = None,
        embed: bool = True,
        ledger: Ledger | None = None,
        pictures: bool = False,
        measured: Measured | None = None,
        memory: int = 0,
        host_memory: int = 0,
    ) -> None:
        """Nothing heavy happens here.

        Args:
            registry: The node types.
            grants: What may be read.
            output: Where files are written.
            cache: Where results are remembered; one in memory of ``DEFAULT_BUDGET`` bytes if not
                given. Whoever gives one closes it.
            use_cache: Without it every step runs, and nothing is remembered.
            store: Loaded models; made when first wanted if not given.
            spool: Where frames of videos lie; the user's cache folder if not given.
            device: ``cpu`` or ``cuda:N``.
            threads: Of torch on the CPU; part of the identity of what device nodes give.
            caps: Limits on expansion and lists.
            embed: Whether saved files tell how they were made; part of the identity of a step
                that saves.
            ledger: Where the outputs of a job are noted, so that a second attempt at it does not
                write them again.
            pictures: Whether every step that gives a picture shows it.
            measured: What steps took on this machine; nothing is known if not given.
            memory: Bytes of the device for models and what they compute in; 0 for what the
                machine offers. A store that is given has its own, and its own host memory.
            host_memory: Bytes in which weights wait for a GPU; 0 for half of what is free.
        """
        self.registry = registry
        self.cache: Cache = cache if cache is not None else MemoryCache(DEFAULT_BUDGET)
        self.caps = caps or Caps()
        self.measured = measured or Measured(None)
        self._memory, self._host_memory = memory, host_memory
        self._known: set[Key] = set()
        self.numerics = Numerics(device, threads or default_threads())
        self._use_cache = use_cache
        self._given_store = store
        self._contents = Contents()
        self._facilities = Facilities(
            grants,
            output,
            device,
            lambda: self._store,
            spool or Spool(),
            ledger=ledger,
            pictures=pictures,
        )
        self._checker = Checker(registry, HeaderLookup(grants), self.caps)
        self._embed = embed
        self._compiler = Compiler(registry, self.numerics.of, "" if embed else ";bare")
        workers = max(2, min(8, os.cpu_count() or 2))
        self._lanes = make_lanes(workers, 2, self.numerics.begin_device)
        self._costs: dict[tuple[str, int], float] = {}
        self._shapes: dict[str, Shape] = {}
        self._lock = threading.Lock()

    def check(self, workflow: Workflow, only: Sequence[str] = ()) -> Checked:
        """Check a document; cheap where it differs little from the last one."""
        with self._lock:
            return self._checker.check(workflow, tuple(only) or None)

    def plan(self, workflow: Workflow, *, only: Sequence[str] = ()) -> Plan:
        """What a run would do. Runs no node; reads the files that parameters name.

        Seeds at ``random`` are taken as new.

        Raises:
            InvalidWorkflow: it has errors.
        """
        with self._lock:
            return self._forecast(workflow, only)[0]

    def memory_plan(
        self,
        workflow: Workflow,
        *,
        only: Sequence[str] = (),
        budget: Budget | None = None,
        device: str | None = None,
    ) -> MemoryPlan:
        """What a run would load and let go of, and when, and whether it fits. Runs no node; of
        models it reads the headers.

        Args:
            workflow: The document.
            only: Ids of nodes, as for ``run``.
            budget: The memory that it may take; by default what an engine takes of this machine.
            device: Where it would compute, by default on the engine's; with a budget it need not
                be there.

        Raises:
            InvalidWorkflow: it has errors.
        """
        place = device or self._facilities.device
        return plan_memory(
            self.needs(workflow, only=only, device=place),
            budget or machine_budget(place),
            place,
            Speeds.of(self.measured, place),
        )

    def needs(
        self, workflow: Workflow, *, only: Sequence[str] = (), device: str | None = None
    ) -> Needs:
        """What the steps that a run would make need of memory, as ``memory_plan`` takes it.

        Raises:
            InvalidWorkflow: it has errors.
        """
        with self._lock:
            plan, survey, checked = self._forecast(workflow, only)
            steps = running(plan, survey.program)
            return self._needs(survey, checked, steps, device or self._facilities.device)

    def needs_apart(self, workflow: Workflow, *, only: Sequence[str] = ()) -> Needs:
        """As ``needs``, of a workflow whose steps may be run one by one before it is: nothing where
        it has zones, a lazy step has yet to choose its inputs, or one reads from what saves.

        Raises:
            InvalidWorkflow: it has errors.
        """
        with self._lock:
            plan, survey, checked = self._forecast(workflow, only)
            program, steps = survey.program, running(plan, survey.program)
            for i in steps:
                unit = program.units[i]
                undecided = unit.lazy and i not in survey.decided
                if undecided or unit.body is not None or (unit.effect and program.users[i]):
                    return Needs()
            return self._needs(survey, checked, steps, self._facilities.device)

    def _needs(self, survey: Survey, checked: Checked, steps: Sequence[int], device: str) -> Needs:
        grants = self._facilities.grants
        found = find_needs(self.registry, grants, checked.facts, survey, steps, device)
        return found.corrected(self.measured)

    def _forecast(self, workflow: Workflow, only: Sequence[str]) -> tuple[Plan, Survey, Checked]:
        """What a run would do, and what that is told from."""
        workflow, _ = settle_seeds(workflow, self.registry.specs)
        checked = self._checker.check(workflow, tuple(only) or None)
        if checked.flat is None:
            raise InvalidWorkflow(checked.diagnostics)
        program = self._compiler.compile(checked.flat)
        grants = self._facilities.grants
        fields = lru_cache(1)(partial(scalars_of, workflow, self.registry.specs, grants))
        outside = Outside(self._facilities, self._contents, Cancel(), fields)
        survey = Survey(program, self._desk(outside))
        return forecast(survey, roots_of(program, only)), survey, checked

    def run(
        self,
        workflow: Workflow,
        *,
        only: Sequence[str] = (),
        seed: int | None = None,
        on_event: Callable[[Event], None] = _ignore,
        cancel: Cancel | None = None,
    ) -> RunResult:
        """Run what a workflow is for, or only what some nodes need.

        Args:
            workflow: The document. Seeds at ``random`` are drawn now.
            only: Ids of nodes; by default all nodes with an effect, or where there are none, all
                whose outputs nobody uses.
            seed: Sets every seed parameter that no link feeds.
            on_event: Gets each event, always in the calling thread.
            cancel: Ends the run early.

        A node that fails is told in the result; nothing that a node does is raised.
        """
        with self._lock:
            return self._run(workflow, only, seed, on_event, cancel or Cancel())

    def close(self) -> None:
        """End all threads, and let go of models."""
        with self._lock:
            for workers in self._lanes.values():
                workers.close()
            self._facilities.spool.close()
            self._facilities.decoder.close()
            self.measured.close()
            if self._given_store is None and "_store" in vars(self):
                self._store.close()

    def _run(
        self,
        workflow: Workflow,
        only: Sequence[str],
        seed: int | None,
        on_event: Callable[[Event], None],
        cancel: Cancel,
    ) -> RunResult:
        begin = time.perf_counter()
        workflow, seeds = settle_seeds(workflow, self.registry.specs, seed)
        checked = self._checker.check(workflow, tuple(only) or None)
        if checked.flat is None:
            return RunResult("invalid", diagnostics=checked.diagnostics, seeds=seeds)
        program = self._compiler.compile(checked.flat)
        roots = roots_of(program, only)
        grants = self._facilities.grants
        specs = self.registry.specs
        fields = lru_cache(1)(partial(scalars_of, workflow, specs, grants))
        outside = Outside(self._facilities, self._contents, cancel, fields)
        provenance = Provenance(
            workflow, specs, grants, self.numerics, seeds, fields,
            partial(outside.models, models_of(program)), outside.content, self._embed,
        )  # fmt: skip
        frame = Frame(Survey(program, self._desk(outside)), roots)
        outlook = self._outlook(frame.survey, checked)
        run = Run(self._kit(frame.survey.desk, outlook), on_event, cancel, provenance.describe)
        run.execute(frame, roots, seeds)
        return self._result(run, frame, roots, seeds, begin, checked.diagnostics)

    def _result(
        self,
        run: Run,
        frame: Frame,
        roots: Sequence[int],
        seeds: Mapping[str, int],
        begin: float,
        diagnostics: tuple[Diagnostic, ...],
    ) -> RunResult:
        survey, counts = frame.survey, run.counts
        status: Literal["done", "failed", "cancelled"] = "done"
        if run.failures:
            status = "failed"
        if run.cancel.is_set and (frame.open or not run.begun):
            status = "cancelled"
        values: dict[str, Mapping[str, Data]] = {}
        for i in roots:
            result = survey.results[i]
            if result is not None:
                values[survey.program.units[i].step.id] = result.values
        self.cache.flush()
        for sentence in self.cache.troubles():
            run.on_event(Note("", sentence))
        seconds = time.perf_counter() - begin
        run.on_event(
            RunFinished(
                status, seconds, counts.ran, counts.cached, counts.failed, counts.skipped,
                len(run.saved),
            )
        )  # fmt: skip
        return RunResult(
            status=status,
            values=values,
            failures=MappingProxyType(run.failures),
            saved=tuple(run.saved),
            kept=tuple(run.kept),
            seconds=seconds,
            seeds=seeds,
            diagnostics=diagnostics,
        )

    def _desk(self, outside: Outside) -> Desk:
        memory = Shelf(self.cache, self._facilities.output) if self._use_cache else Nothing()
        return Desk(self.registry, memory, outside, convert, self._use_cache)

    def _outlook(self, survey: Survey, checked: Checked) -> Outlook:
        """What the steps that are to run need; found when the first that computes is near."""

        def find() -> Needs:
            rank, state = survey.rank, survey.state
            steps = sorted((i for i, s in enumerate(state) if s == WANT), key=rank.__getitem__)
            grants, device = self._facilities.grants, self._facilities.device
            return find_needs(self.registry, grants, checked.facts, survey, steps, device)

        return Outlook(
            find, lambda: self._store, self._facilities.device, self.measured, self._known
        )

    def _kit(self, desk: Desk, outlook: Outlook) -> Kit:
        return Kit(
            desk=desk,
            node=self.registry.type,
            shape=self._shape,
            facilities=self._facilities,
            lanes=self._lanes,
            costs=self._costs,
            store=self.cache.put,
            settle=self.cache.settle,
            caps=self.caps,
            outlook=outlook,
            free=self._free,
            resident=self._resident,
        )

    def _resident(self) -> Mapping[str, int]:
        return self._store.resident() if self._has_store else {}

    @property
    def _has_store(self) -> bool:
        return self._given_store is not None or "_store" in vars(self)

    def _free(self) -> None:
        """Let go of what is kept only because there was room for it."""
        self.cache.shed()
        if self._has_store:
            self._store.clear()
        gc.collect()
        if "torch" in sys.modules and self._facilities.device.startswith("cuda"):
            sys.modules["torch"].cuda.empty_cache()

    def _shape(self, kind: str) -> Shape:
        if kind not in self._shapes:
            self._shapes[kind] = shape_of(self.registry.type(kind).function)
        return self._shapes[kind]

    @cached_property
    def _store(self) -> Components:
        if self._given_store is not None:
            return self._given_store
        return make_store(self._facilities.device, self._memory, self._host_memory)


def make_store(device: str, budget: int = 0, host: int = 0) -> Components:
    """A store for the models of one device, with ``budget`` bytes of it and ``host`` bytes of host
    memory; 0 stand for what the machine offers."""
    from backend.models.family import families
    from backend.models.loaders import loaders
    from backend.models.store import Store

    waiting = 0 if device == "cpu" else host_budget(host)
    return Store(families(), budget or device_budget(device), loaders(), waiting)


def models_of(program: Program) -> tuple[str, ...]:
    """The models that parameters of a program name, bodies included."""
    named = (ref for unit in program.units for kind, ref in unit.outside if kind == "model")
    return tuple(dict.fromkeys(named))


def roots_of(program: Program, only: Sequence[str]) -> tuple[int, ...]:
    """The steps that a run is for. Of a subgraph's node those that give what leaves it; of a node
    inside a zone the outermost zone."""
    if not only:
        outputs = (w.step for w in program.flat.outputs.values() if w.step != FROM_ZONE)
        return tuple(dict.fromkeys((*program.roots, *outputs)))
    ids = {unit.step.id: i for i, unit in enumerate(program.units)}
    found: dict[int, None] = {}
    for name in only:
        at = name
        while at not in ids and "/" in at:
            at = at.rpartition("/")[0]
        if at in ids:
            found[ids[at]] = None
            continue
        inside = [i for i in ids.values() if program.units[i].step.id.startswith(name + "/")]
        members = set(inside)
        for i in inside:
            if program.units[i].effect or not members.intersection(program.users[i]):
                found[i] = None
    return tuple(found)
