"""Reports of measured figures, as plain data and as lines to read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL

from backend.train.export import weight_bytes
from backend.train.figures import (
    Rate,
    held_captions,
    machine,
    scene_figures,
    scorer_figures,
)
from backend.train.generate import Generate
from backend.train.scene import Bytes, Scene
from backend.train.vae import psnr, round_trip, to_tensor
from backend.train.world import scenes

Report = dict[str, Any]


def _rates(rates: dict[str, Rate]) -> Report:
    return {name: value.as_json() for name, value in rates.items()}


@torch.no_grad()
def vae_report(vae: AutoencoderKL, count: int, seed: int) -> Report:
    """The VAE on fresh scenes: round trip in dB, and the statistics of scaled latents."""
    pictures = np.stack([scene.pixels for scene in scenes(seed, count, "any")])
    decibels = psnr(pictures, round_trip(vae, pictures))
    latents = torch.cat(
        [
            vae.encode(to_tensor(pictures[i : i + 16])).latent_dist.mode()
            for i in range(0, count, 16)
        ]
    )
    scaled = (latents - vae.config.shift_factor) * vae.config.scaling_factor
    return {
        "count": count,
        "psnr_mean": round(float(decibels.mean()), 2),
        "psnr_min": round(float(decibels.min()), 2),
        "latent_mean": round(float(scaled.mean()), 3),
        "latent_std": round(float(scaled.std()), 3),
    }


def model_report(
    generate: Generate, vae: AutoencoderKL, folder: Path, count: int, seed: int
) -> Report:
    """Scenes right on ``count`` held-out captions, the VAE's figures, sizes, seconds, machine."""
    captions = held_captions(seed, count)
    began = time.monotonic()
    pictures = generate(captions, seed)
    seconds = time.monotonic() - began
    found = scene_figures(pictures, captions)
    return {
        "rates": _rates(
            {"scene": found.scene, "scene and textures": found.with_textures, **found.kinds}
        ),
        "vae": vae_report(vae, min(count, 200), seed),
        "megabytes": round(weight_bytes(folder) / 1e6, 2),
        "seconds_per_picture": round(seconds / max(1, count), 3),
        "seed": seed,
        **machine(),
    }


def scorer_report(count: int, seed: int, model: Path | None = None) -> Report:
    """The scorer on true and wrong scenes, and on the same after a VAE's round trip."""
    plain = scorer_figures(count, seed)
    rates = {
        "true scenes": plain.true,
        "true textures": plain.textures,
        **{f"{kind} wrong, refused": value for kind, value in plain.refused.items()},
    }
    if model:
        vae = AutoencoderKL.from_pretrained(model / "vae", dtype=torch.float32)

        def change(drawn: list[Scene]) -> Bytes:
            return round_trip(vae.eval(), np.stack([scene.pixels for scene in drawn]))

        restored = scorer_figures(count, seed, change)
        rates |= {
            "true scenes after the VAE": restored.true,
            "true textures after the VAE": restored.textures,
            **{
                f"{kind} wrong after the VAE, refused": value
                for kind, value in restored.refused.items()
            },
        }
    return {"rates": _rates(rates), "seed": seed, **machine()}


def report_lines(report: Report) -> list[str]:
    """A report for people: a line per figure."""
    lines = [
        f"{name:32} {Rate(int(value['right']), int(value['count']))}"
        for name, value in report["rates"].items()
    ]
    for name, value in report.items():
        if name != "rates":
            shown = (
                ", ".join(f"{k} {v}" for k, v in value.items())
                if isinstance(value, dict)
                else value
            )
            lines.append(f"{name:32} {shown}")
    return lines
