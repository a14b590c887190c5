"""An engine room over real hosts, with small nodes of its own in a folder of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.document.session import Session
from app.open_document import OpenDocument
from app.run.room import EngineRoom
from backend.engine.client import HostClient
from backend.engine.registry import scan_nodes
from backend.engine.wire import Setup
from backend.graph.document import Graph, Node, Ref, Workflow
from backend.graph.spec import NodeSpec

SLOW = Path(__file__).with_name("slow_nodes.py")


def flow(title: str = "a graph", **nodes: tuple[str, Mapping[str, Any]]) -> Workflow:
    """A workflow: a node by id is its type and its parameters and links."""
    made = {}
    for name, (kind, given) in nodes.items():
        links = {k: v for k, v in given.items() if isinstance(v, Ref)}
        params = {k: v for k, v in given.items() if not isinstance(v, Ref)}
        made[name] = Node(kind, params=params, inputs=links)
    return Workflow(graph=Graph(nodes=made), title=title)


class Studio:
    """A room, what it said, and short ways to use it."""

    def __init__(self, folder: Path, spin: Callable[..., None], **how: Any) -> None:
        self.folder, self.out, self.spin = folder, folder / "out", spin
        nodes = folder / "nodes"
        nodes.mkdir(exist_ok=True)
        (nodes / "slow.py").write_text(SLOW.read_text())
        self.specs: dict[str, NodeSpec] = dict(scan_nodes().specs) | dict(scan_nodes(nodes).specs)
        setup = Setup(str(folder / "cache"), nodes=(str(nodes),), warm=False, pictures=True)
        self.clients: list[HostClient] = []

        def client() -> HostClient:
            self.clients.append(HostClient(setup, standby=how.get("standby", False), grace=0.5))
            return self.clients[-1]

        self.room = EngineRoom(
            folder / "queue.sqlite",
            client,
            specs=lambda: self.specs,
            output=lambda: self.out,
            costs=folder / "seconds.json",
            attempts=how.get("attempts", 3),
        )
        self.said: list[tuple[Any, ...]] = []
        self.room.refused.connect(lambda *told: self.said.append(("refused", *told)))
        self.room.host_died.connect(lambda *told: self.said.append(("died", *told)))
        self.room.job_ended.connect(lambda view: self.said.append(("ended", view.id, view.status)))

    def open(self, workflow: Workflow) -> OpenDocument:
        return OpenDocument(Session(workflow))

    def run(self, document: OpenDocument, **how: Any) -> tuple[int, ...]:
        """Queue and wait until it is known; the numbers of the jobs."""
        ids: list[int] = []
        before = len(self.said)
        self.room.run(document, then=ids.extend, **how)
        self.spin(lambda: ids or any(s[0] == "refused" for s in self.said[before:]))
        return tuple(ids)

    def done(self, document: OpenDocument, **how: Any) -> str:
        """Run and wait for the end; how it ended."""
        ids = self.run(document, **how)
        assert ids, self.said
        self.ended(*ids)
        view = self.room.job(ids[-1])
        assert view is not None
        assert view.status != "failed" or view.error
        self.error = view.error
        return view.status

    def ended(self, *ids: int) -> None:
        """Wait until jobs have ended."""
        over = ("done", "failed", "cancelled")

        def all_over() -> bool:
            views = [self.room.job(number) for number in ids]
            return all(view is not None and view.status in over for view in views)

        self.spin(all_over, 60)

    def status(self, document: OpenDocument) -> dict[str, str]:
        return {step: run.status for step, run in self.room.runs(document).items()}


@pytest.fixture
def studio(tmp_path: Path, spin: Callable[..., None]) -> Iterator[Studio]:
    made = Studio(tmp_path, spin)
    made.room.start()
    yield made
    made.room.close()
