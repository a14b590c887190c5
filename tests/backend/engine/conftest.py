"""Small nodes to build graphs of, an engine over them, and what it said."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pytest

from backend.engine.engine import Engine, RunResult
from backend.engine.events import StepDone, StepFailed, StepSkipped
from backend.engine.registry import NodeRegistry
from backend.graph.format import parse
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.sdk import (
    Color,
    ColorParam,
    Context,
    FilePath,
    Image,
    Multiline,
    NameTemplate,
    NodeType,
    Range,
    SeedParam,
    T,
    UserError,
    node,
)

RED = Color(1, 0, 0)


class Halves(NamedTuple):
    """Two named outputs."""

    whole: int
    rest: float


class Bench:
    """Node types that count their calls, an engine over them, and the events of the last run."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.calls: Counter[str] = Counter()
        self.order: list[str] = []
        self.gates: dict[str, threading.Event] = {}
        self.events: list[Any] = []
        self.types = make_types(self)
        self.engine = self.new_engine(**settings)

    def new_engine(self, **settings: Any) -> Engine:
        """An engine of its own over the same node types and folders."""
        given = {
            "grants": Grants(self.folder, (self.folder,)),
            "output": OutputFolder(self.folder / "out"),
            **settings,
        }
        return Engine(NodeRegistry(self.types), **given)

    def run(self, nodes: dict[str, Any], engine: Engine | None = None, **how: Any) -> RunResult:
        """Run a document given as the ``nodes`` of its file."""
        self.events.clear()
        self.calls.clear()
        self.order.clear()
        more = how.pop("more", {})
        listen = how.pop("on_event", self.events.append)
        return (engine or self.engine).run(flow(nodes, **more), on_event=listen, **how)

    def value(self, nodes: dict[str, Any], step: str, **how: Any) -> Any:
        """The one output of a step after a run that went well."""
        result = self.run(nodes, only=(step,), **how)
        assert result.status == "done", (result.failures, result.diagnostics)
        (found,) = result.values[step].values()
        return found

    def told(self, kind: type) -> dict[str, Any]:
        """The last event of a kind by step."""
        return {event.step: event for event in self.events if isinstance(event, kind)}

    @property
    def ran(self) -> set[str]:
        return {name for name, event in self.told(StepDone).items() if not event.cached}

    @property
    def cached(self) -> set[str]:
        return {name for name, event in self.told(StepDone).items() if event.cached}

    @property
    def failed(self) -> set[str]:
        return set(self.told(StepFailed))

    @property
    def skipped(self) -> set[str]:
        return set(self.told(StepSkipped))


def flow(nodes: dict[str, Any], **more: Any) -> Any:
    """The document of a file with these nodes."""
    return parse(json.dumps({"weft": 1, "nodes": nodes, **more}), "test")


def make_types(bench: Bench) -> list[NodeType]:
    """The node types; each notes that it was called."""

    def note(name: str) -> None:
        bench.calls[name] += 1
        bench.order.append(name)

    @node(category="Test")
    def number(ctx: Context, value: float = 0.0) -> float:
        """Give a number."""
        note("number")
        return value

    @node(category="Test")
    def whole(ctx: Context, value: int = 0) -> int:
        """Give a whole number."""
        note("whole")
        return value

    @node(category="Test")
    def text(ctx: Context, text: Multiline = "") -> str:
        """Give text."""
        return text

    @node(category="Test")
    def row(ctx: Context, count: int = 3, first: int = 0) -> list[int]:
        """Give a list of whole numbers."""
        note("row")
        return list(range(first, first + count))

    @node(category="Test")
    def add(ctx: Context, left: float, right: float | None = None, by: float = 0.0) -> float:
        """Add."""
        note("add")
        return left + (right or 0.0) + by

    @node(category="Test")
    def clip(ctx: Context, number: float, most: Annotated[float, Range(0, 10)] = 5.0) -> float:
        """The smaller of two numbers."""
        note("clip")
        return min(number, most)

    @node(category="Test")
    def total(ctx: Context, *numbers: float, scale: float = 1.0) -> float:
        """Add up a row."""
        note("total")
        return sum(numbers) * scale

    @node(category="Test")
    def named(ctx: Context, values: dict[str, float] | None = None) -> str:
        """Write values with their names."""
        note("named")
        return ",".join(f"{k}={v:g}" for k, v in sorted((values or {}).items()))

    @node(category="Test")
    def spread(ctx: Context, **values: float) -> float:
        """Add named values."""
        return sum(values.values())

    @node(category="Test")
    def first_then(ctx: Context, head: float, *tail: float) -> str:
        """A socket before a growing row."""
        return f"{head:g}:" + ",".join(f"{t:g}" for t in tail)

    @node(category="Test")
    def collect(ctx: Context, items: list[float]) -> float:
        """Add up a list."""
        note("collect")
        return sum(items)

    @node(category="Test")
    def halves(ctx: Context, number: float) -> Halves:
        """Two outputs."""
        return Halves(int(number), number - int(number))

    @node(category="Test")
    def fail(ctx: Context, number: float = 0.0, how: str = "user") -> float:
        """Fail in a way."""
        note("fail")
        errors: dict[str, BaseException] = {
            "user": UserError("The number is wrong. Take another."),
            "value": ValueError("odd thing"),
            "memory": MemoryError(),
            "exit": SystemExit(3),
            "interrupt": KeyboardInterrupt(),
            "torch": RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        }
        raise errors[how]

    @node(category="Test")
    def fail_if(ctx: Context, number: float, above: float = 0.0) -> float:
        """Fail above a limit."""
        note("fail_if")
        if number > above:
            raise UserError(f"{number:g} is too much.")
        return number

    @node(category="Test")
    def wrong(ctx: Context, kind: Literal["text", "nothing", "many", "numpy"] = "text") -> float:
        """Return what was not declared."""
        gives: dict[str, Any] = {"text": "no", "nothing": None, "many": (1, 2)}
        return gives.get(kind, np.float32(0.5))

    @node(category="Test")
    def choose(ctx: Context, yes: T, no: T, which: bool = True) -> T:
        """One of two; the other is not run."""
        note("choose")
        return yes if which else no

    @choose.needs
    def _(p: Any, known: dict[str, Any]) -> set[str]:
        return {"yes" if p.which else "no"}

    @node(category="Test")
    def choose_one(ctx: Context, *choices: T, index: int = 0) -> T:
        """One of several; the others are not run."""
        note("choose_one")
        return choices[index]

    @choose_one.needs
    def _(p: Any, known: dict[str, Any]) -> set[str]:
        return {f"choices.{p.index}"}

    @node(category="Test")
    def upto(ctx: Context, *numbers: float, limit: float = 10.0) -> str:
        """Take numbers one after the other until they reach a limit."""
        note("upto")
        return ",".join("-" if n is None else f"{n:g}" for n in numbers)

    @upto.needs
    def _(p: Any, known: dict[str, Any]) -> set[str]:
        return set() if sum(known.values()) >= p.limit else {f"numbers.{len(known)}"}

    @node(category="Test")
    def fickle(ctx: Context, yes: float, no: float) -> float:
        """A lazy node whose question fails."""
        return 0.0

    @fickle.needs
    def _(p: Any, known: dict[str, Any]) -> set[str]:
        raise ValueError("cannot say")

    @node(category="Test")
    def is_above(ctx: Context, number: float, limit: float = 3.0) -> bool:
        """Compare."""
        return number > limit

    @node(category="Test", effect=True, lane="file")
    def write(ctx: Context, text: str = "", name: NameTemplate = "file") -> None:
        """Save text."""
        note("write")

        def fill(path: Path, provenance: Any) -> None:
            told = {"text": text, "provenance": dict(provenance)}
            path.write_text(json.dumps(told, default=dict))

        ctx.save(name, ".txt", fill)

    @node(category="Test", lane="file")
    def read(ctx: Context, path: FilePath = "") -> str:
        """Read text."""
        note("read")
        return ctx.read(path).read_text()

    @node(category="Test")
    def clock(ctx: Context, path: FilePath = "") -> str:
        """Depends on something outside."""
        note("clock")
        return (bench.folder / "time").read_text()

    @clock.fingerprint
    def _(p: Any, ctx: Context) -> str:
        return (bench.folder / "time").read_text()

    @node(category="Test")
    def noise(ctx: Context, seed: SeedParam = 0) -> float:
        """Give the seed."""
        note("noise")
        return float(seed)

    @node(category="Test")
    def paint(ctx: Context, color: ColorParam = RED, size: int = 4) -> Image:
        """A picture of one colour."""
        note("paint")
        pixels = np.empty((1, size, size, 3), np.float32)
        pixels[:] = (color.red, color.green, color.blue)
        return Image(pixels)

    @node(category="Test", effect=True)
    def look(ctx: Context, image: Image) -> None:
        """Show a picture."""
        note("look")
        ctx.preview(image)

    @node(category="Test")
    def copy(ctx: Context, image: Image) -> Image:
        """The same pixels in memory of their own."""
        return Image(image.pixels + 0.0)

    @node(category="Test")
    def scribble(ctx: Context, image: Image) -> Image:
        """Try to change what came in."""
        image.pixels[:] = 0
        return image

    @node(category="Test")
    def steps(ctx: Context, number: float = 0.0, count: int = 1000) -> float:
        """Say how far it is."""
        for n in range(count):
            ctx.progress(n + 1, count)
        return number

    @node(category="Test")
    def say(ctx: Context, text: str = "", times: int = 1) -> str:
        """Tell a text."""
        for _ in range(times):
            ctx.note(text)
        return text

    @node(category="Test")
    def wait(ctx: Context, number: float = 0.0, gate: str = "", opens: str = "") -> float:
        """Open one gate, then wait at another, watching for a cancel."""
        note("wait")
        if opens:
            bench.gates.setdefault(opens, threading.Event()).set()
        door = bench.gates.setdefault(gate, threading.Event()) if gate else None
        while door is not None and not door.wait(0.01):
            ctx.check()
        return number

    @node(category="Test", lane="device")
    def wait_device(ctx: Context, number: float = 0.0, gate: str = "", opens: str = "") -> float:
        """The same on the device."""
        return wait.function(ctx, number, gate, opens)  # type: ignore[no-any-return]

    @node(category="Test", lane="device")
    def torch_threads(ctx: Context) -> int:
        """How many threads torch computes with here."""
        import torch

        return torch.get_num_threads()

    @node(category="Test", lane="device")
    def thread_name(ctx: Context, number: float = 0.0) -> str:
        """The name of the thread in which this runs."""
        return threading.current_thread().name

    @node(category="Test", lane="file")
    def wait_file(ctx: Context, number: float = 0.0, gate: str = "", opens: str = "") -> float:
        """The same among the files."""
        return wait.function(ctx, number, gate, opens)  # type: ignore[no-any-return]

    @node(category="Test", zone=True)
    def for_each(ctx: Context, items: dict[str, T], carry: dict[str, T] | None = None) -> None:
        """A zone."""

    @node(category="Test", zone=True)
    def repeat(
        ctx: Context,
        carry: dict[str, T] | None = None,
        times: Annotated[int, Range(0, 100_000)] = 4,
    ) -> None:
        """A zone."""

    return [kind for kind in locals().values() if isinstance(kind, NodeType)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Node types and an engine in an empty folder."""
    made = Bench(tmp_path)
    yield made
    made.engine.close()


@pytest.fixture
def new_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes benches with settings of their own."""
    made: list[Bench] = []

    def make(**settings: Any) -> Bench:
        made.append(Bench(tmp_path, **settings))
        return made[-1]

    yield make
    for one in made:
        one.engine.close()
