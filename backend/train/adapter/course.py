"""Training an adapter on a set: what it draws in a step, and the file that comes of it."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import blake3
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from backend.catalog.errors import CatalogError
from backend.diffusion.registry import choose
from backend.models.family import describe
from backend.models.lora.adapter import FORM
from backend.train import checkpoint
from backend.train.adapter.coded import Group, code
from backend.train.adapter.form import Form, Learnt, Shown, forms
from backend.train.adapter.plan import AdapterPlan
from backend.train.adapter.sets import TABLE, Example
from backend.train.tuning import Batch, Batches, Pupil, Watch, draw_levels, tune, unwatched
from backend.train.vae import Log
from backend.values import Box, Conditioning

OF = "of.txt"
"""What the checkpoint beside it follows from."""

CHECKPOINT = "checkpoint.pt"
"""What goes on after an interruption; it is read by this program alone."""

KEPT_CAPTIONS = 512
"""Sets with at most so many captions are read once; of more, those of each step anew."""


@dataclass(frozen=True, eq=False)
class Course:
    """An adapter in the making: its model, its form, what learns, and the examples as latents."""

    pupil: Pupil
    plan: AdapterPlan
    form: Form
    learnt: nn.Module
    groups: tuple[Group, ...]
    folder: Path
    check: Callable[[], None]

    @property
    def part(self) -> str:
        """The component that the adapter is laid over."""
        return self.pupil.refs.model.part

    def close(self) -> None:
        """Let go of the model."""
        self.pupil.close()

    def batches(self) -> Batches:
        """Examples of one size at several noise levels in each step."""
        reader, plan = _Reader(self.pupil, self.groups), self.plan
        sizes = np.array([len(group.captions) for group in self.groups], np.float64)
        learnt = cast(Learnt, self.learnt)

        def batches(step: int, chance: torch.Generator) -> Iterator[Batch]:
            rng = np.random.default_rng([plan.course.seed, step])
            for sigma in levels(self.pupil, plan, chance):
                group = self.groups[int(rng.choice(len(sizes), p=sizes / sizes.sum()))]
                picked = rng.integers(len(group.captions), size=plan.course.batch)
                empty = rng.random(plan.course.batch) < plan.course.dropout
                texts = ["" if e else group.captions[i] for i, e in zip(picked, empty, strict=True)]
                beside, boxes = self._beside(group, picked, rng)
                shown = Shown(reader.read(texts), beside, boxes)
                clean = self._placed(group.latents[picked])
                yield Batch(clean, sigma, learnt.said(shown), learnt.around(shown))

        return batches

    def _beside(
        self, group: Group, picked: np.ndarray, rng: np.random.Generator
    ) -> tuple[Sequence[Tensor], Sequence[Sequence[Box]]]:
        if rng.random() < self.plan.bare:
            return (), ()
        boxes = [group.boxes[i] for i in picked] if self.form.boxed else []
        return tuple(self._placed(latents[picked]) for latents in group.references), boxes

    def _placed(self, latents: np.ndarray) -> Tensor:
        return torch.from_numpy(latents).float().to(self.pupil.device)


def begin(
    model: str,
    examples: Sequence[Example],
    plan: AdapterPlan,
    folder: Path,
    device: str,
    check: Callable[[int, int], None],
) -> Course:
    """Make everything ready; ``check(done, all)`` is called while pictures are encoded.

    Raises:
        CatalogError: the model, the set or the plan cannot be used.
        DiffusionError: there is no such form.
    """
    plan.check()
    form = choose(forms(), plan.form, "form of adapter")
    beside = len(examples[0].references)
    if form.beside != beside and (form.beside is not None or not beside):
        wanted = "at least one picture" if form.beside is None else f"{form.beside} pictures"
        raise CatalogError(
            f"A {form.title} learns from examples with {wanted} beside each, and this set has "
            f"{beside}. Choose another form or another set."
        )
    bare = next((each for each in examples if form.boxed and not each.boxes), None)
    if bare is not None:
        raise CatalogError(
            f"A {form.title} learns from pictures with boxes, and {bare.picture.name} has none. "
            f'Write "boxes" for each into {TABLE}, or choose another form.'
        )
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.course.seed)
    pupil = Pupil(model, device)
    try:
        return _ready(pupil, form, examples, plan, folder, check)
    except BaseException:
        pupil.close()
        raise


def _ready(
    pupil: Pupil,
    form: Form,
    examples: Sequence[Example],
    plan: AdapterPlan,
    folder: Path,
    check: Callable[[int, int], None],
) -> Course:
    if experts := describe(pupil.refs.model).experts:
        raise CatalogError(
            f"This model has {1 + len(experts)} experts, and an adapter learns beside one network. "
            "Choose a model with one."
        )
    size = plan.size or describe(pupil.refs.model).defaults.width
    groups = code(pupil, examples, size, folder, check, form.panels)
    pupil.stage.net.requires_grad_(False)
    learnt = form.begin(pupil.stage, plan).to(pupil.device)
    return Course(
        pupil, plan, form, learnt, groups, folder, lambda: check(len(examples), len(examples))
    )


def train(
    course: Course,
    log: Log = print,
    watch: Watch = unwatched,
    stop_at: int | None = None,
) -> None:
    """Train, or go on training; the checkpoint lies in the course's folder.

    Raises:
        CatalogError: the checkpoint there is of another adapter.
    """
    path = course.folder / CHECKPOINT
    _check_same(path, course)
    _mark(course)
    mover = torch.optim.AdamW(course.learnt.parameters(), course.plan.rate, weight_decay=0.0)
    tune(course.pupil.stage, course.batches(), course.learnt, [mover], (), course.plan.course,
         path, log, stop_at, watch=watch, check=course.check)  # fmt: skip


def losses(course: Course) -> list[float]:
    """The losses of the steps that the course's checkpoint has behind it."""
    state = checkpoint.load(course.folder / CHECKPOINT)
    return [] if state is None else [float(loss) for loss in state["losses"]]


def write(course: Course, path: Path, more: Mapping[str, str] | None = None) -> None:
    """Write the adapter as safetensors in bf16, whole or not at all; ``more`` is said in it too.

    Raises:
        CatalogError: the file cannot be written, or the adapter holds what is no number.
    """
    tensors = cast(Learnt, course.learnt).tensors(course.part)
    held = {name: value.detach().cpu().bfloat16().contiguous() for name, value in tensors.items()}
    if not all(bool(torch.isfinite(value).all()) for value in held.values()):
        raise CatalogError(
            "The adapter holds values that are no numbers, so it is not written. Take a lower rate."
        )
    temporary = path.with_name(path.name + ".part")
    try:
        save_file(held, temporary, metadata={**metadata(course), **(more or {})})
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise CatalogError(
            f"{path} cannot be written ({error}). The checkpoint is kept: make room or choose "
            "another place, and the same command goes on from it."
        ) from error


def metadata(course: Course) -> dict[str, str]:
    """What the file says of itself."""
    plan, model = course.plan, course.pupil.refs.model
    return {
        "format": "pt",
        FORM: course.form.kind,
        "weft.family": model.family,
        "weft.base": model.identity,
        "weft.targets": plan.targets,
        "weft.rank": str(plan.rank),
        "weft.steps": str(plan.course.steps),
        "weft.batch": str(plan.course.batch * plan.course.levels),
        "weft.seed": str(plan.course.seed),
        "weft.examples": str(sum(len(group.captions) for group in course.groups)),
        **course.form.said,
    }


def levels(pupil: Pupil, plan: AdapterPlan, chance: torch.Generator) -> list[float]:
    """The noise levels of a step: logit-normal in rectified flow, else evenly among those that the
    model was trained on."""
    process, count = pupil.process, plan.course.levels
    if process.path.name == "flow":
        return draw_levels(plan.course, count, chance)
    grid = list(process.grid(1000))
    places = (torch.arange(count) + torch.rand(count, generator=chance)) / count
    return [grid[min(int(place * len(grid)), len(grid) - 1)] for place in places.tolist()]


class _Reader:
    """Captions as conditionings; those of a small set are kept."""

    def __init__(self, pupil: Pupil, groups: Sequence[Group]) -> None:
        self._pupil = pupil
        self._keeps = len({text for group in groups for text in group.captions}) <= KEPT_CAPTIONS
        self._kept: dict[str, Conditioning] = {}

    def read(self, texts: Sequence[str]) -> Conditioning:
        """One conditioning with an entry for each text."""
        if not self._keeps:
            return self._pupil.read(texts)
        for text in texts:
            if text not in self._kept:
                self._kept[text] = self._pupil.read([text])
        told = [self._kept[text] for text in texts]
        first = told[0]
        shapes = [{n: a.shape for n, a in each.tensors.items()} for each in told]
        if any(shape != shapes[0] or each.params != first.params or each.later
               for shape, each in zip(shapes, told, strict=True)):  # fmt: skip
            return self._pupil.read(texts)
        joined = {name: np.concatenate([t.tensors[name] for t in told]) for name in first.tensors}
        return Conditioning(first.space, joined, first.params)


def _said(course: Course) -> str:
    """What a checkpoint follows from, but for the number of steps: model, plan and examples."""
    plan = replace(course.plan, course=replace(course.plan.course, steps=0))
    hasher = blake3.blake3(f"{course.pupil.refs.model.identity} {plan}".encode())
    for group in course.groups:
        for array in (group.latents, *group.references):
            hasher.update(np.ascontiguousarray(array).tobytes())
        hasher.update(repr(group.captions).encode())
        hasher.update(repr(group.boxes).encode() if any(group.boxes) else b"")
    return hasher.hexdigest()


def _mark(course: Course) -> None:
    """Say beside the checkpoint what it is of."""
    (course.folder / OF).write_text(_said(course), "utf-8")


def _check_same(path: Path, course: Course) -> None:
    """Refuse to go on with another adapter's checkpoint, or with one that went further."""
    try:
        state: Mapping[str, Any] | None = checkpoint.load(path)
        of = (path.parent / OF).read_text("utf-8") if state is not None else ""
    except (OSError, RuntimeError, ValueError, pickle.UnpicklingError, EOFError) as error:
        raise CatalogError(
            f"The checkpoint {path} cannot be read ({str(error)[:120]}). Remove the folder, and "
            "the training begins anew."
        ) from error
    if state is None:
        return
    if of != _said(course):
        raise CatalogError(
            f"{path.parent} holds the checkpoint of another adapter (another model, set or other "
            "settings). Choose another folder, or the settings that it was begun with."
        )
    if int(state["step"]) > course.plan.course.steps:
        raise CatalogError(
            f"This adapter has learnt for {int(state['step'])} steps already, and "
            f"{course.plan.course.steps} are asked for. Ask for more, or remove {path.parent} to "
            "begin anew."
        )
