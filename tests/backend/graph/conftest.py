"""A handful of small node types, and words for building documents out of them."""

from __future__ import annotations

import ast
import json
import textwrap
from typing import Annotated, NamedTuple

import pytest

from backend.engine.registry import NodeRegistry
from backend.graph.check import check
from backend.graph.format import parse
from backend.sdk import (
    ColorParam,
    Context,
    Facts,
    Image,
    Latent,
    Mask,
    ModelRef,
    Range,
    SeedParam,
    T,
    UserError,
    facts_of,
    node,
)


class Halves(NamedTuple):
    left: Image
    share: float


def make_types():
    """Node types: sources, filters, a save, a list, zones, and some that misbehave."""

    @node(category="Test")
    def source(ctx: Context, width: Annotated[int, Range(1, 4096)] = 8) -> Image:
        """Make a picture."""

    @source.facts
    def _(p):
        return facts_of("Image", width=p.width, height=4, channels=3, count=1)

    @node(category="Test")
    def soften(ctx: Context, image: Image, radius: Annotated[float, Range(0, 100)] = 1.0) -> Image:
        """Blur a picture."""

    @soften.facts
    def _(p, image):
        return image

    @node(category="Test")
    def widen(ctx: Context, image: Image, by: int = 2) -> Image:
        """Make a picture wider."""

    @widen.facts
    def _(p, image):
        return image.but(width=image.width and p.by and image.width * p.by)

    @node(category="Test")
    def join(ctx: Context, *images: Image) -> Image:
        """Put pictures into one batch."""

    @join.facts
    def _(p, images):
        return facts_of("Image", count=len(images) or None)

    @node(category="Test", effect=True)
    def keep(ctx: Context, image: Image, note: str = "") -> None:
        """Save a picture."""

    @node(category="Test")
    def digits(ctx: Context, count: int = 3) -> list[int]:
        """Make a list of whole numbers."""

    @digits.facts
    def _(p):
        return Facts("Integer").listed(p.count)

    @node(category="Test")
    def add(ctx: Context, a: float = 1.0, b: float = 2.0) -> float:
        """Add two numbers."""

    @add.facts
    def _(p):
        return facts_of("Number", value=None if None in (p.a, p.b) else p.a + p.b)

    @node(category="Test")
    def gather(ctx: Context, *items: T) -> list[T]:
        """Make a list of all that is linked."""

    @gather.facts
    def _(p, items):
        return items[0].listed(len(items)) if items else Facts("*T").listed(0)

    @node(category="Test")
    def pick_one(ctx: Context, *choices: T, index: int = 0) -> T:
        """Pass one of several values; the others are not run."""

    @pick_one.needs
    def _(p, known):
        return {f"choices.{p.index}"}

    @node(category="Test")
    def total(ctx: Context, numbers: list[float]) -> float:
        """Add up a list."""

    @node(category="Test")
    def whole(ctx: Context, value: int = 0) -> int:
        """A whole number."""

    @whole.facts
    def _(p):
        return facts_of("Integer", value=p.value)

    @node(category="Test")
    def yes(ctx: Context) -> bool:
        """Say yes."""

    @node(category="Test")
    def formula(ctx: Context, values: dict[str, float] | None = None) -> float:
        """Take numbers by name."""

    @node(category="Test")
    def choose(ctx: Context, first: T, second: T | None = None, which: bool = True) -> T:
        """Pass one of two values."""

    @node(category="Test")
    def cover(ctx: Context) -> Mask:
        """Make a mask."""

    @node(category="Test")
    def encode(ctx: Context, image: Image, space: str = "a") -> Latent:
        """Make a latent of a picture."""

    @encode.facts
    def _(p, image):
        return facts_of("Latent", space=p.space)

    @node(category="Test")
    def decode(ctx: Context, latent: Latent, space: str = "a") -> Image:
        """Make a picture of a latent."""

    @decode.facts
    def _(p, latent):
        if latent.space not in (None, p.space):
            raise UserError(f"The latent is of space {latent.space}, and this takes {p.space}.")
        return facts_of("Image", channels=3)

    @node(category="Test")
    def split(ctx: Context, image: Image) -> Halves:
        """Cut a picture."""

    @node(category="Test")
    def stumble(ctx: Context, image: Image | None = None) -> Image:
        """Have a facts hook that fails."""

    @stumble.facts
    def _(p, image):
        raise ZeroDivisionError("by nothing")

    @node(category="Test")
    def lie(ctx: Context) -> Image:
        """Have a facts hook that gives another type than declared."""

    @lie.facts
    def _(p):
        return facts_of("Mask", width=3)

    @node(category="Test")
    def kinds(
        ctx: Context,
        tint: ColorParam = "#ff0000",
        seed: SeedParam = 0,
        flag: bool = True,
        model: ModelRef = "primer",
    ) -> Image:
        """Have one parameter of many kinds."""

    @node(category="Test", version=3)
    def aged(ctx: Context, image: Image, size: float = 1.0) -> Image:
        """Be of a third version."""

    @aged.migrate(1)
    def _(params, inputs):
        return {"scale": params.get("zoom", 1)}, {"image": inputs["picture"]}

    @aged.migrate(2)
    def _(params, inputs):
        return {"size": params["scale"]}, inputs

    @node(category="Test", zone=True)
    def repeat(ctx: Context, carry: dict[str, T] | None = None, times: int = 2) -> None:
        """Run the body again and again."""

    @node(category="Test", zone=True)
    def for_each(ctx: Context, items: dict[str, T], carry: dict[str, T] | None = None) -> None:
        """Run the body for each item."""

    return [found for found in locals().values() if hasattr(found, "spec")]


@pytest.fixture(scope="session")
def demo_types():
    return make_types()


@pytest.fixture(scope="session")
def registry(demo_types):
    return NodeRegistry(demo_types)


FIELDS = ("mode", "each", "version", "title")


def read_flow(text: str) -> dict:
    """The JSON of a document that is written in Python's syntax, for tests that read well.

    ``b = soften(image=s.image, radius=2)`` is a node: attributes are links, all else parameters.
    ``with repeat(carry={"image": s.image}) as z:`` is a zone with its body, ``give(image=b.image)``
    says its outputs, and ``_.image`` reads what the enclosing graph is handed. A ``def`` is a
    subgraph, used as ``u = sub.NAME(...)``, and ``expose(strength=b.radius)`` shows a parameter.
    """
    top = {"weft": 1, **_graph(ast.parse(textwrap.dedent(text)).body)}
    top["subgraphs"] = top.pop("subs")
    del top["params"]
    return top


def _graph(statements) -> dict:
    graph = {"nodes": {}, "outputs": {}, "params": {}, "subs": {}}
    for line in statements:
        if isinstance(line, ast.Assign):
            graph["nodes"][line.targets[0].id] = _node(line.value)
        elif isinstance(line, ast.With):
            (item,) = line.items
            body = _graph(line.body)
            inside = {"nodes": body["nodes"], "outputs": body["outputs"]}
            graph["nodes"][item.optional_vars.id] = {**_node(item.context_expr), "body": inside}
        elif isinstance(line, ast.FunctionDef):
            inside = _graph(line.body)
            optional = len(line.args.args) - len(line.args.defaults)
            inside["inputs"] = {
                a.arg: {"type": a.annotation.id, "optional": i >= optional}
                for i, a in enumerate(line.args.args)
            }
            del inside["subs"]
            graph["subs"][line.name] = inside
        elif isinstance(line, ast.Expr) and line.value.func.id == "give":
            graph["outputs"] = {k.arg: _link(k.value) for k in line.value.keywords}
        elif isinstance(line, ast.Expr):
            for shown in line.value.keywords:
                node, param = _link(shown.value).rsplit(".", 1)
                graph["params"][shown.arg] = {"node": node.replace(".", "/"), "param": param}
    return graph


def _node(call) -> dict:
    name = call.func.id if isinstance(call.func, ast.Name) else f"subgraph:{call.func.attr}"
    made = {"type": name, "inputs": {}, "params": {}}
    for given in call.keywords:
        links = _links(given.value)
        if links is not None:
            made["inputs"][given.arg] = links
        elif given.arg in FIELDS:
            made[given.arg] = ast.literal_eval(given.value)
        else:
            made["params"][given.arg] = ast.literal_eval(given.value)
    return made


def _links(value):
    if isinstance(value, ast.Attribute):
        return _link(value)
    if isinstance(value, ast.List) and value.elts and isinstance(value.elts[0], ast.Attribute):
        return [_link(item) for item in value.elts]
    if isinstance(value, ast.Dict):
        return {
            ast.literal_eval(k): _link(v) for k, v in zip(value.keys, value.values, strict=True)
        }
    return None


def _link(value) -> str:
    if isinstance(value, ast.Name):
        return "$" if value.id == "_" else value.id
    return f"{_link(value.value)}.{value.attr}"


@pytest.fixture(scope="session")
def checked(registry):
    """Read a document (see ``read_flow``) and check it; ``more`` are further fields of it."""

    def run(text: str, wanted=None, caps=None, **more):
        workflow = parse(json.dumps({**read_flow(text), **more}), "flow")
        return check(workflow, registry, None, caps, wanted)

    return run


@pytest.fixture(scope="session")
def codes(checked):
    """The codes that a check gives, as a set."""

    def run(text: str, wanted=None, caps=None, **more):
        return {d.code for d in checked(text, wanted, caps, **more).diagnostics}

    return run


@pytest.fixture(scope="session")
def only():
    """The one diagnostic of a code."""

    def find(found, code):
        (match,) = [d for d in found.diagnostics if d.code == code]
        return match

    return find
