"""The peak formulas against what really lives at once, counted by a dispatch mode."""

from __future__ import annotations

import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
from torch.utils._python_dispatch import TorchDispatchMode

from backend.diffusion.paths import FLOW
from backend.diffusion.process import Process
from backend.models import flux
from backend.models.card import Geometry
from backend.values import Conditioning

ROOT = Path(__file__).resolve().parents[3]


class Living(TorchDispatchMode):
    """Counts the bytes of storages made inside that are alive, and their peak; weights apart."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.seen = {p.untyped_storage()._cdata for p in module.parameters()}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for value in out if isinstance(out, tuple | list) else [out]:
            if isinstance(value, torch.Tensor):
                self.note(value.untyped_storage())
        return out

    def note(self, storage: Any) -> None:
        key = storage._cdata
        if key in self.seen:
            return
        size = storage.nbytes()
        self.seen.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self.drop, key, size)

    def drop(self, key: int, size: int) -> None:
        self.seen.discard(key)
        self.now -= size


def measured(module: torch.nn.Module, call: Callable[[], object]) -> int:
    with torch.no_grad(), Living(module) as living:
        call()
    return living.peak


CALLS = [(4, 16), (4, 32), (8, 16)]


@pytest.fixture(scope="module")
def shares() -> dict[tuple[int, int], float]:
    """From a process of its own: which kernel attention takes is a state of the whole process, and
    the formula is for the one that torch takes by itself."""
    script = f"from {__name__} import share_of_formula as s; print(*(s(*c) for c in {CALLS}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return dict(zip(CALLS, map(float, done.stdout.split()), strict=True))


@pytest.mark.parametrize("call", CALLS)
def test_a_denoiser_call_needs_what_the_formula_says(
    shares: dict[tuple[int, int], float], call: tuple[int, int]
) -> None:
    assert 0.8 < shares[call] < 1.2


def share_of_formula(heads: int, side: int) -> float:
    """What a call of a denoiser needs, by what the formula says."""
    torch.set_num_threads(1)
    net = FluxTransformer2DModel(
        in_channels=64,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=32,
        num_attention_heads=heads,
        joint_attention_dim=64,
        pooled_projection_dim=64,
        axes_dims_rope=(8, 12, 12),
    ).eval()
    denoiser = flux.FluxDenoiser(net, Process(FLOW, "velocity"), Geometry(16, 8, 2), None, "cpu")
    tensors = {"sequence": np.zeros((1, 32, 64)), "pooled": np.zeros((1, 64))}
    ready = denoiser.prepare([Conditioning("x", tensors)], 2)
    x = torch.zeros(2, 16, side * 2, side * 2)
    said = flux.CARD.peak.token_widths * heads * 32 * 4 * side * side * 2
    return measured(net, lambda: denoiser(x, 0.5, ready)) / said


@pytest.mark.parametrize(("widths", "size"), [((32, 64, 128, 128), 64), ((32, 64), 96)])
def test_a_vae_needs_what_the_formula_says(widths: tuple[int, ...], size: int) -> None:
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=widths,
        latent_channels=16,
        norm_num_groups=8,
    ).eval()
    small = size // 2 ** (len(widths) - 1)
    said = flux.CARD.peak.pixel_channels * widths[0] * 4 * size * size
    decoding = measured(vae, lambda: vae.decode(torch.zeros(1, 16, small, small)))
    assert 0.7 < decoding / said < 1.3
    assert measured(vae, lambda: vae.encode(torch.zeros(1, 3, size, size))) < said * 1.1
