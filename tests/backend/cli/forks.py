"""A process that has imported the light part of ``weft`` once, and forks for each call of it.

A call is a process of its own all the same, with its own folder, environment, streams and end. It
does without what all begin with: an interpreter, and the modules that no model needs. So nothing
but the start itself is left out; tests of the start, and those for which two processes must not
share the seed of their hashes, begin new ones (``Weft.fresh``).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

EARLY = ("PYTHON", "LC_", "LANG", "OMP_", "MKL_", "LD_")
"""Variables that are read while a process starts."""


class Forks:
    """The process that forks; calls are made one after the other."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.early = early(environment)
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def __call__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float
    ) -> tuple[int, str, str]:
        """Run a command line; its exit status (negative for a signal) and what it wrote."""
        told = {"arguments": arguments, "folder": str(folder), "environment": environment}
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            files = [out.fileno(), err.fileno()]
            self.ours.settimeout(None)
            socket.send_fds(self.ours, [json.dumps(told).encode()], files)
            pid = int(self.ours.recv(100))
            self.ours.settimeout(seconds)
            try:
                status = int(self.ours.recv(100))
            except TimeoutError:
                os.kill(pid, 9)
                self.ours.settimeout(None)
                self.ours.recv(100)
                raise subprocess.TimeoutExpired(list(arguments), seconds) from None
            return status, written(out), written(err)

    def close(self) -> None:
        self.ours.close()
        self.process.wait(10)


def early(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment a process that has started cannot take on any more."""
    return {name: value for name, value in environment.items() if name.startswith(EARLY)}


def written(file) -> str:
    file.seek(0)
    return file.read().decode()


def load() -> None:
    """Import what commands without models load; see ``test_architecture``."""
    import importlib
    import pkgutil

    import backend.catalog
    import backend.cli
    import backend.graph
    import backend.media
    import nodes

    for package in (backend.cli, backend.graph, backend.catalog, backend.media, nodes):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    importlib.import_module("backend.engine.engine")
    assert "torch" not in sys.modules


def serve(asked: socket.socket) -> bool:
    """Fork for each message; returns True in the process that is to run a command."""
    while True:
        message, files, _, _ = socket.recv_fds(asked, 1 << 20, 2)
        if not message:
            return False
        pid = os.fork()
        if not pid:
            asked.close()
            become(files, **json.loads(message))
            return True
        for file in files:
            os.close(file)
        asked.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        asked.send(str(os.waitstatus_to_exitcode(status)).encode())


def become(
    files: Sequence[int], arguments: Sequence[str], folder: str, environment: Mapping[str, str]
) -> None:
    """Be as a process that was started so."""
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["weft", *arguments]


if __name__ == "__main__":
    import gc
    import runpy

    load()
    gc.freeze()  # a fork that does not look at them shares their memory
    if serve(socket.socket(fileno=int(sys.argv[1]))):
        runpy.run_module("backend.cli", run_name="__main__", alter_sys=True)
