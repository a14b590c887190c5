"""RF-Edit: a picture is inverted, and sampled anew with what its attentions saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.models.patch import Stage
from backend.models.run import denoise, find_noise
from backend.models.seams.sites import Attention, Place, image_sites, on_attention, places_of
from backend.sdk import Context
from backend.values import Conditioning, Guider, Latent, Noise, Schedule, Solver, Term

if TYPE_CHECKING:
    from torch import Tensor


def edit(
    ctx: Context,
    guider: Guider,
    source: Conditioning,
    latent: Latent,
    schedule: Schedule,
    solver: Solver,
    inject: int,
    depth: float,
) -> Latent:
    """Invert a latent under ``source`` without guidance, and sample it anew with the guider.

    RF-Edit (arXiv:2411.04746 section 3.3): in the last ``inject`` steps of the inversion the
    values of the image tokens are kept, in the attentions from ``depth`` (a share 0..1 of the
    layers) on; in the first ``inject`` steps of sampling they take the place of its own.

    Raises:
        DiffusionError: the family has no self attention of images, or what ``find_noise`` and
            ``denoise`` raise.
    """
    if latent.mask is not None:
        raise DiffusionError(
            "This latent has an in-paint mask, and RF-Edit makes the whole picture anew. Take the "
            "mask off, and put the picture back outside of it with composite."
        )
    term = Term("positive", source)
    plain = Guider("none", {}, guider.model, (term,))
    bank = Bank(inject, depth, schedule.steps)
    noise = find_noise(ctx, plain, schedule, latent, solver, bank.around(bank.keep))
    bank.turn()
    return denoise(ctx, guider, solver, schedule, Noise("none"), noise, more=bank.around(bank.give))


class Bank:
    """Values of image tokens by place, step, and the how many-th noise level of the step.

    They stay where the model computes: a deeper half of a large model takes as many bytes as its
    image tokens times the layers, steps and levels that are kept.
    """

    def __init__(self, inject: int, depth: float, steps: int) -> None:
        """``inject`` of ``steps`` are kept, those at the most noise."""
        self._last = min(inject, steps)
        self._depth = depth
        self._held: dict[tuple[Place, int, int, int], Tensor] = {}
        self._place: tuple[int, float, int] = (-1, 0.0, 0)

    def turn(self) -> None:
        """The inversion is over, and sampling begins."""
        self._place = (-1, 0.0, 0)

    def around(
        self, hook: Callable[[Attention, int], Tensor]
    ) -> Callable[[Stage], Sequence[Around]]:
        """What lays ``hook(attention, level of the step)`` on the deeper attentions, in the steps
        that count."""

        def laid(stage: Stage) -> Sequence[Around]:
            if not self._last:
                return ()
            places = places_of(stage.net, stage.card)
            if not places:
                raise DiffusionError(
                    f"{stage.card.title} models have no attention among image tokens to remember. "
                    "Set inject to 0."
                )
            deeper = frozenset(places[int(len(places) * self._depth) :])

            def through(call: Attention) -> Tensor:
                if (call.site.name, call.layer) not in deeper:
                    return call.attend()
                return hook(call, self._place[2])

            sites = image_sites(stage.card)
            inner = on_attention(stage.net, stage.card, through, stage.layout, sites)
            return (lambda moment: inner(self._entered(moment)),)

        return laid

    def _entered(self, moment: Moment) -> Moment:
        """Count the noise levels at which a step asks; steps are numbered from the most noise on.
        Texts that go through the model one by one are asked at one level."""
        step, sigma, number = self._place
        if moment.step != step:
            number = 0
        elif moment.sigma != sigma:
            number += 1
        self._place = (moment.step, moment.sigma, number)
        return moment

    def keep(self, call: Attention, number: int) -> Tensor:
        """Remember the values of the image tokens."""
        if call.moment.step < self._last:
            seen = call.value[..., call.spans.image_keys, :]
            self._held[self._key(call, number)] = seen
        return call.attend()

    def _key(self, call: Attention, number: int) -> tuple[Place, int, int, int]:
        """By place, step and level; and by picture, where these go through the model singly."""
        return (call.site.name, call.layer), call.moment.step, number, call.moment.first

    def give(self, call: Attention, number: int) -> Tensor:
        """Attend to the remembered values in the place of the image's own."""
        import torch

        held = self._held.get(self._key(call, number))
        where = call.spans.image_keys
        if held is None or held.shape[1:] != call.value[..., where, :].shape[1:]:
            return call.attend()
        spread = held.repeat(call.value.shape[0] // held.shape[0], 1, 1, 1)
        value = torch.cat(
            [call.value[..., : where.start, :], spread, call.value[..., where.stop :, :]], -2
        )
        return call.but(value=value).attend()
