"""What a process of checks and its client say to each other: each order has one answer.

Messages are msgpack behind their length, as those of a host (``backend.engine.wire``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias

import msgspec

from backend.engine.framing import LENGTH
from backend.graph.diagnostics import Diagnostic
from backend.graph.spec import NodeSpec, Param, Socket


class _Message(msgspec.Struct, frozen=True, tag_field="is", tag=True):
    """Base of all messages."""


class Begin(_Message, frozen=True, tag="begin"):
    """The first order: which node types there are. Every path is absolute.

    The trusted packs of ``data_folder`` (none where it is empty) and the folders ``nodes`` add to
    Weft's own.
    """

    data_folder: str = ""
    nodes: tuple[str, ...] = ()


class CheckDocument(_Message, frozen=True, tag="check"):
    """Check a document, told by ``patch`` (``backend.engine.checks.patch``).

    Relative paths in it are relative to ``base``; nothing but ``grants`` may be looked into.
    ``fresh``: ask all files again.
    """

    document: str
    patch: str
    base: str
    grants: tuple[str, ...] = ()
    fresh: bool = False


class CountTokens(_Message, frozen=True, tag="count"):
    """Count the tokens of a text as the text encoder linked to a step reads them.

    ``plain`` texts have no syntax: no weights, no BREAK.
    """

    document: str
    step: str
    text: str
    plain: bool = False


class AskForecast(_Message, frozen=True, tag="forecast"):
    """What a run of the document as it was last checked would do with the memory, if nothing were
    kept of earlier runs.

    The first order of a ``number`` begins to find out, beside the checks; the same again asks
    whether it is known. ``device`` and ``memory`` are the settings of those names, ``gpu`` are the
    bytes of the GPU, 0 where there is none. ``cache_folder`` holds what was measured.
    """

    document: str
    number: int
    device: str = "auto"
    memory: int = 0
    gpu: int = 0
    cache_folder: str = ""


class Forget(_Message, frozen=True, tag="forget"):
    """A document was closed."""

    document: str


Order: TypeAlias = Begin | CheckDocument | CountTokens | AskForecast | Forget


class Types(_Message, frozen=True, tag="types"):
    """The answer to ``Begin``; ``problems`` are sentences on files and packs that are not used.

    ``specs`` holds a ``NodeSpec`` by its id, which arrives as plain values (``read_specs``).
    """

    specs: dict[str, Any]
    problems: tuple[str, ...] = ()


class PlainFacts(msgspec.Struct, frozen=True, array_like=True):
    """``backend.graph.facts.Facts`` on its way."""

    type: str
    known: dict[str, Any]
    is_list: bool = False
    length: int | None = None


class Told(_Message, frozen=True, tag="told"):
    """The answer to ``CheckDocument``: only what is not as it was in the last answer.

    ``facts`` are those of steps in which something changed, ``gone`` steps that are not there any
    more; ``diagnostics`` is ``None`` where they are as before. ``wrong`` says why there is nothing
    to say: Weft itself went wrong.
    """

    ok: bool = False
    facts: dict[str, dict[str, PlainFacts]] = {}
    gone: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] | None = None
    wrong: str = ""


class Row(_Message, frozen=True):
    """How one tokenizer reads a text: ``tokens``, of which ``read`` are read, ``most`` at once.

    The tokens that it adds by itself are among them. ``parts`` says in how many pieces the text is
    read, ``cut`` how the rest begins that is not read.
    """

    name: str
    tokens: int
    read: int
    most: int
    parts: int = 1
    cut: str = ""


class Counted(_Message, frozen=True, tag="counted"):
    """The answer to ``CountTokens``; ``sentence`` says why there are no rows."""

    rows: tuple[Row, ...] = ()
    sentence: str = ""


class Lane(msgspec.Struct, frozen=True, array_like=True):
    """A component that the run uses: its name, the part of its model, and its bytes on the
    device."""

    name: str
    part: str
    held: int


class Stay(msgspec.Struct, frozen=True, array_like=True):
    """A component on the device in the course of a stage: at the most so many bytes. ``comes`` are
    those that are moved there for the stage, again and again where it ``streams``; ``used``: the
    stage computes with it."""

    lane: int
    held: int
    comes: int = 0
    streams: bool = False
    used: bool = False


class ForecastStage(msgspec.Struct, frozen=True, array_like=True):
    """Steps that are alike, or calls of one, in the order of the run.

    ``seconds`` count only where the forecast is ``timed``. ``activation`` is what is computed in,
    -1 where that is not known; ``curve`` the bytes in use on the device, evenly over the stage.
    """

    steps: tuple[str, ...]
    calls: int
    seconds: float
    waiting: float
    activation: int
    stays: tuple[Stay, ...]
    curve: tuple[int, ...]


class Forecast(_Message, frozen=True, tag="forecast"):
    """The answer to ``AskForecast``.

    ``going``: it is not known yet. ``wrong`` says in a sentence why there is none. ``misfit`` says
    why the run does not fit into the budgets, ``cures`` what would make it fit; then there are no
    stages. Bytes are as in ``backend.plan.memory.MemoryPlan``; ``least_loaded`` is what any plan
    loads. ``unknown`` are sentences on what could not be told before the run.
    """

    going: bool = False
    wrong: str = ""
    device: str = "cpu"
    device_budget: int = 0
    host_budget: int = 0
    misfit: str = ""
    cures: tuple[str, ...] = ()
    device_peak: int = 0
    host_peak: int = 0
    loaded: int = 0
    least_loaded: int = 0
    read: int = 0
    timed: bool = False
    seconds: float = 0.0
    waiting: float = 0.0
    least_waiting: float = 0.0
    whole: bool = True
    lanes: tuple[Lane, ...] = ()
    stages: tuple[ForecastStage, ...] = ()
    unknown: tuple[str, ...] = ()


class Done(_Message, frozen=True, tag="done"):
    """The answer to ``Forget``."""


Answer: TypeAlias = Types | Told | Counted | Forecast | Done


def read_specs(plain: Mapping[str, Any]) -> dict[str, NodeSpec]:
    """Node types from plain values. Limits stay the whole numbers that they were: a seed goes up
    to 2^64 - 1, which no float is.

    Raises:
        TypeError: they are no node types of this Weft.
    """
    return {name: _read_spec(**raw) for name, raw in plain.items()}


def _read_spec(
    inputs: Any, params: Any, outputs: Any, aliases: Any, hooks: Any, **rest: Any
) -> Any:
    return NodeSpec(
        inputs=tuple(Socket(**raw) for raw in inputs),
        params=tuple(_read_param(**raw) for raw in params),
        outputs=tuple(Socket(**raw) for raw in outputs),
        aliases=tuple(aliases),
        hooks=tuple(hooks),
        **rest,
    )


def _read_param(default: Any, choices: Any, **rest: Any) -> Param:
    value = tuple(default) if isinstance(default, list) else default
    return Param(default=value, choices=tuple(choices), **rest)


def encode(message: Order | Answer) -> bytes:
    """The message with its length before it."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(LENGTH, "little") + body


def decode_order(body: bytes) -> Order:
    """A message to the process.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    order: Order = _decoder(Order).decode(body)
    return order


def decode_answer(body: bytes) -> Answer:
    """A message from the process.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    answer: Answer = _decoder(Answer).decode(body)
    return answer


@cache
def _decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind)
