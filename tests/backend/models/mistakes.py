"""Mistakes that a family's code could make, laid on by pytest's monkeypatch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backend.models import clip, kl
from backend.models.codec import Scaling
from backend.models.noise_table import NoiseTable

Mistake = Callable[[pytest.MonkeyPatch], None]

LONG = 10_000
"""Tokens that no text has."""


def instead(owner: Any, name: str, wrong: Callable[[Any], Any]) -> Mistake:
    """What ``wrong`` makes of ``owner.name`` stands in its place."""

    def lay(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(owner, name, wrong(getattr(owner, name)))

    return lay


def altered(owner: Any, name: str, **fields: Any) -> Mistake:
    """Whatever ``owner.name`` makes has other values in some fields."""
    return instead(owner, name, lambda right: lambda *a, **k: replace(right(*a, **k), **fields))


def read_as(owner: Any, *names: str, **wrong: Any) -> Mistake:
    """Functions of a scheduler's settings read other ones."""

    def lay(patch: pytest.MonkeyPatch) -> None:
        for name in names:
            right = getattr(owner, name)
            patch.setattr(owner, name, lambda settings, r=right: r({**settings, **wrong}))

    return lay


def called(denoiser: type, change: Callable[[Any, Any, float, Any], Any]) -> Mistake:
    """A denoiser's call is made by ``change(right, x, sigma, prepared)``."""
    return instead(
        denoiser,
        "__call__",
        lambda right: lambda self, *given: change(lambda *a: right(self, *a), *given),
    )


def sides_swapped(denoiser: type) -> Mistake:
    """Rows are taken for columns."""
    return called(
        denoiser, lambda right, x, s, r: right(x.transpose(-2, -1), s, r).transpose(-2, -1)
    )


def time_reversed(denoiser: type) -> Mistake:
    """Time is counted from the picture."""
    return called(denoiser, lambda right, x, s, r: right(x, 1 - s, r))


def prepared(denoiser: type, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Mistake:
    """The network is told something else of the texts."""

    def wrong(right: Any) -> Any:
        def prepare(self: Any, given: Any, count: int) -> dict[str, Any]:
            ready = right(self, given, count)
            return {**ready, **change(ready)}

        return prepare

    return instead(denoiser, "prepare", wrong)


def fill_kept(family: Any) -> Mistake:
    """What fills up shorter texts counts as text."""
    return instead(family, "compact", lambda _: lambda sequence, mask: (sequence, mask * 0 + 1))


def fill_read(family: Any) -> Mistake:
    """As ``fill_kept``, where texts go through the encoder without their padding."""

    def wrong(right: Any) -> Any:
        return lambda net, ids, mask, device, beyond=0: right(net, ids, mask, device, LONG)

    return instead(family, "encode_unpadded", wrong)


def padding_seen(family: Any) -> Mistake:
    """A text encoder sees what fills up shorter texts."""

    def wrong(right: Any) -> Any:
        def whole(*given: Any) -> Any:
            ids, mask = right(*given)
            return ids, mask * 0 + 1

        return whole

    return instead(family, "tokenise", wrong)


def layers(family: Any, *chosen: int) -> Mistake:
    """Other hidden states of a language model are read."""
    return instead(
        family, "hidden", lambda right: lambda net, ids, mask, _: right(net, ids, mask, chosen)
    )


def clip_layer(offset: int) -> Mistake:
    """States of CLIP ``offset`` layers before the right one are read."""
    return instead(
        clip,
        "states",
        lambda right: lambda net, ids, back, normed: right(net, ids, back + offset, normed),
    )


def clip_normed(wrong: bool) -> Mistake:
    """States of CLIP go through its last norm, or do not."""
    return instead(
        clip, "states", lambda right: lambda net, ids, back, normed: right(net, ids, back, wrong)
    )


def even_grid(last: float) -> Callable[[int], Sequence[float]]:
    """Even levels from 1 down to ``last``."""
    return lambda steps: np.linspace(1, last, steps).tolist()


def scaled(scale: float, shift: float = 0.0) -> Mistake:
    """The latents of an ordinary VAE are scaled by other numbers."""
    return instead(kl, "scaling_of", lambda _: lambda config: Scaling(scale, shift))


ONE_TIME_OFF = instead(NoiseTable, "time", lambda right: lambda self, sigma: right(self, sigma) - 1)
"""A network trained on whole times is told the one before."""
