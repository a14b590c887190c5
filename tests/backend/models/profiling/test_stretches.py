"""How the time of stretches between layers is shared out among operators."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import nn

from backend.models.profiling.stretches import WAY, Clocked, borders_of, marked, shared_out

MS = 1_000_000


def test_a_stretch_is_shared_out_as_its_operators_took() -> None:
    """Two operators before a border, none up to the next, two after it."""
    operators = [(0, 30), (40, 50), (60, 80), (90, 110)]
    seconds = shared_out([Clocked(0, operators, [2, 2])], [0, 8 * MS, 9 * MS, 10 * MS])
    assert seconds == pytest.approx([6e-3, 2e-3, 1e-3, 1e-3])  # the way to the third is its own


def test_long_work_of_python_is_no_operators() -> None:
    operators = [(0, 10 * MS), (30 * MS, 40 * MS)]
    (one, two) = shared_out([Clocked(0, operators, [])], [0, 40 * MS])
    assert one == two
    assert one + two == pytest.approx(0.02, rel=2 * WAY / (20 * MS))


def test_what_disturbed_one_call_does_not_count() -> None:
    calm, disturbed = [(0, 10), (20, 30)], [(0, 10), (5 * MS, 9 * MS)]
    found = shared_out([Clocked(0, calm, []), Clocked(0, disturbed, [])], [0, 2 * MS])
    assert found == pytest.approx([1e-3, 1e-3])


@pytest.mark.parametrize(
    ("operators", "borders", "times"),
    [([(0, 1)], [1], [0, 1, 2]), ([(0, 1), (2, 3)], [2], [0, 1, 2]), ([(0, 1), (2, 3)], [1], [0])],
)
def test_calls_that_differ_are_refused(
    operators: list[tuple[int, int]], borders: list[int], times: list[int]
) -> None:
    with pytest.raises(ValueError, match="differ"):
        shared_out(
            [Clocked(0, [(0, 1), (2, 3)], [1]), Clocked(0, operators, borders)], times
        )  # fmt: skip


def test_layers_are_marked_and_then_as_before() -> None:
    class Own(nn.Module):
        def forward(self, x: torch.Tensor, twice: bool = False) -> torch.Tensor:
            return x * 2 if twice else x

    net: Any = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.SiLU(), Own()))
    kept = net[1][1].forward = lambda x, twice=False: x + 1
    clock = iter(range(100))
    with marked(net, lambda: next(clock)) as borders:
        net(torch.zeros(1, 4))
        assert list(inspect.signature(net[1][1].forward).parameters) == ["x", "twice"]
    assert borders == list(range(6))
    assert net[1][1].forward is kept
    assert "forward" not in vars(net[0])
    times = borders_of(lambda: net(torch.zeros(1, 4)), net)
    assert len(times) == 8
    assert times[-1] > times[0]

    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise KeyboardInterrupt

    broken = Broken()
    with pytest.raises(KeyboardInterrupt), marked(broken, lambda: 0):
        broken(torch.zeros(1))
    assert "forward" not in vars(broken)
