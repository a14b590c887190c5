"""Nodes whose time is in the hands of a test: they wait for a file, and die when told to."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from backend.sdk import Context, SeedParam, UserError, node
from backend.values import Image


@node(category="Test")
def until(ctx: Context, text: str = "", file: str = "") -> str:
    """Go on until a file is there, and give the text."""
    turn = 0
    while file and not Path(file).exists():
        turn += 1
        ctx.progress(turn % 10, 10)
        time.sleep(0.01)
    return text


@node(category="Test")
def die(ctx: Context, file: str = "") -> str:
    """End the whole process, the first time; leave the file as a mark of that."""
    if not Path(file).exists():
        Path(file).write_text("died")
        os._exit(7)
    return "alive"


@node(category="Test")
def refuse(ctx: Context, text: str = "") -> str:
    """Fail."""
    raise UserError("It does not want to.")


@node(category="Image")
def grey(ctx: Context, value: float = 0.5, side: int = 64) -> Image:
    """A grey picture."""
    return Image(np.full((1, side, side, 3), value, np.float32))


@node(category="Test", effect=True)
def see_picture(ctx: Context, image: Image) -> None:
    """Use a picture."""


@node(category="Test", effect=True)
def take_text(ctx: Context, text: str) -> None:
    """Use a text."""


@node(category="Test", effect=True)
def draw(ctx: Context, seed: SeedParam = 0) -> None:
    """Use a seed."""
