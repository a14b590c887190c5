"""The settings of schedulers and VAEs in a model folder, as Weft's own terms. Light."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.shift import Shift

SPACINGS = ("karras", "exponential", "beta")
UNKNOWN = ("invert_sigmas", "stochastic_sampling")


def flow_shift(settings: Mapping[str, Any]) -> Shift:
    """The shift rule of a FlowMatchEulerDiscreteScheduler's settings, with its defaults."""
    terminal = settings.get("shift_terminal")
    if not settings.get("use_dynamic_shifting", False):
        return Shift("static", float(settings.get("shift", 1.0)), terminal=terminal)
    return Shift(
        "dynamic",
        base=float(settings.get("base_shift", 0.5)),
        top=float(settings.get("max_shift", 1.15)),
        base_tokens=int(settings.get("base_image_seq_len", 256)),
        top_tokens=int(settings.get("max_image_seq_len", 4096)),
        form=settings.get("time_shift_type", "exponential"),
        terminal=terminal,
    )


def spacing(settings: Mapping[str, Any]) -> str:
    """The kind of schedule that places the levels, "" where the shifted grid itself does."""
    return next((kind for kind in SPACINGS if settings.get(f"use_{kind}_sigmas")), "")


def check_scheduler(folder: ModelFolder, family: str) -> None:
    """Refuse scheduler settings that a flow model's run would not follow.

    Raises:
        CatalogError: there are such.
        ValueError, TypeError: one that should be a number is none.
    """
    scheduler = folder.component("scheduler")
    if not scheduler.kind.startswith("FlowMatch"):
        raise CatalogError(
            f"{folder.path} names the scheduler {scheduler.kind}, which is not for flow models as "
            f"a {family} is. Get model_index.json and the scheduler folder again."
        )
    for name in UNKNOWN:
        if scheduler.config.get(name):
            raise CatalogError(
                f"{folder.path}: the scheduler settings ask for {name}, which is not built here. "
                f"Set {name} to false in scheduler/scheduler_config.json."
            )
    flow_shift(scheduler.config)


def check_scaling(folder: ModelFolder) -> None:
    """Refuse a VAE whose latents cannot be scaled back.

    Raises:
        CatalogError: its scaling factor is not above 0.
        ValueError, TypeError: it is no number.
    """
    scale = float(folder.component("vae").config.get("scaling_factor", 0.18215))
    if not 0 < scale < math.inf:
        raise CatalogError(
            f"{folder.path}: the VAE's scaling_factor is {scale:g}, but must be above 0. "
            "Get the config of the VAE again."
        )
