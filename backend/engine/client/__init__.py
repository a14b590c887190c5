"""The light side of a host process: start it, give it jobs, hear of its death."""

from backend.engine.client.arranged import JobTurns
from backend.engine.client.client import HostClient
from backend.engine.client.outcome import Crash, JobOutcome, RunningStep

__all__ = ["Crash", "HostClient", "JobOutcome", "JobTurns", "RunningStep"]
