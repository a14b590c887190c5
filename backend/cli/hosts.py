"""Processes that compute for a command, as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.engine.client import HostClient
    from backend.settings import Settings


def host_client(settings: Settings, *, standby: bool | None = None) -> HostClient:
    """A client of host processes; ``standby`` overrides the setting. Whoever has it closes it."""
    from backend.engine.client import HostClient
    from backend.engine.wire import Setup
    from backend.settings import cache_folder, data_folder

    setup = Setup(
        cache_folder=str(cache_folder(settings)),
        device=settings.run.device,
        threads=settings.run.threads,
        models=settings.run.memory,
        host_memory=settings.run.host_memory,
        memory=settings.cache.memory,
        disk=settings.cache.disk,
        costly=settings.cache.costly,
        embed=settings.provenance.embed,
        data_folder=str(data_folder(settings)),
    )
    host = settings.host
    kept = host.standby if standby is None else standby
    return HostClient(setup, standby=kept, grace=host.grace, memory=host.memory)
