"""Real hosts over real node files in a folder of the test."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.engine.cancel import Cancel
from backend.engine.client import HostClient, JobOutcome
from backend.engine.events import Event
from backend.engine.wire import RunJob, Setup
from backend.graph.document import Graph, Node, Ref, Workflow
from backend.graph.format import dump

TROUBLE = Path(__file__).with_name("trouble_nodes.py")


def flow(**nodes: tuple[str, Mapping[str, Any]]) -> str:
    """The text of a workflow: a node by id is its type and its parameters and links."""
    made = {}
    for name, (kind, given) in nodes.items():
        links = {k: v for k, v in given.items() if isinstance(v, Ref)}
        params = {k: v for k, v in given.items() if not isinstance(v, Ref)}
        made[name] = Node(kind, params=params, inputs=links)
    return dump(Workflow(graph=Graph(nodes=made)))


def harm(how: str, **given: Any) -> str:
    """A workflow of one node that does harm."""
    return flow(bad=("harm", {"how": how, **given}))


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    """Look again and again whether another thread or process has brought something about."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and was not yet waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Desk:
    """A client, and a short way to run something with it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.nodes = folder / "nodes_of_mine"
        self.nodes.mkdir(exist_ok=True)
        shutil.copy(TROUBLE, self.nodes / "trouble.py")
        self.events: list[Event] = []
        self.last = ""
        self._ids = itertools.count()
        self._settings = settings
        self._client: HostClient | None = None

    @property
    def setup(self) -> Setup:
        return Setup(str(self.folder / "cache"), nodes=(str(self.nodes),), warm=False)

    @property
    def client(self) -> HostClient:
        if self._client is None:
            self._client = HostClient(self.setup, **{"standby": False} | self._settings)
        return self._client

    def job(self, workflow: str, **given: Any) -> RunJob:
        base = str(self.folder)
        settings = {"grants": (base,), "output": str(self.folder / "out"), **given}
        return RunJob(f"job {next(self._ids)}", workflow, base, **settings)

    def __call__(self, workflow: str, cancel: Cancel | None = None, **given: Any) -> JobOutcome:
        self.events = []
        job = self.job(workflow, **given)
        self.last = job.id
        return self.client.run(job, self.events.append, cancel)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One client for a module; a test that ends a host leaves the next one to the next test."""
    desk = Desk(tmp_path_factory.mktemp("desk"), grace=0.5, memory=400 * 2**20)
    yield desk
    desk.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Desk]:
    """A client of its own."""
    desk = Desk(tmp_path)
    yield desk
    desk.close()
