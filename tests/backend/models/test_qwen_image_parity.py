"""Qwen-Image against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers.pipelines.qwenimage import (
    QwenImageImg2ImgPipeline,
    QwenImageInpaintPipeline,
    QwenImagePipeline,
)

from backend.diffusion.guidance import cfg_token_norm
from backend.models import one_frame, patches2x2, qwen_image
from backend.models.qwen_image import QwenImageDenoiser
from tests.backend.models import tiny_qwen
from tests.backend.models.battery import Case, PictureParity, Variant
from tests.backend.models.mistakes import (
    altered,
    fill_kept,
    instead,
    layers,
    sides_swapped,
    time_reversed,
)
from tests.backend.models.packed import Packed
from tests.backend.models.parity import PROMPTS, TOLERANCE, Weft, difference

LIGHTNING = {"base_shift": np.log(3), "max_shift": np.log(3), "shift_terminal": None}
"""A fixed shift of 3, with no last level."""


class TestQwenImage(Packed, PictureParity):
    case = Case(
        tiny_qwen.write,
        QwenImagePipeline,
        QwenImageImg2ImgPipeline,
        QwenImageInpaintPipeline,
        scale=lambda cfg: {"true_cfg_scale": cfg},
        weft={"guidance": "cfg_token_norm"},
        variants={"the lightning model's schedule": Variant(partial(tiny_qwen.write, **LIGHTNING))},
        mistakes={
            "time counted from the picture": time_reversed(QwenImageDenoiser),
            "rows and columns swapped": sides_swapped(QwenImageDenoiser),
            "another layer's hidden states": layers(qwen_image, -2),
            "no template": instead(qwen_image, "_asked", lambda _: lambda text: "|" * 34 + text),
            "one token less dropped": instead(qwen_image, "INSTRUCTION", lambda right: 33),
            "what fills up shorter texts counted as text": fill_kept(qwen_image),
            "no last level in the shift": altered(qwen_image, "flow_shift", terminal=None),
            "patches read in the other order": instead(
                qwen_image,
                "pack",
                lambda _: lambda x: patches2x2.pack(x.transpose(2, 3)).contiguous(),
            ),
            "norms of cells instead of tokens": instead(
                cfg_token_norm, "token_norms", lambda right: lambda x, _: right(x, 1)
            ),
        },
        changed={"guidance without its norm": {"guidance": "cfg"}},
        picture_mistakes={
            "unscaled": altered(one_frame, "channel_scaling", scale=1.0),
            "unshifted": altered(one_frame, "channel_scaling", shift=0.0),
        },
    )

    def test_text_encoding_equals_the_pipeline(self, weft: Weft, folder: Path) -> None:
        pipe = self.pipeline(QwenImagePipeline, folder)
        pipe.tokenizer_max_length = tiny_qwen.TOKENS
        texts = [*PROMPTS, "a long {text} " * 20]
        with torch.no_grad():
            theirs, mask = pipe.encode_prompt(texts)
            cut, _ = pipe.encode_prompt(texts, max_sequence_length=9)
        ours, short = weft.text(texts).tensors, weft.text(texts, max_tokens=9).tensors
        assert mask.sum(1).tolist() == ours["mask"].sum(1).tolist()
        assert len(set(mask.sum(1).tolist())) == 3
        assert difference(torch.from_numpy(ours["sequence"].copy()), theirs) < TOLERANCE
        assert difference(torch.from_numpy(short["sequence"].copy()), cut) < TOLERANCE
