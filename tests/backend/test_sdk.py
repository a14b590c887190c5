"""Declaring nodes: what a signature says becomes sockets, parameters, help and hooks."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import numpy as np
import pytest

from backend import sdk
from backend.graph.spec import NodeSpec
from backend.sdk import (
    Color,
    ColorParam,
    Context,
    FilePath,
    Image,
    Mask,
    Model,
    Range,
    ScalarList,
    SeedParam,
    T,
    UserError,
    facts_of,
    node,
)


@node(category="Image/Filter", version=2, aliases=("lighten",))
def brighten_it(
    ctx: Context,
    image: Image,
    mask: Mask | None = None,
    by: Annotated[float, Range(0, 4, 0.1)] = 1.5,
    steps: int = 3,
    mode: Literal["add", "multiply"] = "multiply",
    tint: ColorParam = Color(1, 0, 0),  # noqa: B008  # colours are frozen
    seed: SeedParam = 0,
) -> Image:
    """Multiply the colours of an image.

    More help.
    """
    ctx.check()
    return image.but(np.clip(image.pixels * by, 0, 1))


class Parts(NamedTuple):
    image: Image
    masks: list[Mask]
    share: float


class FakeContext:
    """As much of a context as a node needs in a test."""

    def __init__(self):
        self.checked = 0

    def check(self):
        self.checked += 1


def test_a_node_is_called_like_a_function_with_a_fake_context():
    ctx = FakeContext()
    image = Image(np.full((1, 2, 2, 3), 0.5, np.float32))
    assert brighten_it(ctx, image, by=1.5).pixels.max() == 0.75
    assert ctx.checked == 1


def test_the_spec_says_what_stands_in_the_declaration():
    spec = brighten_it.spec
    assert isinstance(spec, NodeSpec)
    assert (spec.type, spec.title, spec.category) == ("brighten_it", "Brighten it", "Image/Filter")
    assert (spec.version, spec.aliases, spec.lane, spec.effect) == (2, ("lighten",), "cpu", False)
    assert spec.help == "Multiply the colours of an image.\n\nMore help."
    assert brighten_it.__doc__ == brighten_it.function.__doc__


def test_arguments_without_a_default_are_sockets():
    assert [(s.name, s.type, s.arity, s.optional) for s in brighten_it.spec.inputs] == [
        ("image", "Image", "one", False),
        ("mask", "Mask", "one", True),
    ]
    assert [(s.name, s.type) for s in brighten_it.spec.outputs] == [("image", "Image")]


def test_scalars_with_a_default_are_parameters():
    found = {p.name: p for p in brighten_it.spec.params}
    assert list(found) == ["by", "steps", "mode", "tint", "seed"]
    by, steps = found["by"], found["steps"]
    assert (by.kind, by.default, by.minimum, by.maximum, by.step) == ("number", 1.5, 0, 4, 0.1)
    assert (steps.kind, steps.minimum, steps.maximum) == ("integer", None, None)
    assert (found["mode"].kind, found["mode"].choices) == ("choice", ("add", "multiply"))
    assert (found["tint"].kind, found["tint"].default) == ("color", "#ff0000")
    assert (found["seed"].kind, found["seed"].minimum) == ("seed", 0)
    assert found["by"].link_type == "Number"


def test_rows_names_lists_and_generic_sockets():
    @node(category="x")
    def many(
        ctx: Context, values: dict[str, float] | None = None, *images: Image, scale: float = 1.0
    ) -> Parts:
        """Take many."""

    @node(category="x")
    def pass_on(ctx: Context, items: list[T], other: T, **more: bool) -> list[T]:
        """Pass on."""

    assert [(s.name, s.type, s.arity, s.optional) for s in many.spec.inputs] == [
        ("values", "Number", "named", True),
        ("images", "Image", "many", True),
    ]
    assert [p.name for p in many.spec.params] == ["scale"]
    assert [(s.name, s.type, s.arity) for s in many.spec.outputs] == [
        ("image", "Image", "one"),
        ("masks", "Mask", "list"),
        ("share", "Number", "one"),
    ]
    assert [(s.type, s.arity) for s in pass_on.spec.inputs] == [
        ("*T", "list"),
        ("*T", "one"),
        ("Boolean", "named"),
    ]
    assert [(s.name, s.type, s.arity) for s in pass_on.spec.outputs] == [("values", "*T", "list")]


def test_outputs_are_named_by_their_type():
    @node(category="x")
    def load(ctx: Context, file: FilePath = "", sizes: ScalarList = ()) -> Model:
        """Load."""

    @node(category="x", effect=True)
    def write(ctx: Context, model: Model) -> None:
        """Write."""

    assert [s.name for s in load.spec.outputs] == ["model"]
    assert {p.name: p.kind for p in load.spec.params} == {"file": "file", "sizes": "values"}
    assert load.spec.param("sizes").link_type is None
    assert write.spec.outputs == ()
    assert write.spec.effect


def test_a_spec_is_asked_by_name():
    spec = brighten_it.spec
    assert spec.input("mask").optional
    assert spec.output("image").type == "Image"
    assert spec.param("by").default == 1.5
    assert (spec.input("x"), spec.output("x"), spec.param("x")) == (None, None, None)


def test_hooks_and_migrations_are_kept_by_name():
    @node(category="x", version=2)
    def change(ctx: Context, image: Image, by: float = 1.0) -> Image:
        """Change."""

    @change.facts
    def facts(p, image):
        return image.but(width=8)

    @change.peak
    def peak(p, image):
        return 100

    @change.needs
    def needs(p, known):
        return {"image"}

    @change.fingerprint
    def fingerprint(p, ctx):
        return "now"

    @change.migrate(1)
    def lift(params, inputs):
        return params, inputs

    assert change.hooks == {
        "facts": facts,
        "peak": peak,
        "needs": needs,
        "fingerprint": fingerprint,
    }
    assert change.migrations == {1: lift}
    assert facts(None, facts_of("Image", height=2)) == facts_of("Image", width=8, height=2)


def declare_without_ctx():
    @node(category="x")
    def wrong(image: Image) -> Image: ...


def declare_without_type():
    @node(category="x")
    def wrong(ctx: Context, image) -> Image: ...


def declare_unknown_socket():
    @node(category="x")
    def wrong(ctx: Context, path: bytes) -> Image: ...


def declare_unknown_parameter():
    @node(category="x")
    def wrong(ctx: Context, path: bytes = b"") -> Image: ...


def declare_unknown_output():
    @node(category="x")
    def wrong(ctx: Context) -> bytes: ...


def declare_optional_without_default():
    @node(category="x")
    def wrong(ctx: Context, image: Image | None) -> Image: ...


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (declare_without_ctx, "first argument of a node is ctx"),
        (declare_without_type, "image has no type"),
        (declare_unknown_socket, "no socket type"),
        (declare_unknown_parameter, "no parameter type"),
        (declare_unknown_output, "no socket type"),
        (declare_optional_without_default, "X | None = None"),
    ],
)
def test_what_a_node_cannot_have_is_refused_when_it_is_declared(declare, said):
    with pytest.raises(TypeError) as error:
        declare()
    assert said in str(error.value)


def test_everything_a_node_author_needs_is_in_one_module():
    assert all(hasattr(sdk, name) for name in sdk.__all__)
    assert issubclass(UserError, Exception)
    assert not issubclass(sdk.Cancelled, Exception)
