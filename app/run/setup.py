"""The engine room as the settings of the user say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.open_document import OpenDocument
from app.run.room import EngineRoom
from backend.engine.queue.place import FILE
from backend.graph.spec import NodeSpec
from backend.settings import Settings, cache_folder, data_folder

if TYPE_CHECKING:
    from backend.engine.client import HostClient

COSTS = "seconds.json"


def client_of(settings: Settings) -> HostClient:
    """A client of hosts whose steps show the pictures that they give. Whoever has it closes it."""
    from backend.engine.client import HostClient
    from backend.engine.wire import Setup

    setup = Setup(
        cache_folder=str(cache_folder(settings)),
        device=settings.run.device,
        models=settings.run.memory,
        host_memory=settings.run.host_memory,
        threads=settings.run.threads,
        memory=settings.cache.memory,
        disk=settings.cache.disk,
        costly=settings.cache.costly,
        embed=settings.provenance.embed,
        data_folder=str(data_folder(settings)),
        pictures=True,
    )
    host = settings.host
    return HostClient(setup, standby=host.standby, grace=host.grace, memory=host.memory)


def engine_room(
    settings: Settings,
    specs: Callable[[], Mapping[str, NodeSpec]],
    output: Callable[[], Path],
    grants: Callable[[OpenDocument], Sequence[Path]] = lambda _: (),
) -> EngineRoom:
    """The room on the user's own queue; the arguments are as for ``EngineRoom``."""
    return EngineRoom(
        data_folder(settings) / FILE,
        lambda: client_of(settings),
        specs=specs,
        output=output,
        grants=grants,
        costs=cache_folder(settings) / COSTS,
        attempts=settings.queue.attempts,
    )
