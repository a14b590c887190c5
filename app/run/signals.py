"""What the engine room says to the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, Signal

EngineStatus = Literal["off", "starting", "ready", "computing", "dead"]


@dataclass(frozen=True, slots=True)
class Engine:
    """Where the process that computes stands; ``sentence`` says why it is dead."""

    status: EngineStatus = "off"
    sentence: str = ""
    pid: int | None = None
    job: int = 0


class RoomSignals(QObject):
    """The signals of ``EngineRoom``. Documents go by their ids, steps by their paths."""

    job_changed = Signal(object)
    """A ``JobView``."""
    jobs_changed = Signal()
    """Which jobs there are, their order, or whether the queue is paused."""
    job_ended = Signal(object)
    """A ``JobView`` that ran until now, here or in another program."""
    node_changed = Signal(str, str)
    """The id of a document, and a step of it."""
    nodes_changed = Signal(str, object)
    """The same for many at once: a frozenset of steps; each is told by ``node_changed`` too."""
    preview = Signal(str, str)
    """A step of a document has another picture."""
    engine_changed = Signal()
    host_died = Signal(int, str)
    """A job during which the process that computes died, and a sentence; the queue goes on."""
    memory_changed = Signal(object)
    """A ``Memory``, at most twice a second."""
    timeline_changed = Signal(int)
    """The record of a job has grown."""
    refused = Signal(str, str)
    """The id of a document (or nothing), and why what was asked cannot be."""
