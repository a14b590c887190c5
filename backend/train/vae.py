"""Training the VAE: pictures of 128 pixels to 16 channels of 16x16 and back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from backend.train import checkpoint
from backend.train.bank import Bank
from backend.train.recipe import Recipe, VaeRecipe, rate_share
from backend.train.scene import Bytes

Log = Callable[[str], None]


def build(recipe: VaeRecipe) -> AutoencoderKL:
    """An untrained VAE; each level but the last halves the picture."""
    levels = len(recipe.widths)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        block_out_channels=recipe.widths,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        latent_channels=recipe.latent_channels,
        norm_num_groups=recipe.groups,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
    )


def to_tensor(pixels: Bytes) -> Tensor:
    """uint8 [n, h, w, 3] to float32 [n, 3, h, w], -1..1, in channels-last order."""
    values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float()
    return values.div(127.5).sub(1).contiguous(memory_format=torch.channels_last)


def to_pixels(values: Tensor) -> Bytes:
    """float [n, 3, h, w], -1..1, to uint8 [n, h, w, 3]."""
    scaled = values.float().add(1).mul(127.5).round().clamp(0, 255)
    return np.asarray(scaled.byte().permute(0, 2, 3, 1).contiguous().cpu().numpy())


def _batch(bank: Bank, recipe: VaeRecipe, seed: int, step: int) -> Tensor:
    """Crops for most steps, whole pictures for every fourth and for the last tenth.

    Objects cover little of a picture, so crops are taken from its middle part; whole pictures
    keep the group norms' statistics true to what the VAE will see.
    """
    rng = np.random.default_rng([seed, step])
    whole = step % 4 == 3 or step >= recipe.steps * 0.9
    if whole:
        count = max(1, recipe.batch * recipe.crop**2 // 128**2)
        return to_tensor(bank.pixels(rng.integers(len(bank), size=count)))
    pictures = bank.pixels(rng.integers(len(bank), size=recipe.batch))
    margin = 8
    corners = rng.integers(margin, 128 - recipe.crop - margin + 1, size=(recipe.batch, 2))
    crops = [
        picture[y : y + recipe.crop, x : x + recipe.crop]
        for picture, (y, x) in zip(pictures, corners, strict=True)
    ]
    return to_tensor(np.stack(crops))


def _edges(values: Tensor) -> tuple[Tensor, Tensor]:
    return values[..., 1:, :] - values[..., :-1, :], values[..., 1:] - values[..., :-1]


def loss_of(
    vae: AutoencoderKL, pictures: Tensor, recipe: VaeRecipe, noise: torch.Generator
) -> Tensor:
    """The training loss of pictures [n, 3, h, w]: distance, edges, and a little KL."""
    device = pictures.device
    with torch.autocast(device.type, torch.bfloat16):
        moments = vae.encoder(pictures).float()
        mean, logvar = moments.chunk(2, 1)
        logvar = logvar.clamp(-20, 10)
        drawn = torch.randn(mean.shape, generator=noise).to(device)
        restored = vae.decoder(mean + torch.exp(0.5 * logvar) * drawn).float()
    error = restored - pictures
    edge = sum(
        functional.l1_loss(a, b) for a, b in zip(_edges(restored), _edges(pictures), strict=True)
    )
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    distance = error.abs().mean() + 2 * error.square().mean()
    loss: Tensor = distance + recipe.edge * edge + recipe.kl * kl
    return loss


def train(
    folder: Path,
    bank: Bank,
    recipe: Recipe,
    device: torch.device,
    log: Log = print,
    stop_at: int | None = None,
) -> None:
    """Train, or go on training, the VAE; the checkpoint is ``folder/vae.pt``.

    ``stop_at`` ends early as an interruption would.
    """
    plan, path = recipe.vae, folder / "vae.pt"
    torch.manual_seed(recipe.seed)
    vae = build(plan).to(device, memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(
        vae.parameters(), lr=plan.rate, weight_decay=1e-4, betas=(0.9, 0.98)
    )
    shadow, start = checkpoint.average(vae), 0
    if state := checkpoint.load(path):
        vae.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        shadow, start = {k: v.to(device) for k, v in state["average"].items()}, state["step"]
    began, seen = time.monotonic(), 0.0
    for step in range(start, plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * rate_share(step, plan.warmup, plan.steps)
        pictures = _batch(bank, plan, recipe.seed, step).to(device)
        loss = loss_of(vae, pictures, plan, checkpoint.step_generator(recipe.seed, step))
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        checkpoint.follow(shadow, vae, plan.ema, step)
        seen = 0.98 * seen + 0.02 * loss.item() if seen else loss.item()
        done = step + 1
        if done % 50 == 0:
            pace = (done - start) / (time.monotonic() - began)
            log(f"vae {done}/{plan.steps} loss {seen:.4f} {pace:.2f} steps/s")
        if done % plan.checkpoint_every == 0 or done in (plan.steps, stop_at):
            checkpoint.save(
                path,
                {
                    "model": vae.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "average": shadow,
                    "step": done,
                },
            )
        if done == stop_at:
            return


def trained(folder: Path, recipe: VaeRecipe) -> AutoencoderKL:
    """The averaged VAE of a checkpoint, in evaluation mode, rounded to bf16 and held in fp32.

    Rounding here means that latents, their statistics and the export all speak of one VAE.
    """
    state = checkpoint.load(folder / "vae.pt")
    if state is None:
        raise FileNotFoundError(f"no trained VAE in {folder}: run the vae step first")
    vae = build(recipe)
    vae.load_state_dict(state["average"], strict=True)
    return vae.to(torch.bfloat16).float().eval().to(memory_format=torch.channels_last)


@torch.no_grad()
def round_trip(vae: AutoencoderKL, pixels: Bytes, batch: int = 16) -> Bytes:
    """Pictures uint8 [n, h, w, 3] after encoding (the mode) and decoding in fp32."""
    parts = []
    for first in range(0, len(pixels), batch):
        latents = vae.encode(to_tensor(pixels[first : first + batch])).latent_dist.mode()
        parts.append(to_pixels(vae.decode(latents).sample))
    return np.concatenate(parts)


def psnr(first: Bytes, second: Bytes) -> NDArray[np.float64]:
    """Peak signal to noise in dB of each picture of two uint8 batches [n, h, w, 3]."""
    error = np.square(first.astype(np.float64) - second.astype(np.float64)).mean((1, 2, 3))
    return np.asarray(10 * np.log10(255**2 / np.maximum(error, 1e-9)))
