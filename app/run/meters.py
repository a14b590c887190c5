"""How much memory is used: of the machine, of the host, and of the GPU."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal

PACE = 500
"""Milliseconds between two looks while something is computed."""

IDLE_PACE = 2000
"""The same while nothing is."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes. ``host`` is what the process that computes holds; a GPU that there is not has 0."""

    used: int = 0
    total: int = 0
    host: int = 0
    device_used: int = 0
    device_total: int = 0
    device_name: str = ""


class Meters(QObject):
    """Looks at memory in a thread of its own, since a GPU's driver may take its time."""

    measured = Signal(object)
    """A ``Memory``; only where it is another than before."""

    def __init__(self, pid: Callable[[], int | None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.memory = Memory()
        self._pid = pid
        self._device: Device | None = None
        self._due, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._go, name="weft-meters", daemon=True)
        self._timer = QTimer(self)
        self._timer.setInterval(IDLE_PACE)
        self._timer.timeout.connect(self._due.set)
        self._told.connect(self._tell)

    _told = Signal(object)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()
        self._timer.start()
        self._due.set()

    def busy(self, busy: bool) -> None:
        """Whether something is computed, so that it is worth looking often."""
        pace = PACE if busy else IDLE_PACE
        if self._timer.interval() != pace:
            self._timer.setInterval(pace)
            self._due.set()

    def close(self) -> None:
        """Look no more."""
        self._timer.stop()
        self._over.set()
        self._due.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _go(self) -> None:
        device = find_device()
        while self._due.wait() and not self._over.is_set():
            self._due.clear()
            self._told.emit(measure(self._pid(), device))

    def _tell(self, memory: Memory) -> None:
        if memory != self.memory:
            self.memory = memory
            self.measured.emit(memory)


def measure(pid: int | None, device: Device | None) -> Memory:
    """The memory now; ``pid`` is that of the host, if there is one."""
    import psutil

    from backend.engine.client.memory import held

    whole = psutil.virtual_memory()
    used, total = device.memory() if device is not None else (0, 0)
    return Memory(
        used=int(whole.total - whole.available),
        total=int(whole.total),
        host=held(pid) if pid is not None else 0,
        device_used=used,
        device_total=total,
        device_name=device.name if device is not None else "",
    )


class _Bytes(ctypes.Structure):
    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class Device:
    """The first GPU, by the management library that comes with its driver."""

    def __init__(self, library: ctypes.CDLL, handle: ctypes.c_void_p, name: str) -> None:
        self._library, self._handle = library, handle
        self.name = name

    def memory(self) -> tuple[int, int]:
        """Bytes used and in all; 0 where the driver does not say."""
        found = _Bytes()
        if self._library.nvmlDeviceGetMemoryInfo(self._handle, ctypes.byref(found)):
            return 0, 0
        return int(found.used), int(found.total)


def find_device() -> Device | None:
    """The first NVIDIA GPU, if there is one with its driver."""
    name = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
    try:
        library = ctypes.CDLL(name)
        if library.nvmlInit_v2():
            return None
        handle = ctypes.c_void_p()
        if library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)):
            return None
        label = ctypes.create_string_buffer(96)
        library.nvmlDeviceGetName(handle, label, 96)
    except (OSError, AttributeError):
        return None
    return Device(library, handle, label.value.decode("utf-8", "replace"))
