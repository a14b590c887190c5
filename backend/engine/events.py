"""What a run says while it runs: one small message per change of one step.

No message grows with the graph; each can be sent as JSON and read back by another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

RunStatus = Literal["done", "failed", "cancelled"]


class _Event(msgspec.Struct, frozen=True, tag_field="event", tag=True):
    """Base of all events. ``step`` is the step's path in the document."""


class RunStarted(_Event, frozen=True, tag="run_started"):
    """``steps`` are wanted as far as is known (lazy branches may add some); ``seeds`` were drawn.

    ``seeds`` holds only the seeds that stood at ``random``, by ``node.param``.
    """

    steps: int
    seeds: Mapping[str, int]


class StepStarted(_Event, frozen=True, tag="step_started"):
    """A step begins. ``turns`` are the turns of the zones around it, from 1, outermost first."""

    step: str
    turns: tuple[int, ...] = ()


class Progress(_Event, frozen=True, tag="progress"):
    """How far a step is, at most twenty times a second."""

    step: str
    done: float
    total: float
    turns: tuple[int, ...] = ()


class Note(_Event, frozen=True, tag="note"):
    """A sentence that a step has for people, while it goes on: what it left out, for example.

    Without a ``step`` it is about the run.
    """

    step: str
    text: str
    turns: tuple[int, ...] = ()


class Preview(_Event, frozen=True, tag="preview"):
    """An intermediate picture: JPEG, at most 512 pixels wide and high."""

    step: str
    jpeg: bytes
    turns: tuple[int, ...] = ()


class SavedFile(_Event, frozen=True, tag="saved"):
    """A file stands finished below the output folder."""

    step: str
    path: str
    hash: str
    turns: tuple[int, ...] = ()


class KeptFile(_Event, frozen=True, tag="kept"):
    """A file of an earlier run stands as it would be written now, so it was not written again."""

    step: str
    path: str
    hash: str
    turns: tuple[int, ...] = ()


class StepDone(_Event, frozen=True, tag="step_done"):
    """A step has its result. ``cached``: nothing was computed; ``outputs`` tells it in words."""

    step: str
    cached: bool
    seconds: float
    outputs: Mapping[str, str]
    turns: tuple[int, ...] = ()


class StepFailed(_Event, frozen=True, tag="step_failed"):
    """A step failed. ``sentence`` is for people, ``trace`` (may be empty) for a log."""

    step: str
    sentence: str
    trace: str = ""
    turns: tuple[int, ...] = ()


class StepSkipped(_Event, frozen=True, tag="step_skipped"):
    """A step was not run because ``cause``, a step before it, failed."""

    step: str
    cause: str
    turns: tuple[int, ...] = ()


class RunFinished(_Event, frozen=True, tag="run_finished"):
    """The end. ``ran``, ``cached``, ``failed`` and ``skipped`` count steps, turns one by one."""

    status: RunStatus
    seconds: float
    ran: int
    cached: int
    failed: int
    skipped: int
    saved: int


Event: TypeAlias = (
    RunStarted
    | StepStarted
    | Progress
    | Note
    | Preview
    | SavedFile
    | KeptFile
    | StepDone
    | StepFailed
    | StepSkipped
    | RunFinished
)


def to_json(event: Event) -> bytes:
    """The event as one JSON object (a preview's JPEG in base64)."""
    return msgspec.json.encode(event)


def from_json(data: bytes) -> Event:
    """The event of a JSON object.

    Raises:
        msgspec.ValidationError: it is none.
    """
    event: Event = msgspec.json.decode(data, type=Event)
    return event
