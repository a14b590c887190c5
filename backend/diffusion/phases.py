"""Conditionings put together: over the course of a run, and along the token axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.values import Conditioning, Float32, Params, Phase

MASK = "mask"
"""The tensor ``[batch, tokens]`` that says, with 1, which tokens of a sequence are there."""


def in_turn(phases: Sequence[tuple[float, Conditioning]]) -> Conditioning:
    """One conditioning of several, each from its fraction of the steps on; the first from 0."""
    (_, first), *rest = phases
    later = tuple(Phase(begin, conditioning) for begin, conditioning in rest)
    return Conditioning(first.space, first.tensors, first.params, later) if later else first


def over(
    function: Callable[..., Conditioning], conditionings: Sequence[Conditioning]
) -> Conditioning:
    """What a function makes of conditionings, at every time of the run."""
    begins = {0.0} | {phase.begin for given in conditionings for phase in given.later}
    return in_turn([(at, function(*map(_alone(at), conditionings))) for at in sorted(begins)])


def _alone(done: float) -> Callable[[Conditioning], Conditioning]:
    def alone(given: Conditioning) -> Conditioning:
        held = given.at(done)
        return Conditioning(held.space, held.tensors, held.params) if held.later else held

    return alone


def zeros(given: Conditioning) -> Conditioning:
    """The same with every tensor 0 but the mask."""
    tensors = {name: t if name == MASK else np.zeros_like(t) for name, t in given.tensors.items()}
    return Conditioning(given.space, tensors, given.params)


def mix(one: Conditioning, two: Conditioning, by: float) -> Conditioning:
    """``(1 - by) one + by two``, tensors and fractional settings alike; at 0 and 1 one of them.

    Where sequences have a mask, the shorter one is filled up with zeros first, and a token is
    there if either has it.

    Raises:
        DiffusionError: they are of two spaces, hold other tensors, or have other lengths.
    """
    check_alike((one, two))
    if by in (0, 1):
        return two if by else one
    first, second = _filled(one, two), _filled(two, one)
    tensors = {}
    for name, a in first.items():
        b = second[name]
        texts = {a.shape[0], b.shape[0]}
        if a.shape[1:] != b.shape[1:] or len(texts - {1}) > 1:
            raise DiffusionError(
                f"These conditionings have a {name} of {_size(a)} and {_size(b)}, so they have no "
                "mean. Give both as many texts, and as many BREAKs."
            )
        tensors[name] = np.maximum(a, b) if name == MASK else a + np.float32(by) * (b - a)
    return Conditioning(one.space, tensors, _mixed(one.params, two.params, by))


def join(*conditionings: Conditioning) -> Conditioning:
    """Sequences put one behind the other on the token axis; all else is of the first.

    Sequences are the tensors ``[batch, tokens, width]``. Where they have a mask, tokens that are
    not there are left out.

    Raises:
        DiffusionError: they are of two spaces, hold other tensors, or have other numbers of texts.
    """
    check_alike(conditionings)
    first = conditionings[0]
    if len(conditionings) == 1:
        return first
    count = max(given.count for given in conditionings)
    if any(given.count not in (1, count) for given in conditionings):
        raise DiffusionError("Conditionings that are joined need one text each, or all as many.")
    names = [n for n, t in first.tensors.items() if t.ndim == 3 or n == MASK]
    whole = {
        name: _whole([given.tensors[name] for given in conditionings], count) for name in names
    }
    tensors = {**first.tensors, **_packed(whole)}
    if first.count != count:
        tensors = {n: np.broadcast_to(t, (count, *t.shape[1:])) for n, t in tensors.items()}
    return Conditioning(first.space, tensors, first.params)


def check_alike(conditionings: Iterable[Conditioning]) -> None:
    """Refuse conditionings that no model could take in each other's place.

    Raises:
        DiffusionError: they are of two spaces, or hold other tensors.
    """
    first, *rest = conditionings
    for given in rest:
        if given.space != first.space or set(given.tensors) != set(first.tensors):
            raise DiffusionError(
                f"These conditionings are of the text spaces {first.space} and {given.space}. "
                "Encode both texts with one text encoder."
            )


def _whole(parts: Sequence[Float32], count: int) -> Float32:
    spread = [np.broadcast_to(part, (count, *part.shape[1:])) for part in parts]
    return np.concatenate(spread, 1)


def _packed(whole: dict[str, Float32]) -> dict[str, Float32]:
    """Sequences with the tokens that are there in front, as long as the longest needs."""
    if MASK not in whole:
        return whole
    there = whole[MASK] > 0
    order = np.argsort(~there, axis=1, kind="stable")[:, : int(there.sum(1).max())]
    beside = {name: t for name, t in whole.items() if t.shape[1] == there.shape[1]}
    kept = {name: np.take_along_axis(t, _axes(order, t.ndim), 1) for name, t in beside.items()}
    return {**whole, **{name: t * _axes(kept[MASK] > 0, t.ndim) for name, t in kept.items()}}


def _axes(array: np.ndarray, ndim: int) -> np.ndarray:
    return array.reshape(*array.shape, *[1] * (ndim - array.ndim))


def _filled(given: Conditioning, other: Conditioning) -> dict[str, Float32]:
    """Its tensors, sequences with a mask filled up with zeros to the length of the other's."""
    tensors = dict(given.tensors)
    if MASK in tensors:
        length = tensors[MASK].shape[1]
        more = max(other.tensors[MASK].shape[1] - length, 0)
        for name, t in tensors.items():
            if name == MASK or (t.ndim == 3 and t.shape[1] == length):
                tensors[name] = np.pad(t, [(0, 0), (0, more), *[(0, 0)] * (t.ndim - 2)])
    return tensors


def _mixed(one: Params, two: Params, by: float) -> Params:
    nearer = dict(one if by < 0.5 else two)
    for name in nearer:
        a, b = one.get(name), two.get(name)
        if isinstance(a, float) and isinstance(b, float):
            nearer[name] = a + by * (b - a)
    return nearer


def _size(array: Float32) -> str:
    return "x".join(map(str, array.shape))
