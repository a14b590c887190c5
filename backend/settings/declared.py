"""Every setting: its section, kind, default and what it is for."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["text", "number", "integer", "yes", "size", "texts"]
"""``size`` is a number of bytes, written as ``20GiB``; ``yes`` is true or false."""


DEVICE = r"auto|cpu|cuda(:[0-9]{1,3})?"
"""How a device is written."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One setting; ``low`` and ``high`` bound numbers and sizes. A text with ``choices`` is one of
    them."""

    key: str
    kind: Kind
    default: Any
    text: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    form: str = ""
    """The pattern that a text has to match as a whole; ``told`` says it in words."""
    told: str = ""

    @property
    def variable(self) -> str:
        """The environment variable that sets it, ``WEFT_CACHE_DISK`` for ``cache.disk``."""
        return "WEFT_" + self.key.replace(".", "_").upper()


def _setting(
    kind: Kind, default: Any, text: str, low: float | None = None, high: float | None = None,
    choices: tuple[str, ...] = (), form: str = "", told: str = "",
) -> Any:  # fmt: skip
    known = {"kind": kind, "text": text, "low": low, "high": high, "choices": choices,
             "form": form, "told": told}  # fmt: skip
    return field(default=default, metadata=known)


@dataclass(frozen=True, slots=True)
class Folders:
    """Where Weft keeps its own things; empty means the place that the system has for them."""

    cache: str = _setting("text", "", "Results, frames and previews; may be deleted at any time.")
    data: str = _setting("text", "", "The queue, the history, downloaded models, node packs.")
    logs: str = _setting("text", "", "Log files.")
    output: str = _setting("text", "output", "Where outputs go; relative to the current folder.")


@dataclass(frozen=True, slots=True)
class Models:
    """Where models lie."""

    folders: tuple[str, ...] = _setting("texts", (), "More folders that hold models.")


@dataclass(frozen=True, slots=True)
class Cache:
    """How much is remembered."""

    memory: int = _setting("size", 2 * 2**30, "Results in memory.", 0, 2**50)
    disk: int = _setting("size", 20 * 2**30, "Results on disk; 0 keeps none.", 0, 2**60)
    costly: float = _setting(
        "number", 0.5, "Seconds that a step took for its result to be kept on disk.", 0, 1e6
    )


@dataclass(frozen=True, slots=True)
class Run:
    """How graphs are computed."""

    device: str = _setting(
        "text", "auto", "auto, cpu or cuda:N.",
        form=DEVICE, told="write auto, cpu, cuda or cuda:N",
    )  # fmt: skip
    threads: int = _setting("integer", 0, "Threads of torch on the CPU; 0 takes all.", 0, 4096)
    memory: int = _setting(
        "size", 0,
        "Memory of the device for models and what they compute in; 0: half of the machine's, or "
        "four fifths of the GPU's.",
        0, 2**60,
    )  # fmt: skip
    host_memory: int = _setting(
        "size", 0,
        "Host memory in which weights wait for a GPU; 0: half of what is free when the first are "
        "loaded. Less than a block of a model keeps none.",
        0, 2**60,
    )  # fmt: skip
    isolated: bool = _setting("yes", False, "Whether `weft run` uses a process of its own.")


@dataclass(frozen=True, slots=True)
class Host:
    """The process that computes for the queue and the studio."""

    grace: float = _setting(
        "number", 5.0, "Seconds that a cancelled step may take before it is ended.", 0.1, 3600
    )
    memory: int = _setting(
        "size", 0, "Memory that the host may take before it is ended; 0: nine tenths of all.",
        0, 2**60,
    )  # fmt: skip
    standby: bool = _setting("yes", True, "Whether a second host waits, ready to take over.")


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue."""

    attempts: int = _setting(
        "integer", 3, "How often a job is begun when the process that runs it dies.", 1, 100
    )


@dataclass(frozen=True, slots=True)
class Provenance:
    """What outputs tell of how they were made."""

    embed: bool = _setting("yes", True, "Whether outputs carry their workflow.")


@dataclass(frozen=True, slots=True)
class Logs:
    """Log files."""

    keep: int = _setting("integer", 10, "How many old log files are kept.", 0, 1000)
    size: int = _setting("size", 4 * 2**20, "The size at which a log file is put away.", 2**12)


@dataclass(frozen=True, slots=True)
class Studio:
    """How the studio looks and what its keys do."""

    theme: str = _setting(
        "text", "system", "Dark, light, or as the system has it.",
        choices=("system", "dark", "light"),
    )  # fmt: skip
    density: str = _setting(
        "text", "regular", "How high rows are.", choices=("compact", "regular", "roomy")
    )
    text: float = _setting("number", 1.0, "Size of texts; 1 is as designed.", 0.9, 1.5)
    contrast: str = _setting(
        "text",
        "system",
        "High contrast, or as the system has it.",
        choices=("system", "normal", "high"),
    )
    still: bool = _setting("yes", False, "Whether nothing moves that need not.")
    shortcuts: tuple[str, ...] = _setting(
        "texts", (), "Keys that are not as Weft has them, each as command=keys."
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, by section."""

    folders: Folders = Folders()
    models: Models = Models()
    cache: Cache = Cache()
    run: Run = Run()
    host: Host = Host()
    queue: Queue = Queue()
    provenance: Provenance = Provenance()
    logs: Logs = Logs()
    studio: Studio = Studio()


def declarations() -> dict[str, Declaration]:
    """Every setting by its key, in the order of the file."""
    found: dict[str, Declaration] = {}
    for section in fields(Settings):
        for one in fields(section.default):  # type: ignore[arg-type]
            key = f"{section.name}.{one.name}"
            found[key] = Declaration(key, default=one.default, **one.metadata)
    return found
