"""A profile as text: a table for each step, a line for each kind of operator."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from backend.models.profiling.kinds import KINDS
from backend.models.profiling.measure import Level, Profile
from backend.models.profiling.roof import Roof
from backend.models.profiling.trace import Trace

BETWEEN = "between operators"
COLUMNS = ("calls", "ms", "share %", "GFLOP", "MB moved", "MB made", "MB held", "roof %")


@dataclass(frozen=True)
class Row:
    """All operators of a kind: how many, their seconds, operations, bytes read and written, bytes
    of new tensors, bytes held at most while one ran, and the least seconds by the roofline."""

    kind: str
    calls: int
    seconds: float
    operations: int
    moved: int
    made: int
    held: int
    least: float


def rows(trace: Trace, roof: Roof) -> list[Row]:
    """The kinds that a call has, in their order; last what lies between operators, which is what
    Python takes to get from one to the next."""
    found = []
    for kind in KINDS:
        those = [each for each in trace.operators if each.kind == kind]
        if those:
            found.append(
                Row(
                    kind,
                    len(those),
                    sum(each.seconds for each in those),
                    sum(each.operations for each in those),
                    sum(each.moved for each in those),
                    sum(each.made for each in those),
                    max(each.held for each in those),
                    sum(roof.least(each.operations, each.moved) for each in those),
                )
            )
    rest = max(trace.wall - trace.seconds, 0.0)
    return [*found, Row(BETWEEN, 0, rest, 0, 0, 0, 0, 0.0)]


def text(profile: Profile) -> str:
    """The whole profile."""
    size = "x".join(map(str, profile.shape))
    threads = "" if profile.device.startswith("cuda") else f", threads: {profile.threads}"
    peak, bandwidth = profile.roof.peak / 1e9, profile.roof.bandwidth / 1e9
    head = [
        f"{profile.family}, latent {size}, {profile.tokens} image tokens a sample, "
        f"{profile.device} in {profile.dtype}{threads}",
        f"roof: {peak:.1f} GFLOP/s (a large product of matrices), "
        f"{bandwidth:.1f} GB/s (a large copy)",
    ]
    return "\n".join([*head, *(_level(profile, level) for level in profile.levels)]) + "\n"


def _level(profile: Profile, level: Level) -> str:
    trace = level.trace
    found = rows(trace, profile.roof)
    total = Row(
        "together",
        sum(row.calls for row in found),
        sum(row.seconds for row in found),
        sum(row.operations for row in found),
        sum(row.moved for row in found),
        sum(row.made for row in found),
        trace.peak,
        sum(row.least for row in found),
    )
    seen = Counter(each.tokens for each in trace.operators if each.tokens)
    lengths = ", ".join(f"{q} to {k} ({n} calls)" for (q, k), n in sorted(seen.items()))
    return "\n".join(
        [
            "",
            f"step {level.number} of {profile.steps}, noise level {level.sigma:.3g}: "
            f"{trace.wall * 1e3:.2f} ms, in operators {trace.seconds / trace.wall:.0%} of it; "
            f"peak {trace.peak / 1e6:.2f} MB beside the weights",
            f"{'':<26}" + "".join(f"{name:>10}" for name in COLUMNS),
            *(_line(row, trace.wall) for row in [*found, total]),
            f"attention, queries to keys: {lengths or 'in none that torch has as one operator'}",
        ]
    )


def _line(row: Row, wall: float) -> str:
    share = 100 * row.seconds / wall
    reach = f"{100 * row.least / row.seconds:10.0f}" if row.calls and row.seconds else f"{'':10}"
    if row.kind == BETWEEN:
        return f"{row.kind:<26}{'':10}{row.seconds * 1e3:10.2f}{share:10.1f}"
    return (
        f"{row.kind:<26}{row.calls:10}{row.seconds * 1e3:10.2f}{share:10.1f}"
        f"{row.operations / 1e9:10.3f}{row.moved / 1e6:10.2f}{row.made / 1e6:10.2f}"
        f"{row.held / 1e6:10.2f}{reach}"
    )
