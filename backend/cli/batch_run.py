"""``weft batch`` at work: jobs go into the queue, and what becomes of them into the manifest."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.batch.carry import AT_ONCE, Again, Carrier, refuse_unlike, unlike
from backend.batch.errors import BatchError, Unwritable
from backend.batch.manifest import Manifest, new_place, read
from backend.batch.plan import Batch
from backend.batch.rows import differing
from backend.cli.batch_plan import Wish, plan
from backend.cli.batch_show import Report, show_dry_run, show_sheet, summary
from backend.cli.check import counted
from backend.cli.errors import CANCELLED, DONE, FAILED, Stop, wrong_usage
from backend.cli.places import user_settings
from backend.cli.queue_show import the_queue
from backend.cli.streams import Output, plain, tell

if TYPE_CHECKING:
    from backend.engine.queue.store import Queue
    from backend.settings import Settings

POLL = 0.25
"""Seconds between two looks at which jobs have ended."""


def run_batch(name: str, wish: Wish, allowed: Sequence[Path], *, json: bool) -> int:
    """Plan a batch and do with it what is asked; returns the exit status.

    Raises:
        Stop: what was asked cannot be, or the queue cannot be used.
    """
    flags = {
        "run.device": wish.device,
        "run.memory": wish.memory,
        "run.host_memory": wish.host_memory,
    }
    settings = user_settings(flags)
    output = Output(json)
    try:
        flow, batch = plan(name, wish, allowed, settings, output)
        if wish.dry_run:
            return show_dry_run(flow, batch, wish, output)
        with ExitStack() as stack:
            manifest = stack.enter_context(open_manifest(batch, wish))
            queue = stack.enter_context(the_queue(output))
            return _carry_out(batch, wish, settings, manifest, queue, output)
    except Unwritable as error:
        raise Stop(str(error), FAILED) from None
    except BatchError as error:
        raise wrong_usage(str(error)) from None


def open_manifest(batch: Batch, wish: Wish) -> Manifest:
    """A new manifest with its header, or that which is to be gone on with.

    Raises:
        BatchError: there is one already, none, or another batch's.
    """
    header = batch.header()
    if not wish.resume:
        manifest = Manifest(wish.manifest or new_place(batch.out), new=True)
        manifest.append([header])
        return manifest
    manifest = Manifest(_old_place(batch, wish, header))
    try:
        if manifest.told.header is None:  # a kill came before there was any
            manifest.append([header])
        known = dict(manifest.told.header or header)
        said = unlike(header, known, batch.points, manifest.told.last.values())
        if said:
            raise refuse_unlike(manifest.path, said)
    except BaseException:
        manifest.close()
        raise
    return manifest


def _old_place(batch: Batch, wish: Wish, header: dict[str, Any]) -> Path:
    """The manifest that is named, or the newest in the output folder that is this batch's."""
    if wish.manifest is not None:
        if not wish.manifest.is_file():
            raise BatchError(f"--manifest {wish.manifest}: there is no such file to go on with. "
                             "Leave --resume out to begin.")  # fmt: skip
        return wish.manifest
    found = sorted(batch.out.glob("batch-*.jsonl"), key=lambda path: path.stat().st_mtime)
    for path in reversed(found):
        try:
            known = read(path.read_bytes(), path.name).header
        except (OSError, BatchError):
            continue
        if known is not None and known["parts"] == header["parts"]:
            return path
    if found:
        return found[-1]  # in what it is another one is told when it is opened
    raise BatchError(f"There is no manifest in {batch.out} to go on with. Name it with --manifest, "
                     "or leave --resume out to begin.")  # fmt: skip


def _carry_out(
    batch: Batch, wish: Wish, settings: Settings, manifest: Manifest, queue: Queue, output: Output
) -> int:
    from backend.cli.signals import stopping
    from backend.engine.cancel import Cancel

    draw = (manifest.told.header or {})["draw"]
    recipe = replace(batch.recipe, draw=draw)
    carrier = Carrier(queue, manifest, batch.points, batch.out)
    stop = Cancel()
    report = Report(output, batch, stop, carrier.places, differing(batch.points))
    with stopping(stop):
        report.caught_up(carrier.record())
        left = carrier.left(Again(wish.retry_failed, wish.check_files))
        report.begins(manifest.path, left)
        for at in range(0, len(left), AT_ONCE):
            if not stop.is_set:
                carrier.enlist(left[at : at + AT_ONCE], recipe.drafts)
        if wish.only_queue:
            return _queued(len(left), batch, manifest, output)
        carrier.release()
        if not stop.is_set:
            try:
                _work(carrier, queue, divided(settings, wish.jobs), wish.jobs, report)
            finally:
                if stop.is_set:
                    carrier.hold()
        drawn = wish.sheet is None or stop.is_set or show_sheet(wish.sheet, batch, carrier.ends,
                                                                output)  # fmt: skip
    status = _status(batch, carrier, manifest, output, stopped=stop.is_set)
    return status if drawn else max(status, FAILED)


def _queued(count: int, batch: Batch, manifest: Manifest, output: Output) -> int:
    output.record({"event": "queued", "jobs": count, "manifest": str(manifest.path)})
    output.line(
        f"Queued {counted(count, 'job')}: {plain(batch.title)}. `weft queue run` runs them; then "
        f"--resume --manifest {manifest.path} writes down what became of them."
    )
    return DONE


def _status(
    batch: Batch, carrier: Carrier, manifest: Manifest, output: Output, *, stopped: bool
) -> int:
    states = [each.status for each in carrier.ends.values()]
    counts = {state: states.count(state) for state in ("done", "failed", "cancelled")}
    counts["left"] = len(batch.points) - len(states)
    output.record(
        {"event": "batch", **counts, "jobs": len(batch.points), "manifest": str(manifest.path)}
    )
    if not output.json:
        tell(summary(counts, manifest.path))
    if counts["left"]:
        tell(f"To go on: the same command with --resume --manifest {manifest.path}")
    if stopped:
        return CANCELLED
    if counts["failed"]:
        return FAILED
    return DONE if counts["done"] == len(batch.points) else CANCELLED


def divided(settings: Settings, jobs: int) -> Settings:
    """The settings of each of so many processes that compute at once: what there is of memory and
    cores, in equal shares.

    Raises:
        Stop: the device is not one of this machine.
    """
    if jobs == 1:
        return settings
    from backend.cli.run import real_device
    from backend.engine.client.memory import allowance
    from backend.engine.needs import device_budget, host_budget

    run, cache, host = settings.run, settings.cache, settings.host
    models = run.memory or device_budget(real_device(run.device))
    threads = run.threads or os.cpu_count() or 1
    return replace(
        settings,
        run=replace(
            run,
            memory=max(models // jobs, 1),
            host_memory=max(host_budget(run.host_memory) // jobs, 1),
            threads=max(threads // jobs, 1),
        ),
        cache=replace(cache, memory=cache.memory // jobs),
        host=replace(host, memory=max(allowance(host.memory) // jobs, 1), standby=False),
    )


def _work(carrier: Carrier, queue: Queue, settings: Settings, jobs: int, report: Report) -> None:
    """Work through the jobs of the batch in the queue, and write down how each ends."""
    workers = [Worker(queue.path, settings, sorted(carrier.batches), report) for _ in range(jobs)]

    def stop_all() -> None:
        for worker in workers:
            worker.cancel()

    remove = report.stop.on_cancel(stop_all)
    try:
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            report.wrote(carrier.record(every=False))
            if any(worker.error for worker in workers):
                stop_all()
            next((each for each in workers if each.is_alive()), workers[0]).join(POLL)
    finally:
        stop_all()
        for worker in workers:
            worker.join()
        remove()
    report.wrote(carrier.record())
    _raise(worker.error for worker in workers)


def _raise(errors: Iterable[BaseException | None]) -> None:
    found = [error for error in errors if error is not None]
    if found:
        raise found[0]


class Worker(threading.Thread):
    """Runs jobs of a batch in a host of its own. ``error`` is what ended it too early."""

    def __init__(
        self, queue: Path, settings: Settings, batches: Sequence[int], report: Report
    ) -> None:
        from backend.engine.cancel import Cancel

        super().__init__(name="weft-batch", daemon=True)
        self._queue = queue
        self._settings = settings
        self._batches = batches
        self._report = report
        self.cancel = Cancel()
        self.error: BaseException | None = None

    def run(self) -> None:
        from backend.cli.hosts import host_client
        from backend.engine.queue.runner import Runner
        from backend.engine.queue.store import Queue

        settings = self._settings
        try:
            with Queue(self._queue) as queue:
                runner = Runner(
                    queue,
                    lambda: host_client(settings),
                    self._report,
                    attempts=settings.queue.attempts,
                    batches=self._batches,
                )
                runner.work(self.cancel)
        except BaseException as error:  # told by the thread that waits for this one
            self.error = error
