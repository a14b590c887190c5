"""What a training shows of itself: pictures that the adapter makes, and the course of its loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch

from backend.diffusion.around import Around, Moment
from backend.diffusion.sample import Hooks, sample
from backend.models.family import describe
from backend.train.adapter.course import Course
from backend.train.adapter.form import Learnt, Shown
from backend.values import Guider, Image, Latent, Noise, Schedule, Solver, Term

GAP = 6
PLOT = (640, 320)
"""Width and height of the plot in pixels."""

_INK, _FAINT, _LINE = (32, 34, 38), (222, 224, 228), (52, 104, 192)


@torch.no_grad()
def samples(course: Course, count: int = 4, hooks: Hooks | None = None) -> Image:
    """Pictures that the adapter makes now, side by side as rows of a sheet.

    A row is an example of the set: the pictures beside it, what it should become, and what is made
    from its words with the seed of the course.
    """
    group = max(course.groups, key=lambda each: len(each.captions))
    picked = np.linspace(0, len(group.captions) - 1, min(count, len(group.captions))).round()
    hooks = hooks or Hooks(check=course.check)
    rows = [_row(course, int(number), hooks) for number in sorted(set(picked.tolist()))]
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, GAP), (0, width - row.shape[1]), (0, 0)), constant_values=1.0)
              for row in rows]  # fmt: skip
    return Image(np.concatenate(padded)[None, :-GAP])


def _row(course: Course, number: int, hooks: Hooks | None) -> np.ndarray:
    """One example ``[h, w, 3]``."""
    pupil, facts = course.pupil, describe(course.pupil.refs.model)
    group = next(g for g in sorted(course.groups, key=lambda g: -len(g.captions)))
    beside = tuple(
        torch.from_numpy(latents[number][None]).float().to(pupil.device)
        for latents in group.references
    )
    said = pupil.read([group.captions[number]])
    learnt = cast(Learnt, course.learnt)
    boxes = [group.boxes[number]] if course.form.boxed else []
    shown, plain = Shown(said, beside, boxes), Shown(pupil.read([""]), beside, boxes)
    terms = (Term("positive", learnt.said(shown)), Term("negative", learnt.said(plain)))
    own = facts.defaults
    guided = own.cfg > 1
    guider = Guider(
        own.guider if guided else "none",
        {"cfg": own.cfg} if guided else {},
        pupil.refs.model,
        terms if guided else terms[:1],
    )
    target = np.asarray(group.latents[number][None], np.float32)
    made = sample(
        pupil.stage.denoiser,
        guider,
        Solver(own.solver),
        Schedule("native", steps=own.steps),
        Noise("gaussian", seed=course.plan.course.seed + number),
        Latent(np.zeros_like(target), facts.latent_space),
        device=pupil.device,
        hooks=hooks,
        around=[_once(learnt.around(shown))],
    )
    latents = [each.cpu().numpy() for each in beside] + [target, made.samples]
    pictures = [_decoded(course, each) for each in latents]
    height = max(each.shape[0] for each in pictures)
    gap = ((0, 0), (0, GAP), (0, 0))
    padded = [
        np.pad(np.pad(p, ((0, height - p.shape[0]), (0, 0), (0, 0))), gap, constant_values=1.0)
        for p in pictures
    ]
    return np.concatenate(padded, 1)[:, :-GAP]


def _decoded(course: Course, latents: np.ndarray) -> np.ndarray:
    pupil = course.pupil
    held = Latent(np.asarray(latents, np.float32), describe(pupil.refs.model).latent_space)
    image = pupil.family.decode_latent(pupil.refs.vae, held, pupil.load, pupil.device)
    return np.asarray(image.pixels[0])


def _once(around: Sequence[Around]) -> Around:
    """Several as one."""
    from contextlib import ExitStack

    @contextmanager
    def all_of_them(moment: Moment) -> Iterator[None]:
        with ExitStack() as stack:
            for each in around:
                stack.enter_context(each(moment))
            yield

    return all_of_them


def plot(losses: Sequence[float]) -> Image:
    """The loss by steps, as it was and smoothed, float32 ``[1, 320, 640, 3]``."""
    from PIL import Image as Picture
    from PIL import ImageDraw, ImageFont

    width, height = PLOT
    sheet = Picture.new("RGB", PLOT, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    box = (64, 34, width - 20, height - 34)
    smooth = smoothed(losses)
    values = [v for v in (*losses, *smooth) if np.isfinite(v)] or [0.0]
    low, high = min(values), float(np.quantile(values, 0.995))
    high = high if high > low else low + 1.0
    _axes(pen, font, box, (low, high), len(losses))
    for series, ink, wide in ((losses, (190, 208, 236), 1), (smooth, _LINE, 2)):
        points = [_point(box, (low, high), len(losses), k, v) for k, v in enumerate(series)]
        if len(points) > 1:
            pen.line(points, fill=ink, width=wide)
    shown = f"loss {smooth[-1]:.4g} after {len(losses)} steps" if smooth else "no step yet"
    pen.text((box[0], 10), shown, fill=_INK, font=font)
    return Image(np.asarray(np.asarray(sheet) / 255, np.float32)[None])


def smoothed(losses: Sequence[float], share: float = 0.95) -> list[float]:
    """The running mean that forgets the older, without its start-up bias."""
    found, held, weight = [], 0.0, 0.0
    for loss in losses:
        held, weight = share * held + (1 - share) * loss, share * weight + (1 - share)
        found.append(held / weight)
    return found


def _axes(pen: Any, font: Any, box: tuple[int, ...], ends: tuple[float, float], steps: int) -> None:
    left, top, right, bottom = box
    for k in range(5):
        y = bottom - (bottom - top) * k / 4
        pen.line((left, y, right, y), fill=_FAINT)
        told = f"{ends[0] + (ends[1] - ends[0]) * k / 4:.3g}"
        pen.text((left - 8, y), told, fill=_INK, font=font, anchor="rm")
        x = left + (right - left) * k / 4
        pen.text((x, bottom + 16), f"{steps * k / 4:.0f}", fill=_INK, font=font, anchor="mm")


def _point(
    box: tuple[int, ...], ends: tuple[float, float], count: int, step: int, value: float
) -> tuple[float, float]:
    left, top, right, bottom = box
    y = bottom - (bottom - top) * (min(max(value, ends[0]), ends[1]) - ends[0]) / (
        ends[1] - ends[0]
    )
    return left + (right - left) * step / max(count - 1, 1), y
