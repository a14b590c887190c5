"""Z-Image against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from diffusers.pipelines.z_image import (
    ZImageImg2ImgPipeline,
    ZImageInpaintPipeline,
    ZImagePipeline,
)

from backend.models import z_image
from backend.models.z_image import ZImageDenoiser
from tests.backend.models import tiny_z_image
from tests.backend.models.battery import Case, PictureParity, Variant
from tests.backend.models.mistakes import (
    altered,
    called,
    fill_kept,
    instead,
    layers,
    scaled,
    sides_swapped,
    time_reversed,
)
from tests.backend.models.parity import MARGIN, PROMPTS, TOLERANCE, Weft, difference


def _no_template(_: Any) -> Any:
    return lambda tokenizer, texts, **_: list(texts)


class TestZImage(PictureParity):
    case = Case(
        tiny_z_image.write,
        ZImagePipeline,
        ZImageImg2ImgPipeline,
        ZImageInpaintPipeline,
        told={"max_sequence_length": tiny_z_image.TOKENS},
        # The pipeline adds it to a prediction that already counts as 1.
        scale=lambda cfg: {"guidance_scale": cfg - 1},
        variants={"the base model's shift": Variant(partial(tiny_z_image.write, shift=6.0))},
        mistakes={
            "time counted from the picture": time_reversed(ZImageDenoiser),
            "time a little late": called(
                ZImageDenoiser, lambda right, x, s, r: right(x, max(s - 0.02, 0), r)
            ),
            "rows and columns swapped": sides_swapped(ZImageDenoiser),
            "texts in the other order": called(
                ZImageDenoiser, lambda right, x, s, r: right(x, s, r[::-1])
            ),
            "the last hidden states": layers(z_image, -1),
            "no chat template": instead(z_image, "chats", _no_template),
            "what fills up shorter texts counted as text": fill_kept(z_image),
            "another shift": altered(z_image, "flow_shift", value=2.5),
        },
        picture_mistakes={"unscaled": scaled(1.0, 0.15), "unshifted": scaled(0.7)},
    )

    def test_renormed_guidance_equals_the_pipelines(self, weft: Weft, pipe: Any) -> None:
        plain = weft.run(weft.empty())
        for limit in (1.0, 0.9):
            theirs = self.latents(self.made(pipe, weft, cfg_normalization=limit))
            ours = weft.run(weft.empty(), guidance="cfg_renorm", params={"limit": limit})
            assert difference(ours, theirs) < TOLERANCE
            assert difference(ours, plain) > MARGIN * TOLERANCE

    def test_text_encoding_equals_the_pipeline(self, weft: Weft, pipe: Any) -> None:
        texts = [*PROMPTS, "a long text " * 20]
        with torch.no_grad():
            theirs, _ = pipe.encode_prompt([*texts], max_sequence_length=tiny_z_image.TOKENS)
        ours = weft.text(texts).tensors
        lengths = [len(sequence) for sequence in theirs]
        assert len(set(lengths)) == 3
        assert max(lengths) == tiny_z_image.TOKENS
        assert ours["mask"].sum(1).tolist() == lengths
        for sequence, row in zip(theirs, ours["sequence"].copy(), strict=True):
            assert difference(torch.from_numpy(row[: len(sequence)]), sequence) < TOLERANCE
            assert not row[len(sequence) :].any()

    def test_the_wrong_sign_never_comes_to_a_picture(
        self, weft: Weft, from_texts: torch.Tensor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called(ZImageDenoiser, lambda right, x, s, r: -right(x, s, r))(monkeypatch)
        assert difference(weft.run(weft.empty()), from_texts) > 0.5
