"""What the tests of image nodes share: a quiet context, pictures, and facts held against a run."""

import inspect
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import strategies as st

from backend.sdk import Color, Image, Mask, UserError, facts_of


class QuietContext:
    """A context that counts how often a node asked whether to go on, and may say no."""

    device = "cpu"

    def __init__(self, stop_after=None):
        self.checks = 0
        self.stop_after = stop_after

    def check(self):
        self.checks += 1
        if self.stop_after is not None and self.checks > self.stop_after:
            raise InterruptedError


def picture(width, height, channels=3, count=1, seed=0):
    """A seeded noisy picture."""
    shape = (count, height, width, channels)
    return Image(np.random.default_rng(seed).random(shape, np.float32))


def coverage(width, height, count=1, seed=0):
    """A seeded noisy mask."""
    return Mask(np.random.default_rng(seed).random((count, height, width), np.float32))


small = st.integers(1, 9)
pictures = st.builds(
    picture, small, small, st.sampled_from([1, 3, 4]), st.integers(1, 3), st.integers(0, 9)
)
masks = st.builds(coverage, small, small, st.integers(1, 3), st.integers(0, 9))
colors = st.sampled_from([Color(0, 0, 0), Color(1, 0.5, 0), Color(1, 1, 1, 0.5)])


def facts_about(value):
    """The facts of a value that is there: everything is known."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return tuple(facts_about(item) for item in value)
    if isinstance(value, list):
        first = facts_about(value[0]) if value else facts_of("Image")
        alike = all(facts_about(item) == first for item in value)
        return (first if alike else first.but(width=None, height=None)).listed(len(value))
    if isinstance(value, str):
        return facts_of("Text", value=value)
    size = {"width": value.width, "height": value.height, "count": value.count}
    if isinstance(value, Mask):
        return facts_of("Mask", **size)
    return facts_of("Image", channels=value.channels, **size)


def forecast(node, given, **params):
    """What the node's facts hook says of inputs and parameters (defaults filled in)."""
    defaults = {
        name: argument.default
        for name, argument in inspect.signature(node.function).parameters.items()
        if node.spec.param(name)
    }
    p = SimpleNamespace(**{**defaults, **params}, lookup=None)
    return node.hooks["facts"](p, **{name: facts_about(value) for name, value in given.items()})


def run_as_forecast(node, given, **params):
    """Run a node; its facts must have said exactly what came out, and refused what it refuses.

    Returns the result, or the sentence with which the node refused.
    """
    growing = [
        item for s in node.spec.inputs if s.arity == "many" for item in given.get(s.name, ())
    ]
    plain = {
        s.name: given[s.name] for s in node.spec.inputs if s.arity != "many" and s.name in given
    }
    before = [value.pixels.copy() for value in given.values() if isinstance(value, Image)]
    try:
        result = node(QuietContext(), *growing, **plain, **params)
    except UserError as error:
        with pytest.raises(UserError, match=re.escape(str(error))):
            forecast(node, given, **params)
        return str(error)
    facts = forecast(node, given, **params)
    if isinstance(result, tuple):
        assert facts == {name: facts_about(getattr(result, name)) for name in result._fields}
    else:
        assert facts == facts_about(result)
    after = [value.pixels for value in given.values() if isinstance(value, Image)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    return result
