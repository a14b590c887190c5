"""Layout tokens that learn to put things into boxes (SiamLayout)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from backend.catalog.errors import CatalogError
from backend.catalog.source import read_source
from backend.diffusion.around import Around, Moment
from backend.models.family import describe, family_of, references
from backend.models.lora.attach import attached
from backend.models.patch import Stage
from backend.models.patches.layout_tokens import PREFIX, looked, picture_sites, read, sizes
from backend.models.phrases import phrase
from backend.models.seams.sites import Attention, Place, on_attention
from backend.train.adapter.form import Form, Shown
from backend.train.adapter.forms.text import TextLora
from backend.train.adapter.plan import AdapterPlan
from backend.values import Box, Term

PROBE = 16
"""Cells of the side of the latent by which the widths of attentions are found."""

KEPT = 4096
"""Captions whose vectors are kept."""


class LayoutAdapter(TextLora):
    """The siamese branch of ``patches.layout_tokens`` as parameters, with low-rank factors beside
    the model's layers: the model itself stays as it is (CreatiLayout, arXiv:2412.03859)."""

    def __init__(self, stage: Stage, plan: AdapterPlan) -> None:
        super().__init__(stage, plan)
        self._stage = stage
        self._family = family_of(stage.model)
        self._encoder = references(read_source(stage.model.source), self._family).text
        self._device = next(stage.net.parameters()).device
        self._vectors: dict[str, Tensor] = {}
        wide = len(self._vector(""))
        shapes = sizes(wide, self._widths())
        self.branch = nn.ParameterDict(
            {name.replace(".", "/"): _begun(name, shape) for name, shape in shapes.items()}
        )

    def around(self, shown: Shown) -> Sequence[Around]:
        """The factors and the branch, as the node lays them on at strength 1."""

        @contextmanager
        def laid(moment: Moment) -> Iterator[None]:
            count = max((len(each) for each in shown.boxes), default=0)
            given = [self._told(boxes, count) for boxes in shown.boxes or [()] * moment.count]
            repeats = len(moment.rows(None)) // len(given)
            boxes, words = (torch.stack(each).repeat(repeats, 1, 1)
                            for each in zip(*given, strict=True))  # fmt: skip
            branch = {name.replace("/", "."): tensor for name, tensor in self.branch.items()}
            seen = read(branch, boxes, words)
            with ExitStack() as stack:
                stack.enter_context(attached(self.factors.deltas(), 1.0))
                around = looked(self._stage, branch, seen, 1.0, moment.rows(None), _widely)
                stack.enter_context(around(moment))
                yield

        return (laid,)

    def tensors(self, part: str) -> dict[str, Tensor]:
        """The factors, and the branch's tensors."""
        held = {PREFIX + name.replace("/", "."): tensor for name, tensor in self.branch.items()}
        return {**super().tensors(part), **held}

    def _told(self, boxes: Sequence[Box], count: int) -> tuple[Tensor, Tensor]:
        """Boxes ``[count, 4]`` and their captions' vectors, filled up with empty ones."""
        places = torch.zeros(count, 4)
        words = torch.zeros(count, len(self._vector("")))
        for number, box in enumerate(boxes):
            places[number] = torch.tensor([box.x, box.y, box.width, box.height])
            words[number] = self._vector(box.caption)
        return places, words

    def _vector(self, caption: str) -> Tensor:
        if caption not in self._vectors:
            if len(self._vectors) >= KEPT:
                self._vectors.clear()
            made = phrase(self._encoder, caption, self._stage.load, str(self._device))
            self._vectors[caption] = torch.from_numpy(made)
        return self._vectors[caption]

    @torch.no_grad()
    def _widths(self) -> dict[Place, tuple[int, int]]:
        """How wide the values and the queries of each attention are, from one call."""
        found: dict[Place, tuple[int, int]] = {}

        def hook(call: Attention) -> Tensor:
            value, query = call.value, call.query
            found[call.site.name, call.layer] = (
                value.shape[1] * value.shape[3],
                query.shape[1] * value.shape[3],
            )
            return call.attend()

        stage = self._stage
        said = self._family.encode_text(self._encoder, [""], {}, stage.load, str(self._device))
        shape = (1, describe(stage.model).geometry.channels, PROBE, PROBE)
        moment = Moment(
            1.0, 0, 1, shape, (Term("positive", said),), 1, stage.denoiser.tokens(shape)
        )
        watched = on_attention(stage.net, stage.card, hook, stage.layout, picture_sites(stage))
        prepared = stage.denoiser.prepare([said], 1)
        with watched(moment):
            stage.denoiser(torch.zeros(shape, device=self._device), 0.5, prepared)
        return found


def _widely(call: Attention) -> Tensor:
    """Attention in float32 on a CPU, whose backward pass takes a third of bfloat16's time."""
    if call.query.device.type != "cpu":
        return call.attend()
    wide = {name: getattr(call, name).float() for name in ("query", "key", "value")}
    mask = call.mask
    if mask is not None and mask.dtype.is_floating_point:
        mask = mask.float()
    with torch.autocast("cpu", enabled=False):
        return call.but(**wide, mask=mask).attend().to(call.query.dtype)


def _begun(name: str, shape: tuple[int, ...]) -> nn.Parameter:
    """A tensor to begin with: ``zero`` and biases at nothing, others small and random."""
    if name.endswith((".bias", "zero.weight", "near.weight")):
        return nn.Parameter(torch.zeros(shape))
    return nn.Parameter(torch.randn(shape) / math.sqrt(shape[-1]))


def begin(stage: Stage, plan: AdapterPlan) -> nn.Module:
    """An adapter that changes nothing yet.

    Raises:
        CatalogError: the family's latents are no pictures, or its model has no text encoder.
    """
    if describe(stage.model).geometry.frame_factor:
        raise CatalogError(
            f"{stage.card.title} models make videos, and boxes lie in pictures. Choose a model of "
            "pictures."
        )
    return LayoutAdapter(stage, plan)


LAYOUT = Form("layout", "Layout adapter", begin, 0, {}, boxed=True)
