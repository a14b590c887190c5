"""What a run takes from its engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backend.engine.context import Facilities
from backend.engine.gather import Shape
from backend.engine.lanes import Workers
from backend.engine.outlook import Outlook
from backend.graph.caps import Caps
from backend.graph.spec import Lane
from backend.plan.result import Result
from backend.plan.survey import Desk
from backend.sdk import NodeType


@dataclass(frozen=True, slots=True)
class Kit:
    """What a run takes from its engine. ``costs`` are seconds by node type and size of inputs."""

    desk: Desk
    node: Callable[[str], NodeType]
    shape: Callable[[str], Shape]
    facilities: Facilities
    lanes: Mapping[Lane, Workers]
    costs: dict[tuple[str, int], float]
    store: Callable[[str, str, Result], None]
    settle: Callable[[Callable[[], bool]], None]
    caps: Caps
    outlook: Outlook
    free: Callable[[], None]
    resident: Callable[[], Mapping[str, int]]
