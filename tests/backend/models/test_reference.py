"""Reference pictures in conditionings: how they are added and brought together."""

from __future__ import annotations

import numpy as np
import pytest

from backend.diffusion.errors import DiffusionError
from backend.models import reference
from backend.values import Conditioning, Latent
from backend.values.sampling import Phase


def text(count: int, value: float = 0.0, **more: object) -> Conditioning:
    return Conditioning("s", {"sequence": np.full((count, 3, 2), value)}, **more)


def latent(count: int, width: int = 4, value: float = 1.0) -> Latent:
    return Latent(np.full((count, 2, 3, width), value, np.float32), "any")


def test_references_keep_their_order_beyond_nine() -> None:
    given = text(1)
    for number in range(11):
        given = reference.add(given, latent(1, value=number))
    names = reference.names(given)
    assert [float(given.tensors[name].flat[0]) for name in names] == list(range(11))
    assert given.tensors["sequence"].shape == (1, 3, 2)


def test_one_and_many_are_spread_over_each_other() -> None:
    many = reference.add(text(3), latent(1))
    assert many.tensors["reference_1"].shape == (3, 2, 3, 4)
    spread = reference.add(reference.add(text(1), latent(1)), latent(2))
    assert {name: len(a) for name, a in spread.tensors.items()} == {
        "sequence": 2, "reference_1": 2, "reference_2": 2,
    }  # fmt: skip
    with pytest.raises(DiffusionError, match="2 reference latents for 3 texts"):
        reference.add(text(3), latent(2))
    with pytest.raises(DiffusionError, match="must be a clean latent"):
        reference.add(text(1), latent(1).but(sigma=0.5))


def test_what_comes_later_has_the_reference_too() -> None:
    given = reference.add(text(1, later=(Phase(0.5, text(1, 2.0)),)), latent(1))
    assert reference.names(given.later[0].conditioning) == ["reference_1"]


def test_a_batch_needs_the_same_references_in_all() -> None:
    first = reference.add(reference.add(text(1), latent(1, 4)), latent(1, 6))
    second = reference.add(reference.add(text(2), latent(2, 4, 5.0)), latent(1, 6))
    small, large = reference.gathered([first, second], 2)
    assert (tuple(small.shape), tuple(large.shape)) == ((4, 2, 3, 4), (4, 2, 3, 6))
    assert small[:, 0, 0, 0].tolist() == [1, 1, 5, 5]
    assert reference.gathered([text(1), text(1)], 2) == []
    for other in (text(1), reference.add(text(1), latent(1, 4))):
        with pytest.raises(DiffusionError, match="same number of references"):
            reference.gathered([first, other], 1)
