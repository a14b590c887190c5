"""Sana against diffusers' pipeline: the same latents in, the same latents out.

The pipeline makes pictures from texts only; image to image is compared with it going on from a
code that its scheduler noised.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.pipelines.sana import SanaPipeline

from backend.diffusion.shift import Shift
from backend.models import sana
from backend.models.sana import SanaDenoiser
from backend.values import Latent
from tests.backend.models import tiny_sana
from tests.backend.models.battery import Case, Parity, Variant
from tests.backend.models.mistakes import (
    altered,
    even_grid,
    fill_kept,
    instead,
    layers,
    sides_swapped,
    time_reversed,
)
from tests.backend.models.parity import PROMPTS, STEPS, TOLERANCE, Weft, difference, picture, pixels


def _one_more_kept(right: Any) -> Any:
    return lambda *given: max(right(*given) - 1, 0)


class TestSana(Parity):
    case = Case(
        tiny_sana.write,
        SanaPipeline,
        told={"max_sequence_length": tiny_sana.TOKENS, "use_resolution_binning": False},
        weft={
            "size": (64, 32),  # the pipeline takes multiples of 32 only, whatever the autoencoder
            "solver": "dpmpp_2m",
            # The pipeline puts the instruction before the prompt only.
            "options": {"negative": {"negative": True}},
        },
        variants={
            "no shift": Variant(partial(tiny_sana.write, flow_shift=1.0)),
            "a solver of order 1": Variant(
                partial(tiny_sana.write, solver_order=1), weft={"solver": "euler"}
            ),
        },
        mistakes={
            "time counted from the picture": time_reversed(SanaDenoiser),
            "rows and columns swapped": sides_swapped(SanaDenoiser),
            "the last hidden states but one": layers(sana, -2),
            "no instruction": instead(sana, "INSTRUCTION", lambda right: ""),
            "one token more of the instruction": instead(sana, "_dropped", _one_more_kept),
            "instruction and what fills up counted as text": fill_kept(sana),
            "another shift": instead(
                sana, "Shift", lambda _: lambda kind, value: Shift(kind, value - 0.5)
            ),
            "another grid": altered(sana, "Process", grid=even_grid(0.001)),
        },
        changed={"another solver": {"solver": "euler"}},
    )

    def test_text_encoding_equals_the_pipeline(self, weft: Weft, pipe: Any) -> None:
        texts = [*PROMPTS, " A LONG text " * 20]
        for instruction in (sana.INSTRUCTION, "write: ", ""):
            with torch.no_grad():
                theirs, mask, _, _ = pipe.encode_prompt(
                    texts,
                    do_classifier_free_guidance=False,
                    max_sequence_length=tiny_sana.TOKENS,
                    complex_human_instruction=[instruction] if instruction else None,
                )
            ours = weft.text(texts, instruction=instruction).tensors
            lengths = [int(m.sum()) for m in mask]
            assert ours["mask"].sum(1).tolist() == lengths
            assert max(lengths) == tiny_sana.TOKENS
            assert len(set(lengths)) == 3
            for row, their, n in zip(ours["sequence"].copy(), theirs, lengths, strict=True):
                assert difference(torch.from_numpy(row[:n]), their[:n]) < TOLERANCE
                assert not row[n:].any()

    def test_an_empty_text_has_no_instruction(self, weft: Weft, pipe: Any) -> None:
        with torch.no_grad():
            _, _, theirs, mask = pipe.encode_prompt(
                "a", max_sequence_length=tiny_sana.TOKENS, complex_human_instruction=["long"]
            )
        ours = weft.text(["a", ""]).tensors
        assert int(mask.sum()) == ours["mask"][1].sum() == 1
        empty = torch.from_numpy(ours["sequence"][1:, :1].copy())
        assert difference(empty, theirs[:, :1]) < TOLERANCE

    def test_encoding_equals_the_autoencoders(self, weft: Weft) -> None:
        net = weft.load(weft.refs.vae)
        with torch.no_grad():
            theirs = net.encode(pixels() * 2 - 1).latent * 0.7
        for seed in (None, 3):
            ours = weft.encode(picture(), seed)
            assert difference(torch.from_numpy(ours.samples.copy()), theirs) < TOLERANCE

    def test_image_to_image_equals_the_schedulers_way(self, weft: Weft, folder: Path) -> None:
        pipe = self.pipeline(SanaPipeline, folder)
        begin = 3

        class Late(type(pipe.scheduler)):  # type: ignore[misc]
            def set_timesteps(self, *args: Any, **named: Any) -> None:
                super().set_timesteps(*args, **named)
                self.timesteps = self.timesteps[begin:]
                self.sigmas = self.sigmas[begin:]

        normal = np.random.default_rng(1).normal(size=weft.shape()).astype(np.float32)
        code = torch.from_numpy(normal)
        scheduler = pipe.scheduler
        scheduler.set_timesteps(STEPS)
        sigma = scheduler.sigmas[begin]
        pipe.scheduler = Late.from_config(scheduler.config)
        noised = (1 - sigma) * code + sigma * weft.noise(12)
        theirs = self.latents(self.made(pipe, weft, latents=noised))
        ours = weft.run(Latent(normal, "any"), 12, begin / STEPS)
        assert difference(ours, theirs) < TOLERANCE
