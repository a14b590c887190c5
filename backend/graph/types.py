"""The socket types: their names, and which facts each can have before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class SocketType:
    """A nominal type of links. ``facts`` names what may be known about a value before the run."""

    name: str
    title: str
    facts: tuple[str, ...] = ()


_IMAGE = ("width", "height", "channels", "count")
_GEOMETRY = ("factor", "channels", "patch", "frame_factor")
_OWN = ("own_width", "own_height", "own_frames", "own_solver", "own_guider")
_LATENT = ("space", "factor", "width", "height", "channels", "frames", "count", "noise", "masked")

TYPES: Mapping[str, SocketType] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            SocketType("Text", "text", ("value",)),
            SocketType("Number", "number", ("value",)),
            SocketType("Integer", "whole number", ("value",)),
            SocketType("Boolean", "yes or no", ("value",)),
            SocketType("Color", "colour", ("value",)),
            SocketType("Image", "image", _IMAGE),
            SocketType("Mask", "mask", ("width", "height", "count")),
            SocketType("Layers", "layers", ("width", "height", "count")),
            SocketType("Video", "video", ("width", "height", "frames", "rate")),
            SocketType("Audio", "audio", ("channels", "samples", "rate")),
            SocketType("Mesh", "mesh", ("vertices", "faces")),
            SocketType("Points", "points", ("count",)),
            SocketType("Motion", "motion", ("width", "height", "frames")),
            SocketType("Layout", "layout", ("width", "height", "count")),
            SocketType("Table", "table", ("rows", "columns")),
            SocketType(
                "Model",
                "model",
                (
                    "family",
                    "space",
                    "text_space",
                    "identity",
                    "bytes",
                    *_GEOMETRY,
                    "token_bytes",
                    *_OWN,
                ),
            ),
            SocketType(
                "TextEncoder",
                "text encoder",
                ("family", "space", "identity", "bytes", "text_bytes", "told_bytes"),
            ),
            # Not a Model: what denoises and what writes share no node, so the two never connect.
            SocketType(
                "LanguageModel",
                "language model",
                ("family", "identity", "bytes", "token_bytes", "context"),
            ),
            SocketType("Upscaler", "upscaler", ("family", "identity", "bytes")),
            SocketType("ControlNet", "ControlNet", ("family", "identity", "bytes", "token_bytes")),
            SocketType(
                "VAE", "VAE", ("family", "space", "identity", "bytes", *_GEOMETRY, "pixel_bytes")
            ),
            SocketType("Conditioning", "conditioning", ("space", "count", "tokens", "bytes")),
            SocketType("Latent", "latent", _LATENT),
            SocketType(
                "Guider", "guider", ("kind", "family", "space", "branches", "patch", "token_bytes")
            ),
            SocketType("Solver", "solver", ("kind",)),
            SocketType("Schedule", "schedule", ("kind", "steps", "taken")),
            SocketType("Noise", "noise", ("kind",)),
            SocketType("Embedding", "embedding", ("space", "count")),
            SocketType("Report", "report", ()),
        )
    }
)

ANY = "*"
"""First letter of a generic socket: ``*T`` takes any type, and all ``*T`` of a node agree."""


def is_generic(name: str) -> bool:
    return name.startswith(ANY)


def title(name: str) -> str:
    """How a socket type is called in a sentence."""
    if is_generic(name):
        return "anything"
    known = TYPES.get(name)
    return known.title if known else name
