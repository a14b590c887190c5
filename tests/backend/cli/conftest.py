"""The real ``weft`` command, each call in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.backend.cli.forks import Forks, early

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Done:
    """How a process ended."""

    status: int
    out: str
    err: str

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]


class Weft:
    """Runs ``weft`` in a folder of the test; logs and outputs stay there too."""

    def __init__(self, folder: Path, forks: Forks | None = None) -> None:
        self.folder = folder
        self.forks = forks
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONSAFEPATH": "1",
            **{
                f"XDG_{n}_HOME": str(folder / n.lower())
                for n in ("CONFIG", "CACHE", "DATA", "STATE")
            },
            "HOME": str(folder / "home"),
        }

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "backend.cli", *map(str, arguments)]

    def __call__(self, *arguments: object, **environment: str) -> Done:
        """Run a command line in a process of its own, forked from one that has imported Weft."""
        everything = {**self.environment, **environment}
        if self.forks is None or early(everything) != self.forks.early:
            return self.fresh(*arguments, **environment)
        return Done(*self.forks([*map(str, arguments)], self.folder, everything, seconds=120))

    def fresh(self, *arguments: object, **environment: str) -> Done:
        """The same in a new process, as a person or a script would start it."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: object, **options) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            **options,
        )

    def write(self, name: str, workflow: object) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(workflow if isinstance(workflow, str) else json.dumps(workflow))
        return path

    def flow(self, nodes: dict, name: str = "flow.weft.json", **more: object) -> Path:
        """A workflow file of these nodes; ``version`` may be left out of them."""
        full = {key: {"version": 1, **node} for key, node in nodes.items()}
        return self.write(name, {"weft": 1, "nodes": full, **more})


@pytest.fixture(scope="session")
def forks(tmp_path_factory) -> Iterator[Forks | None]:
    """What forks for each call; None where a system cannot."""
    if not hasattr(os, "fork"):
        yield None
        return
    made = Forks(Weft(tmp_path_factory.mktemp("forks")).environment)
    yield made
    made.close()


@pytest.fixture
def weft(tmp_path, forks) -> Weft:
    return Weft(tmp_path, forks)


@pytest.fixture
def terminal() -> Iterator[None]:
    """What is started has a terminal that can be closed, even if the tests run under ``nohup``."""
    hang_up = getattr(signal, "SIGHUP", None)
    before = None if hang_up is None else signal.signal(hang_up, signal.SIG_DFL)
    yield
    if hang_up is not None:
        signal.signal(hang_up, before)
