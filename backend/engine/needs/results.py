"""Bytes of host memory that the outputs of a step take, told from their facts."""

from __future__ import annotations

from collections.abc import Mapping

from backend.graph.facts import Facts

_FLOAT = 4


def result_bytes(outputs: Mapping[str, Facts]) -> int:
    """Bytes of the values of these facts, as far as they tell."""
    return sum(
        _one(facts) * (facts.length or 1 if facts.is_list else 1) for facts in outputs.values()
    )


def _one(facts: Facts) -> int:
    if facts.type == "Conditioning":
        return int(facts.bytes or 0)
    if facts.type in ("Image", "Mask", "Latent"):
        area = (facts.width or 0) * (facts.height or 0) * (facts.frames or 1)
        channels = 1 if facts.type == "Mask" else facts.channels or 3
        return int(_FLOAT * area * channels * (facts.count or 1))
    if facts.type == "Audio":
        return int(_FLOAT * (facts.samples or 0) * (facts.channels or 1))
    return 0  # a video lies in a file, references and numbers take next to nothing
