"""``weft run``: run a workflow, in this process or one of its own, and write its outputs."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.cli.check import show_diagnostics
from backend.cli.errors import CANCELLED, DONE, FAILED, INVALID, Stop, near, wrong_usage
from backend.cli.flow import Flow, open_flow
from backend.cli.params import inner_graphs, set_params
from backend.cli.streams import Output, put, tell
from backend.graph.document import Workflow
from backend.graph.typed import Specs
from backend.settings.declared import DEVICE

if TYPE_CHECKING:
    from backend.engine.cancel import Cancel
    from backend.engine.engine import Engine, RunResult
    from backend.engine.events import Event
    from backend.settings import Settings

    Start = Callable[[Callable[[Event], None], Cancel], RunResult]

STATUSES: Mapping[str, int] = {
    "done": DONE,
    "failed": FAILED,
    "invalid": INVALID,
    "cancelled": CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line and the settings ask of a run.

    0 threads are all. ``models`` are the bytes of the device for models and what they compute in,
    0 what the machine offers; ``host_memory`` those of host memory in which weights wait for a
    GPU, 0 half of what is free. ``memory`` and ``disk`` are the bytes that results may take there;
    without ``folder`` (Weft's cache folder) none go to disk, else those that took ``costly``
    seconds.
    With ``apart`` the run takes place in a process of its own, as these settings say.
    """

    sets: tuple[str, ...] = ()
    out: Path = Path("output")
    seed: int | None = None
    device: str = "auto"
    only: tuple[str, ...] = ()
    cache: bool = True
    threads: int = 0
    models: int = 0
    host_memory: int = 0
    memory: int = 2 * 2**30
    disk: int = 0
    costly: float = 0.5
    folder: Path | None = None
    embed: bool = True
    apart: Settings | None = None

    @classmethod
    def of(cls, settings: Settings, **asked: Any) -> Wish:
        """What the settings say, and beside it what is ``asked``."""
        from backend.settings import cache_folder, expanded

        return cls(
            out=expanded(settings.folders.output),
            device=settings.run.device,
            threads=settings.run.threads,
            models=settings.run.memory,
            host_memory=settings.run.host_memory,
            memory=settings.cache.memory,
            disk=settings.cache.disk,
            costly=settings.cache.costly,
            folder=cache_folder(settings),
            embed=settings.provenance.embed,
            apart=settings if settings.run.isolated else None,
            **asked,
        )


def run_flow(name: str, wish: Wish, allowed: Sequence[Path], *, json: bool) -> int:
    """Run a workflow and show how it goes; returns the exit status.

    Raises:
        Stop: what was asked cannot be, or the file is no workflow.
    """
    flow = open_flow(name, allowed)
    specs = flow.registry.specs
    workflow, picked = set_params(flow.workflow, specs, wish.sets, flow.grants.base)
    for node in wish.only:
        if node.partition("/")[0] not in workflow.graph.nodes:
            hint = near(node, workflow.graph.nodes)
            raise wrong_usage(f"--only {node}: the workflow has no node of this name.{hint}")
    check_output(wish.out)
    flow = flow.granting(picked)
    if wish.apart is not None:
        return _run_apart(flow, workflow, wish, wish.apart, Output(json))
    device = choose_device(wish.device, workflow, specs)
    engine = make_engine(flow, wish, device)

    def start(on_event: Callable[[Event], None], cancel: Cancel) -> RunResult:
        return engine.run(
            workflow, only=wish.only, seed=wish.seed, on_event=on_event, cancel=cancel
        )

    try:
        return _run(start, wish, Output(json))
    finally:
        engine.close()
        engine.cache.close()


def _run_apart(
    flow: Flow, workflow: Workflow, wish: Wish, settings: Settings, output: Output
) -> int:
    from backend.cli.hosts import host_client
    from backend.cli.isolated import order_of, run_apart

    if wish.device != "auto":  # that one is for the host to find out, which has torch anyway
        choose_device(wish.device, workflow, flow.registry.specs)
    job = order_of(flow, workflow, wish.out, wish.only, wish.seed, wish.cache)
    with host_client(settings, standby=False) as client:
        return _run(lambda on_event, cancel: run_apart(client, job, on_event, cancel), wish, output)


def make_engine(flow: Flow, wish: Wish, device: str) -> Engine:
    """An engine for this workflow in this process; whoever has it closes it and its cache."""
    from backend.engine.cache import MemoryCache
    from backend.engine.disk import make_cache
    from backend.engine.engine import Engine
    from backend.media.outputs import OutputFolder
    from backend.media.spool import Spool
    from backend.plan.measured import FILE, Measured

    folder = wish.folder
    cache = None
    if folder is not None and wish.cache:
        cache = make_cache(folder, wish.memory, wish.disk, wish.costly)
    return Engine(
        flow.registry,
        grants=flow.grants,
        output=OutputFolder(wish.out),
        cache=cache or MemoryCache(wish.memory),
        use_cache=wish.cache,
        spool=Spool(folder / "spool") if folder is not None else None,
        device=device,
        threads=wish.threads or None,
        embed=wish.embed,
        memory=wish.models,
        host_memory=wish.host_memory,
        measured=Measured(folder / FILE) if folder is not None else None,
    )


def _run(start: Start, wish: Wish, output: Output) -> int:
    from backend.cli.report import report_for
    from backend.cli.signals import stopping
    from backend.engine.cancel import Cancel
    from backend.engine.events import KeptFile, SavedFile, StepFailed

    cancel = Cancel()
    report = report_for(json=output.json, out=wish.out, gone=cancel)
    traces: list[str] = []
    stops: list[Stop] = []
    wrote: set[str] = set()

    def show(event: Event) -> None:
        if not stops:
            try:
                report.event(event)
            except Stop as stop:  # nobody can read the rest: end cleanly, then say why
                stops.append(stop)
                cancel()
        if isinstance(event, SavedFile | KeptFile):
            wrote.add(event.step)
        if isinstance(event, StepFailed) and event.trace:
            traces.append(f"{event.step}\n{event.trace}")

    try:
        with stopping(cancel):
            result = start(show, cancel)
    finally:
        report.close()
    if traces:
        _log_traces(traces)
    if stops:
        raise stops[0]
    if not output.json:
        _show_texts({step: made for step, made in result.values.items() if step not in wrote})
    return _status(result, output)


def _show_texts(values: Mapping[str, Mapping[str, object]]) -> None:
    """Print the texts that a run was for, wrapped where a person reads them."""
    from backend.cli.report import texts

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for line in texts(values, width):
        put(line)


def _status(result: RunResult, output: Output) -> int:
    if result.status == "invalid":
        errors = [each for each in result.diagnostics if each.level == "error"]
        show_diagnostics(output, errors)
        tell("The workflow has errors; nothing was run.")
    return STATUSES[result.status]


def _log_traces(traces: Sequence[str]) -> None:
    from backend.cli.guard import write_log

    log = write_log("\n".join(traces))
    if log is not None:
        tell(f"The details of what failed are in {log}.")


def check_output(folder: Path) -> None:
    """Refuse an output folder that cannot be one before anything is computed.

    Raises:
        Stop: it is a file, or below one.
    """
    for each in (folder, *folder.absolute().parents):
        if each.exists():
            if not each.is_dir():
                raise wrong_usage(f"--out {folder}: {each} is a file, not a folder.")
            return


def choose_device(wanted: str, workflow: Workflow, specs: Specs) -> str:
    """The device to compute on. Torch is asked only where a node of the workflow needs it.

    Raises:
        Stop: it is no device, or not one of this machine.
    """
    if wanted == "auto" and not needs_device(workflow, specs):
        return "cpu"
    return real_device(wanted)


def real_device(wanted: str) -> str:
    """The device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` means here; torch is asked for all
    but ``cpu``.

    Raises:
        Stop: it is no device, or not one of this machine.
    """
    if not re.fullmatch(DEVICE, wanted):
        raise wrong_usage(f"--device {wanted}: write auto, cpu, cuda or cuda:N.")
    if wanted == "cpu":
        return "cpu"
    try:
        import torch
    except ImportError as error:
        raise Stop(f"torch cannot be loaded ({error}); `weft doctor` says more.", FAILED) from None
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        return "cuda:0" if count else "cpu"
    number = int(wanted.partition(":")[2] or 0)
    if number >= count:
        have = f"only {count} CUDA devices" if count else "no CUDA device that torch can use"
        raise wrong_usage(f"--device {wanted}: this machine has {have}; `weft doctor` lists them.")
    return f"cuda:{number}"


def needs_device(workflow: Workflow, specs: Specs) -> bool:
    """Whether any node of the workflow, inner ones too, does model work."""
    graphs = [workflow.graph, *(subgraph.graph for subgraph in workflow.subgraphs.values())]
    return any(
        node.type in specs and specs[node.type].lane == "device"
        for graph in graphs
        for each in inner_graphs(graph)
        for node in each.nodes.values()
    )
