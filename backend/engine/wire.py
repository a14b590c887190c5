"""What a host process and its client say to each other: small messages, as msgpack.

Nothing here runs code when it is read back. No message grows with a picture: values go through
files, and previews are small JPEGs. On the pipe each message stands behind its length.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, TypeAlias

import msgspec

from backend.engine.events import Event
from backend.engine.framing import LENGTH
from backend.engine.words import Failure
from backend.graph.diagnostics import Diagnostic
from backend.sdk import Saved

EndStatus = Literal["done", "failed", "cancelled", "invalid"]


class _Message(msgspec.Struct, frozen=True, tag_field="is", tag=True):
    """Base of all messages."""


class Setup(_Message, frozen=True, tag="setup"):
    """The first message to a host: how it is to compute. Every path is absolute.

    ``device`` is ``auto``, ``cpu`` or ``cuda:N``; ``threads`` 0 takes all. ``models`` are the
    bytes of the device for models and what they compute in, 0 what there is; ``host_memory`` those
    of host memory in which weights wait for a GPU, 0 half of what is free. ``memory`` and
    ``disk`` are the bytes that results may take there; one that took ``costly`` seconds goes to
    disk. ``embed``: whether outputs carry their workflow. The trusted packs of ``data_folder``
    (none where it is empty) and the folders ``nodes`` add to Weft's own node types. ``warm``:
    import the model libraries while there is nothing else to do. ``pictures``: every step that
    gives a picture shows it (``Preview``).
    """

    cache_folder: str
    device: str = "auto"
    threads: int = 0
    memory: int = 2 * 2**30
    disk: int = 20 * 2**30
    costly: float = 0.5
    embed: bool = True
    data_folder: str = ""
    nodes: tuple[str, ...] = ()
    warm: bool = True
    pictures: bool = False
    models: int = 0
    host_memory: int = 0


class RunJob(_Message, frozen=True, tag="run"):
    """Run a workflow.

    ``workflow`` is the text of its file; relative paths in it are relative to ``base``; nothing
    but the absolute paths ``grants`` may be read (``base`` must be among them to be). ``output`` is
    the absolute folder to write to. ``only`` and ``seed`` are as in ``Engine.run``. ``ledger`` and
    ``job`` name a database and a row in it, where the files of this job are noted, so that a
    second attempt does not write them again. Without ``compute`` nothing runs: where not all is
    remembered, the job is done without any outputs.
    """

    id: str
    workflow: str
    base: str
    grants: tuple[str, ...]
    output: str
    only: tuple[str, ...] = ()
    seed: int | None = None
    use_cache: bool = True
    ledger: str | None = None
    job: str | None = None
    compute: bool = True


class Arrange(_Message, frozen=True, tag="arrange"):
    """Say which steps of these jobs are best taken before the first is run, so that each model is
    loaded once for all. ``id`` differs from those of jobs."""

    id: str
    jobs: tuple[RunJob, ...]


class CancelJob(_Message, frozen=True, tag="cancel"):
    """End the job early, if it is the one that runs or waits."""

    id: str


class GetValue(_Message, frozen=True, tag="get"):
    """Put an output of the last job into a file. ``step`` is one that the run was for."""

    id: str
    step: str
    output: str


class Quit(_Message, frozen=True, tag="quit"):
    """End, once the present job is over."""


Order: TypeAlias = Setup | RunJob | Arrange | CancelJob | GetValue | Quit


class Ready(_Message, frozen=True, tag="ready"):
    """The host takes jobs. It comes again with ``warm`` when the model libraries are imported.

    ``errors`` are sentences on node files that cannot be used.
    """

    pid: int
    warm: bool = False
    errors: tuple[str, ...] = ()


class JobEvent(_Message, frozen=True, tag="event"):
    """Something that a job says while it runs."""

    id: str
    event: Event


class JobEnd(_Message, frozen=True, tag="end"):
    """A job is over; it comes exactly once. The fields are those of ``RunResult``.

    ``outputs`` are the wanted values that ``GetValue`` can ask for: step, output, and the name of
    the value's type. ``error`` is what went wrong outside of any node. ``dropped`` events were left
    out because nobody read them.
    """

    id: str
    status: EndStatus
    failures: dict[str, Failure] = {}
    saved: tuple[Saved, ...] = ()
    kept: tuple[Saved, ...] = ()
    seconds: float = 0.0
    seeds: dict[str, int] = {}
    diagnostics: tuple[Diagnostic, ...] = ()
    outputs: tuple[tuple[str, str, str], ...] = ()
    error: Failure | None = None
    dropped: int = 0


class Arranged(_Message, frozen=True, tag="arranged"):
    """The answer to ``Arrange``: turns of jobs, by their places, each with the ids of its steps;
    none where all models fit together. The first ``seen`` jobs were looked at."""

    id: str
    turns: tuple[tuple[int, tuple[str, ...]], ...] = ()
    seen: int = 0


class ValueFile(_Message, frozen=True, tag="value"):
    """Where an output lies for the client to take, or in ``sentence`` why there is none.

    The file is the client's from now on; ``backend.engine.client.values`` reads it.
    """

    id: str
    step: str
    output: str
    path: str = ""
    sentence: str = ""


Report: TypeAlias = Ready | JobEvent | JobEnd | Arranged | ValueFile


def encode(message: Order | Report) -> bytes:
    """The message with its length before it."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(LENGTH, "little") + body


def decode_order(body: bytes) -> Order:
    """A message to the host.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    order: Order = _orders().decode(body)
    return order


def decode_report(body: bytes) -> Report:
    """A message from the host.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    report: Report = _reports().decode(body)
    return report


@cache
def _orders() -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(Order)


@cache
def _reports() -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(Report)
