"""Lumina 2 against diffusers' pipeline: the same latents in, the same latents out.

The pipeline makes pictures from texts only; image to image and in-paint are compared with it
started from a noised picture, and with the rest put back after each of its steps.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from diffusers.pipelines.lumina2 import Lumina2Pipeline

from backend.diffusion.noise import gaussian
from backend.diffusion.process import reciprocal
from backend.diffusion.shift import shifted
from backend.models import lumina2
from backend.models.lumina2 import Lumina2Denoiser
from tests.backend.models import tiny_lumina2
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
from tests.backend.models.parity import (
    HEIGHT,
    PROMPTS,
    STEPS,
    TOLERANCE,
    WIDTH,
    Weft,
    difference,
    picture,
)

SHIFT = 6.0


def _no_system(_: Any) -> Any:
    return lambda texts, options: list(texts)


class TestLumina2(PictureParity):
    case = Case(
        tiny_lumina2.write,
        Lumina2Pipeline,
        told={
            "cfg_normalization": False,
            "width": WIDTH * 2,  # sizes count for its checks only: these want multiples of 16
            "height": 2 * HEIGHT,
            "max_sequence_length": tiny_lumina2.TOKENS,
        },
        # The pipeline puts the system prompt before the prompt only.
        weft={"options": {"negative": {"negative": True}}},
        variants={"another shift": Variant(partial(tiny_lumina2.write, shift=2.0))},
        mistakes={
            "time counted from the picture": time_reversed(Lumina2Denoiser),
            "time in thousandths": called(
                Lumina2Denoiser, lambda right, x, s, r: right(x, 1 - (1 - s) * 1e3, r)
            ),
            "rows and columns swapped": sides_swapped(Lumina2Denoiser),
            "the wrong sign": called(Lumina2Denoiser, lambda right, x, s, r: -right(x, s, r)),
            "the last hidden states": layers(lumina2, -1),
            "no system prompt": instead(lumina2, "_asked", _no_system),
            "what fills up shorter texts counted as text": fill_kept(lumina2),
            "another shift": altered(lumina2, "flow_shift", value=5.0),
        },
        picture_mistakes={"unscaled": scaled(1.0, 0.15), "unshifted": scaled(0.7)},
    )

    @pytest.fixture(scope="class")
    @classmethod
    def image_to_image(cls, pipe: Any, weft: Weft) -> torch.Tensor:
        return cls.from_noised(pipe, weft, 2, None)

    @pytest.fixture(scope="class")
    @classmethod
    def in_paint(cls, pipe: Any, weft: Weft) -> torch.Tensor:
        mask = weft.masked().mask
        assert mask is not None
        return cls.from_noised(pipe, weft, 1, torch.from_numpy(mask.copy())[:, None])

    @classmethod
    def from_noised(
        cls, pipe: Any, weft: Weft, skip: int, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """The pipeline from the encoded picture, noised to its level after ``skip`` steps."""
        clean = torch.from_numpy(weft.encode(picture(), seed=11).samples.copy())
        noise = gaussian(12, weft.shape())
        grid = reciprocal(STEPS)[skip:]
        levels = [*(shifted(s, SHIFT) for s in grid), 0.0]

        def put_back(_: Any, step: int, __: Any, given: dict[str, Any]) -> dict[str, Any]:
            if mask is None:
                return given
            rest = (1 - levels[step + 1]) * clean + levels[step + 1] * noise
            return {**given, "latents": (1 - mask) * rest + mask * given["latents"]}

        told = {**cls.told(pipe, weft), "num_inference_steps": len(grid), "sigmas": grid}
        start = (1 - levels[0]) * clean + levels[0] * noise
        return cls.latents(pipe(**told, latents=start, callback_on_step_end=put_back))

    def test_guidance_in_a_part_of_the_run_equals_the_pipelines_truncation(
        self, pipe: Any, weft: Weft
    ) -> None:
        part = 3 / STEPS
        theirs = self.latents(self.made(pipe, weft, cfg_trunc_ratio=part + 1e-3))
        for guidance, loose in (("cfg_interval", {}), ("cfg_renorm", {"limit": 1e6})):
            params = {"begin": 0.0, "end": part, **loose}
            ours = weft.run(weft.empty(), guidance=guidance, params=params)
            assert difference(ours, theirs) < TOLERANCE

    def test_text_encoding_equals_the_pipeline(self, weft: Weft, pipe: Any) -> None:
        texts = [*PROMPTS, "a long text " * 20]
        with torch.no_grad():
            theirs, mask, empty, none = pipe.encode_prompt(
                texts, max_sequence_length=tiny_lumina2.TOKENS
            )
        ours = weft.text(texts)
        assert ours.tensors["mask"].tolist() == mask.tolist()
        assert len(set(mask.sum(1).tolist())) == 3
        kept = torch.from_numpy(ours.tensors["sequence"].copy())
        assert difference(kept, theirs * mask[..., None]) < TOLERANCE
        bare = weft.text([""]).tensors
        assert bare["mask"].tolist() == [[1.0]]
        assert none[0].sum() == 1
        assert difference(torch.from_numpy(bare["sequence"].copy())[0, 0], empty[0, 0]) < TOLERANCE
