"""Training the transformer and the text encoders together, by rectified flow on latents."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from diffusers.models.attention_dispatch import attention_backend
from torch import Tensor, nn

from backend.train import checkpoint, text
from backend.train.bank import Bank
from backend.train.caption import Facts, draw_form, garnish, parse, write
from backend.train.recipe import FlowRecipe, Recipe, rate_share
from backend.train.text import Encoders
from backend.train.vae import Log, to_tensor

_MUON = re.compile(
    r"(attn\.(to|add)_\w+(\.0)?|ff(_context)?\.net\.\d(\.proj)?|proj_mlp|blocks\.\d+\.proj_out"
    r"|SelfAttention\.[qkvo]|DenseReluDense\.\w+|[qkv]_proj|self_attn\.out_proj|mlp\.fc\d)\.weight$"
)


@dataclass(frozen=True)
class Networks:
    """What the flow training moves."""

    transformer: FluxTransformer2DModel
    encoders: Encoders

    def modules(self) -> nn.ModuleDict:
        """The three networks under the names they have in the exported folder."""
        return nn.ModuleDict(
            {
                "transformer": self.transformer,
                "text_encoder": self.encoders.clip,
                "text_encoder_2": self.encoders.t5,
            }
        )


def build(recipe: FlowRecipe, channels: int) -> Networks:
    """Untrained networks for latents of ``channels`` channels; blocks start as identities."""
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=channels * 4,
        num_layers=recipe.double_blocks,
        num_single_layers=recipe.single_blocks,
        attention_head_dim=recipe.head_width,
        num_attention_heads=recipe.heads,
        joint_attention_dim=recipe.text_width,
        pooled_projection_dim=recipe.pooled_width,
        guidance_embeds=False,
        axes_dims_rope=recipe.rope,
    )
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Linear) and (
            name == "proj_out" or re.search(r"norm\w*\.linear$", name)
        ):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    return Networks(transformer, text.build(recipe))


def pack(latents: Tensor) -> Tensor:
    """Latents [n, c, h, w] as tokens [n, h/2 * w/2, c * 4], in Flux's order."""
    n, c, h, w = latents.shape
    parts = latents.view(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return parts.reshape(n, (h // 2) * (w // 2), c * 4)


def image_ids(rows: int, columns: int) -> Tensor:
    """Positions [rows * columns, 3] of packed image tokens, in Flux's order."""
    ids = torch.zeros(rows, columns, 3)
    ids[..., 1] = torch.arange(rows)[:, None]
    ids[..., 2] = torch.arange(columns)[None]
    return ids.view(-1, 3)


@dataclass(frozen=True)
class Latents:
    """The bank as latents: float16 [n, c, h, w], unscaled, with their statistics."""

    values: np.ndarray
    shift: float
    scale: float

    def batch(self, indices: np.ndarray) -> Tensor:
        """Scaled latents float32 [n, c, h, w] with mean about 0 and deviation about 1."""
        return (torch.from_numpy(self.values[indices]).float() - self.shift) * self.scale


@torch.no_grad()
def encode_bank(
    folder: Path, bank: Bank, count: int, vae: AutoencoderKL, device: torch.device, log: Log = print
) -> None:
    """Write ``folder/latents.npy``: the latent mode of the bank's first ``count`` scenes."""
    path = folder / "latents.npy"
    if path.exists():
        return
    vae.to(device)
    parts, began = [], time.monotonic()
    for first in range(0, count, 100):
        pictures = to_tensor(bank.pixels(range(first, min(first + 100, count)))).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            mean = vae.encoder(pictures).float().chunk(2, 1)[0]
        parts.append(mean.cpu().half().numpy())
        if first % 5000 == 0:
            log(f"latents {first}/{count} {time.monotonic() - began:.0f} s")
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(np.concatenate(parts)))
    temporary.replace(path)


def load_latents(folder: Path) -> Latents:
    """The latents that ``encode_bank`` wrote; statistics from all of them."""
    values = np.load(folder / "latents.npy")
    sample = values[:10_000].astype(np.float64)
    return Latents(values, shift=float(sample.mean()), scale=float(1 / sample.std()))


def draw_times(recipe: FlowRecipe, count: int, chance: torch.Generator) -> Tensor:
    """Noise shares 0..1 [count]: logit-normal, spread evenly over its quantiles in a batch."""
    places = (torch.arange(count) + torch.rand(count, generator=chance)) / count
    normal = torch.special.ndtri(places.clamp(1e-5, 1 - 1e-5))
    return torch.sigmoid(recipe.time_mean + recipe.time_spread * normal)


def loss_of(
    networks: Networks,
    clean: Tensor,
    clip_ids: Tensor,
    t5_ids: Tensor,
    recipe: FlowRecipe,
    chance: torch.Generator,
) -> Tensor:
    """Rectified flow: the mean squared error of the predicted velocity, noise less latents."""
    device = clean.device
    times = draw_times(recipe, len(clean), chance).to(device)
    noise = torch.randn(clean.shape, generator=chance).to(device)
    share = times[:, None, None, None]
    mixed = pack((1 - share) * clean + share * noise)
    rows, columns = clean.shape[2] // 2, clean.shape[3] // 2
    with torch.autocast(device.type, torch.bfloat16):
        pooled, words = text.encode(networks.encoders, clip_ids, t5_ids)
        velocity = networks.transformer(
            hidden_states=mixed,
            timestep=times,
            pooled_projections=pooled,
            encoder_hidden_states=words,
            txt_ids=torch.zeros(words.shape[1], 3, device=device),
            img_ids=image_ids(rows, columns).to(device),
            return_dict=False,
        )[0]
    error: Tensor = velocity.float() - pack(noise - clean)
    return error.square().mean()


def optimisers(modules: nn.Module, recipe: FlowRecipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside blocks, AdamW for all else."""
    named = dict(modules.named_parameters())
    inner = [p for name, p in named.items() if _MUON.search(name)]
    outer = [p for name, p in named.items() if not _MUON.search(name)]
    return [
        torch.optim.Muon(
            inner,
            lr=recipe.muon_rate,
            weight_decay=0.01,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(outer, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


@dataclass(frozen=True)
class Words:
    """Token numbers of every caption of the bank, and of the empty caption."""

    clip: Tensor
    t5: Tensor
    empty: tuple[Tensor, Tensor]

    def batch(self, indices: np.ndarray, dropped: Tensor) -> tuple[Tensor, Tensor]:
        """Token numbers of a batch, the empty caption where ``dropped`` bool [n] is set."""
        clip, t5 = self.clip[indices], self.t5[indices]
        clip[dropped], t5[dropped] = self.empty
        return clip, t5


def vary(captions: Sequence[str], recipe: FlowRecipe, seed: int) -> list[str]:
    """The captions, a few with filler words around them or with facts left out.

    People write both; a caption of two objects keeps its places, so that it stays decided.
    """
    rng, spoken = np.random.default_rng([seed, 7]), []
    for caption in captions:
        chance = rng.random()
        if chance < recipe.garnished:
            caption = garnish(caption, rng)
        elif chance < recipe.garnished + recipe.partial:
            facts = parse(caption)
            things = facts.objects
            if len(things) == 1 and rng.random() < 0.5:
                things = (replace(things[0], place=None),)
            ground = facts.background if things != facts.objects else None
            caption = write(Facts(things, ground), draw_form(rng))
        spoken.append(caption)
    return spoken


def words_of(encoders: Encoders, captions: Sequence[str], tokens: int) -> Words:
    """Tokenise all captions once."""
    clip, t5 = text.token_ids(encoders, captions, tokens)
    empty = text.token_ids(encoders, [""], tokens)
    return Words(clip, t5, (empty[0][0], empty[1][0]))


def train(
    folder: Path,
    captions: Sequence[str],
    latents: Latents,
    recipe: Recipe,
    device: torch.device,
    log: Log = print,
    stop_at: int | None = None,
) -> None:
    """Train, or go on training; the checkpoint is ``folder/flow.pt``.

    Starts with the T5-style encoder that ``reading`` taught, where there is one. ``stop_at`` ends
    early as an interruption would.
    """
    with _attention_for(device):
        _train(folder, captions, latents, recipe, device, log, stop_at)


def _train(
    folder: Path,
    captions: Sequence[str],
    latents: Latents,
    recipe: Recipe,
    device: torch.device,
    log: Log,
    stop_at: int | None,
) -> None:
    plan, path = recipe.flow, folder / "flow.pt"
    torch.manual_seed(recipe.seed)
    networks = build(plan, latents.values.shape[1])
    if taught := checkpoint.load(folder / "text.pt"):
        networks.encoders.t5.load_state_dict(taught["text_encoder_2"])
    modules = networks.modules().to(device).train()
    if plan.compiled:
        networks.transformer.compile()  # fused element-wise work
    spoken = vary(captions, plan, recipe.seed)
    words = words_of(networks.encoders, spoken, plan.tokens)
    movers = optimisers(modules, plan)
    shadow, start = checkpoint.average(modules), 0
    if state := checkpoint.load(path):
        start = _restore(state, modules, movers)
        shadow = {name: value.to(device) for name, value in state["average"].items()}
    rates = [mover.param_groups[0]["lr"] for mover in optimisers(modules, plan)]
    began, seen = time.monotonic(), 0.0
    for step in range(start, plan.steps):
        for mover, rate in zip(movers, rates, strict=True):
            mover.param_groups[0]["lr"] = rate * rate_share(
                step, plan.warmup, plan.steps, plan.hold
            )
        chance = checkpoint.step_generator(recipe.seed, step)
        indices = np.random.default_rng([recipe.seed, step]).integers(
            len(latents.values), size=plan.batch
        )
        dropped = torch.rand(plan.batch, generator=chance) < plan.dropout
        clip_ids, t5_ids = (ids.to(device) for ids in words.batch(indices, dropped))
        loss = loss_of(networks, latents.batch(indices).to(device), clip_ids, t5_ids, plan, chance)
        for mover in movers:
            mover.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(modules.parameters(), 1.0)
        for mover in movers:
            mover.step()
        checkpoint.follow(shadow, modules, plan.ema, step)
        seen = 0.99 * seen + 0.01 * loss.item() if seen else loss.item()
        done = step + 1
        if done % 50 == 0:
            pace = (done - start) / (time.monotonic() - began)
            log(f"flow {done}/{plan.steps} loss {seen:.4f} {pace:.2f} steps/s")
        if done % plan.checkpoint_every == 0 or done in (plan.steps, stop_at):
            checkpoint.save(
                path,
                {
                    "model": modules.state_dict(),
                    "average": shadow,
                    "step": done,
                    "optimisers": [mover.state_dict() for mover in movers],
                },
            )
        if done == stop_at:
            return


def _attention_for(device: torch.device) -> AbstractContextManager[None]:
    """On a CPU, short sequences train quicker with plain attention.

    For a time only: ``set_attention_backend`` of a model changes every other model of the process
    too, whose results would then differ in the last bits.
    """
    if device.type != "cpu":
        return nullcontext()
    return cast("AbstractContextManager[None]", attention_backend("_native_math"))


def _restore(state: dict[str, Any], modules: nn.Module, movers: list[torch.optim.Optimizer]) -> int:
    modules.load_state_dict(state["model"])
    for mover, saved in zip(movers, state["optimisers"], strict=True):
        mover.load_state_dict(saved)
    return int(state["step"])


def trained(folder: Path, recipe: Recipe) -> Networks:
    """The averaged networks of a checkpoint, in evaluation mode, in fp32."""
    state = checkpoint.load(folder / "flow.pt")
    if state is None:
        raise FileNotFoundError(f"no trained transformer in {folder}: run that step first")
    networks = build(recipe.flow, recipe.vae.latent_channels)
    modules = networks.modules()
    modules.load_state_dict(state["model"])  # buffers and tied weights
    parameters = dict(modules.named_parameters())
    with torch.no_grad():
        for name, value in state["average"].items():
            parameters[name].copy_(value)
    modules.eval()
    return networks
