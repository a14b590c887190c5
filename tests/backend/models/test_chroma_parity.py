"""Chroma against diffusers' pipelines: the same latents in, the same latents out.

The pipelines' text mask is made boolean here, as the model's own code has it; texts that leave
nothing to mask are compared with the pipelines as they are.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.chroma import (
    ChromaImg2ImgPipeline,
    ChromaInpaintPipeline,
    ChromaPipeline,
)

from backend.diffusion.shift import Shift
from backend.models import chroma
from tests.backend.models import parity, tiny_chroma
from tests.backend.models.battery import Case, PictureParity, Variant
from tests.backend.models.mistakes import (
    fill_read,
    instead,
    padding_seen,
    prepared,
    scaled,
)
from tests.backend.models.packed import PATCH_ORDER, SIDES_SWAPPED, Packed
from tests.backend.models.parity import PROMPTS, TOLERANCE, Weft, difference

LONG = ["a long text that goes on and on " * 3, "and another one that never comes to its end " * 2]


def masking(kind: Any) -> Any:
    """A pipeline whose text mask masks."""

    class Masking(kind):  # type: ignore[misc]
        def _prepare_attention_mask(self, *given: Any, **named: Any) -> torch.Tensor | None:
            mask = super()._prepare_attention_mask(*given, **named)
            return None if mask is None else mask.bool()

    return Masking


def _no_padding_token(right: Any) -> Any:
    return lambda net, ids, mask, device, beyond: right(net, ids, mask, device)


class TestChroma(Packed, PictureParity):
    case = Case(
        tiny_chroma.write,
        ChromaPipeline,
        ChromaImg2ImgPipeline,
        ChromaInpaintPipeline,
        told={"max_sequence_length": tiny_chroma.TOKENS},
        variants={
            "no shift": Variant(partial(tiny_chroma.write, use_dynamic_shifting=False, shift=1.0)),
            "beta schedule": Variant(partial(tiny_chroma.write, use_beta_sigmas=True)),
        },
        mistakes={
            "image positions with rows and columns swapped": SIDES_SWAPPED,
            "patches read in the other order": PATCH_ORDER,
            "static instead of dynamic shift": instead(
                chroma, "flow_shift", lambda _: lambda settings: Shift("static", 3.0)
            ),
            "no mask": fill_read(chroma),
            "no padding token": instead(chroma, "encode_unpadded", _no_padding_token),
            "a mask that is added to the scores": prepared(
                chroma.ChromaDenoiser,
                lambda ready: {"attention_mask": ready["attention_mask"].float()},
            ),
            "padding seen by T5": padding_seen(chroma),
        },
        picture_mistakes={"unscaled": scaled(1.0, 0.15), "unshifted": scaled(0.7)},
    )

    @classmethod
    def pipeline(cls, kind: Any, folder: Path) -> Any:
        pipe = super().pipeline(masking(kind), folder)
        if kind is ChromaInpaintPipeline:  # it asks, and Chroma has none
            pipe.transformer.register_to_config(guidance_embeds=False)
        return pipe

    def test_texts_without_padding_equal_the_pipeline_as_it_is(
        self, folder: Path, weft: Weft
    ) -> None:
        pipe = parity.pipeline(ChromaPipeline, folder)
        texts = {"prompt": LONG, "negative_prompt": LONG[::-1]}
        theirs = self.latents(self.made(pipe, weft, **texts))
        ours = weft.run(weft.empty(), prompts=LONG, negative=LONG[::-1])
        assert difference(ours, theirs) < TOLERANCE

    def test_text_encoding_equals_the_pipeline(self, weft: Weft, folder: Path) -> None:
        texts = [*PROMPTS, LONG[0]]
        with torch.no_grad():
            theirs, _, mask, *_ = parity.pipeline(ChromaPipeline, folder).encode_prompt(
                texts, do_classifier_free_guidance=False, max_sequence_length=tiny_chroma.TOKENS
            )
        ours = weft.text(texts)
        assert ours.tensors["mask"].tolist() == mask.tolist()
        assert len(set(mask.sum(1).tolist())) == 3
        kept = torch.from_numpy(ours.tensors["sequence"].copy())
        assert difference(kept, theirs * mask[..., None]) < TOLERANCE
