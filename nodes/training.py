"""Nodes that teach a model something more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from backend.models.agree import runs_in_steps
from backend.models.experts import experts_of
from backend.models.explain import explained
from backend.models.pipelines.reference import refuse_whole
from backend.sdk import (
    Context,
    Facts,
    FolderPath,
    Image,
    Model,
    NameTemplate,
    Peak,
    Range,
    SeedParam,
    UserError,
    facts_of,
    node,
)


class TrainedAdapter(NamedTuple):
    """The file below the output folder, what the adapter makes, and the course of its loss."""

    file: str
    samples: Image
    loss: Image


@node(
    category="Model",
    title="Train adapter",
    effect=True,
    lane="device",
    aliases=(
        "train lora",
        "fine tune",
        "dreambooth",
        "finetune",
        "control lora",
        "in-context lora",
    ),
)
def train_adapter(
    ctx: Context,
    model: Model,
    folder: FolderPath = "",
    form: Literal["text", "reference", "control", "enlarge", "layout"] = "text",
    targets: Literal["attention", "blocks", "all"] = "blocks",
    rank: Annotated[int, Range(1, 1024, 1)] = 16,
    steps: Annotated[int, Range(1, 1_000_000, 1)] = 500,
    rate: Annotated[float, Range(1e-6, 1.0, 1e-4)] = 2e-3,
    batch: Annotated[int, Range(1, 1024, 1)] = 8,
    levels: Annotated[int, Range(1, 64, 1)] = 4,
    size: Annotated[int, Range(0, 4096, 8)] = 0,
    seed: SeedParam = 0,
    every: Annotated[int, Range(0, 1_000_000, 1)] = 0,
    name: NameTemplate = "{node}-{counter:4}",
) -> TrainedAdapter:
    """Train a small file beside a model that teaches it something more; the model stays as it is.

    `folder` holds pictures, each with its caption in a text file of the same name, or a table
    `set.jsonl`. With `form` text the model learns to make such pictures from such captions: a
    style, a thing, or panels in one picture, of which 20 to 100 are enough. With reference every
    picture `a.png` is made from `a.reference.png` as its caption says, which teaches edits; with
    control it follows the lines or colours of that picture; with layout it learns boxes with
    captions, which the table gives as "boxes". The file goes in with the nodes LoRA or
    Control LoRA.

    Each of the `steps` learns from `batch` pictures at each of `levels` noise levels. `size` is the
    side of a square that has the area of the pictures, 0 is the model's own. Pictures of what it
    makes are shown every so many steps (`every`, 0 is never) and at the end. What was cancelled
    goes on the next time with the same settings, also with more `steps`.

    Example: load_model -> train_adapter(folder="drawings", steps=300, name="ink"), then
    lora(file="ink-0001.safetensors").
    """
    place = ctx.read(folder)
    with explained():
        from backend.settings import cache_folder
        from backend.train.adapter import course as courses
        from backend.train.adapter.looks import plot, samples
        from backend.train.adapter.plan import AdapterPlan
        from backend.train.adapter.session import Order, Watcher, place_of, train
        from backend.train.tuning import TunePlan

        _check_plain(model)
        course = TunePlan(
            steps=steps, levels=levels, batch=batch, warmup=20, hold=0.6, seed=seed % 2**31
        )
        plan = AdapterPlan(form, targets, rank, rate, size, course=course)
        bare = Order(model.source, place, plan, Path(), ctx.device)
        order = replace(bare, folder=place_of(cache_folder() / "training", bare))

        def told(done: int, of: int, loss: float) -> None:
            ctx.progress(done, of)

        done = train(order, Watcher(told, lambda n, of: ctx.check(), ctx.preview, every))

        def write(path: Path, provenance: Mapping[str, Any]) -> None:
            del provenance
            courses.write(done.course, path)

        try:
            sheet = samples(done.course)
            saved = ctx.save(name, ".safetensors", write)
        finally:
            done.course.close()
        return TrainedAdapter(saved.path, sheet, plot(done.losses))


def _check_plain(model: Model) -> None:
    """Refuse what cannot be the ground of an adapter.

    Raises:
        UserError: the model runs whole, has several experts, or carries patches.
    """
    refuse_whole(model)
    if len(experts_of(model)) > 1:
        raise UserError(
            "This model has several experts, and an adapter learns beside one network. Choose a "
            "model with one."
        )
    if model.patches:
        raise UserError(
            "Patches are laid over this model, and an adapter learns beside the model as it is in "
            "its files. Link the loader itself, or save the merged model first."
        )


@train_adapter.facts
def _(p: Any, model: Facts | None) -> dict[str, Facts]:
    runs_in_steps(model)
    plot = facts_of("Image", width=640, height=320, channels=3, count=1)
    return {"file": facts_of("Text"), "samples": facts_of("Image", channels=3, count=1),
            "loss": plot}  # fmt: skip


@train_adapter.peak
def _(p: Any, model: Facts | None) -> Peak:
    return Peak(None, ())
