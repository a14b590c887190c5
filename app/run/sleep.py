"""Keeping the machine awake while something is computed. Where that cannot be, nothing is said."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys

_CONTINUOUS, _SYSTEM_REQUIRED = 0x80000000, 0x00000001


class Awake:
    """Holds off the sleep of an idle machine between ``hold`` and ``release``; the end of the
    program releases it, however it comes. All from one thread."""

    def __init__(self, why: str) -> None:
        """``why`` is what the system shows to who asks what keeps it awake."""
        self._why = why
        self._process: subprocess.Popen[bytes] | None = None
        self._held = False

    @property
    def held(self) -> bool:
        """Whether it was asked to hold."""
        return self._held

    def hold(self) -> None:
        """From now on; more than once is the same as once."""
        if self._held:
            return
        self._held = True
        if sys.platform == "win32":
            _windows(_CONTINUOUS | _SYSTEM_REQUIRED)
            return
        command = command_for(sys.platform, os.getpid(), self._why)
        if command and shutil.which(command[0]):
            with contextlib.suppress(OSError):
                # Its input is a pipe of ours, which closes with us.
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )

    def release(self) -> None:
        """The machine may sleep again."""
        self._held = False
        _windows(_CONTINUOUS)
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.terminate()
            process.wait()


def command_for(platform: str, pid: int, why: str) -> tuple[str, ...]:
    """The command that keeps a system awake while it runs, and that ends with process ``pid`` or
    with its own input; empty where there is none."""
    if platform == "darwin":
        return ("caffeinate", "-i", "-w", str(pid))
    if platform.startswith("linux"):
        held = ("--what=idle:sleep", "--mode=block", "--who=Weft", f"--why={why}")
        return ("systemd-inhibit", *held, "cat")
    return ()


def _windows(state: int) -> None:
    """Tell Windows; elsewhere do nothing."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetThreadExecutionState(state)
