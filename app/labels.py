"""How names of sockets, parameters and choices are written on screen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

_CAPITALS = {
    "vae": "VAE", "cfg": "CFG", "lora": "LoRA", "rgb": "RGB", "rgba": "RGBA", "png": "PNG",
    "jpeg": "JPEG", "webp": "WebP", "tiff": "TIFF", "clip": "CLIP", "llm": "LLM", "vlm": "VLM",
    "id": "ID", "url": "URL", "fps": "FPS", "gpu": "GPU", "cpu": "CPU", "t5": "T5", "x": "x",
    "y": "y", "wav": "WAV", "unet": "U-Net", "json": "JSON", "ddim": "DDIM", "dpmpp": "DPM++",
}  # fmt: skip


@cache
def label(name: str) -> str:
    """A name as people read it: ``text_encoder`` is ``Text encoder``, ``vae`` is ``VAE``."""
    words = [_CAPITALS.get(word, word) for word in name.replace("-", " ").split("_")]
    said = " ".join(words)
    return said[:1].upper() + said[1:] if name not in ("x", "y") else name.upper()


def figure(value: float) -> str:
    """A number as short as it can be read: ``3.5``, ``28``, ``0.001``."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int):
        return str(value)
    return f"{value:.6g}"


def value_words(value: Any, kind: str) -> str:
    """A parameter's value in a few words, on one line."""
    if kind == "boolean":
        return "Yes" if value else "No"
    if kind == "choice":
        return label(value) if isinstance(value, str) else str(value)
    if isinstance(value, int | float):
        return figure(value)
    if kind == "seed" and isinstance(value, str):
        return label(value)
    if kind == "boxes" and isinstance(value, list | tuple):
        said = [str(each.get("caption", "")) for each in value if isinstance(each, Mapping)]
        return ", ".join(filter(None, said)) or str(len(value))
    if isinstance(value, list | tuple):
        return ", ".join(figure(v) if isinstance(v, int | float) else str(v) for v in value[:8])
    if kind in ("file", "folder", "model") and isinstance(value, str):
        return value.replace("\\", "/").rstrip("/").rpartition("/")[2] or value
    return str(value).replace("\n", " ") if value is not None else ""


def duration(seconds: float) -> str:
    """A time in words: ``0.12 s``, ``11.9 s``, ``2 min 5 s``."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: float) -> str:
    """Bytes in words: ``38 MB``, ``1.9 GB`` (powers of 1024)."""
    if count >= 2**30:
        return f"{count / 2**30:.1f} GB"
    return f"{count / 2**20:.0f} MB" if count >= 2**20 else f"{count / 2**10:.0f} kB"
