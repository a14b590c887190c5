"""One training from a set to a file: what the command and the node both call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import blake3

from backend.catalog.errors import CatalogError
from backend.locks import try_lock
from backend.train.adapter import course as courses
from backend.train.adapter.plan import AdapterPlan
from backend.train.adapter.sets import Example, read_set
from backend.values import Image


@dataclass(frozen=True)
class Order:
    """What is to be trained: the model (``Weights.source``), the set's folder, the plan, and where
    the checkpoint lies."""

    model: str
    examples: Path
    plan: AdapterPlan
    folder: Path
    device: str = "cpu"


@dataclass(frozen=True)
class Watcher:
    """Who looks on. ``told(done, steps, loss)`` comes after each step, ``coding(done, all)`` while
    pictures are encoded, ``show(sheet)`` with sample pictures every ``every`` steps (0: never).
    Each may raise to end the run, which goes on from there the next time."""

    told: Callable[[int, int, float], None]
    coding: Callable[[int, int], None]
    show: Callable[[Image], None]
    every: int = 0


@dataclass(frozen=True, eq=False)
class Trained:
    """The finished adapter, and the loss of all its steps. Whoever has it closes the course."""

    course: courses.Course
    losses: tuple[float, ...]


def train(order: Order, watcher: Watcher) -> Trained:
    """Train, or go on with what lies in the order's folder.

    Raises:
        CatalogError: the model, the set or the plan cannot be used, or another process trains
            there.
    """
    examples = read_set(order.examples)
    with alone(order.folder):
        course = courses.begin(
            order.model, examples, order.plan, order.folder, order.device, watcher.coding
        )
        steps, losses = order.plan.course.steps, list[float]()

        def watch(done: int, all_losses: Sequence[float]) -> None:
            losses[:] = all_losses
            watcher.told(done, steps, all_losses[-1])
            if watcher.every and done % watcher.every == 0 and done < steps:
                watcher.show(_looks(course))

        try:
            courses.train(course, _silent, watch)
        except BaseException:
            course.close()
            raise
        losses = losses or courses.losses(course)
    return Trained(course, tuple(losses))


def _looks(course: courses.Course) -> Image:
    from backend.train.adapter.looks import samples

    return samples(course)


def _silent(line: str) -> None:
    del line


def place_of(root: Path, order: Order) -> Path:
    """Where below ``root`` an order's checkpoint lies: the same for the same order, whatever its
    number of steps, so that one more thousand goes on."""
    from dataclasses import replace

    plan = replace(order.plan, course=replace(order.plan.course, steps=0))
    examples = [_stamp(each) for each in read_set(order.examples)]
    said = repr((order.model, str(order.examples.resolve()), plan, examples))
    return root / blake3.blake3(said.encode()).hexdigest()[:32]


def _stamp(example: Example) -> tuple[object, ...]:
    files = (example.picture, *example.references)
    return (
        example.caption,
        *example.boxes,
        *((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files),
    )


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Train in a folder that no other process trains in.

    Raises:
        CatalogError: another does, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CatalogError(
            f"{folder} cannot be used for checkpoints ({error.strerror}). Choose another folder."
        ) from error
    try:
        if not try_lock(descriptor):
            raise CatalogError(
                f"Another run trains in {folder} now. Wait for it, or choose another folder."
            )
        yield
    finally:
        os.close(descriptor)
