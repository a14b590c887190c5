"""The switch of experts on a toy whose best denoiser is known exactly."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from backend.diffusion.around import Moment
from backend.diffusion.errors import DiffusionError
from backend.diffusion.experts import Dressed, ExpertSlot, ExpertSwitch, in_charge
from backend.diffusion.paths import VE
from backend.diffusion.process import Process
from backend.diffusion.sample import invert, sample
from backend.values import Guider, Latent, Noise, Params, Schedule, Solver, Term
from tests.backend.diffusion.toy import KINDS, SIZE, Toy, allow, of_kind, prototype

INF = math.inf
MEANS = [prototype(kind) for kind in KINDS]


class Specialist(Toy):
    """Exact from ``low`` to ``high``, and nothing at all elsewhere."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__(MEANS, 0.05)
        self.range = low, high

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        low, high = self.range
        return super().__call__(x, sigma, prepared) * (1.0 if low <= sigma < high else math.nan)


class Layout(Toy):
    """Knows the condition, but was only trained at high noise: below 0.5 it draws negatives."""

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        right = super().__call__(x, sigma, prepared)
        return right if sigma >= 0.5 else 2 * x / sigma - right


class Finish(Toy):
    """Draws well, but takes no heed of the condition."""

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        return super().__call__(x, sigma, torch.ones_like(prepared))


class Bench:
    """Makes specialists, and knows which of them are alive."""

    def __init__(self, *levels: float) -> None:
        self.levels = levels
        self.alive: list[str] = []
        self.most = 0
        self.log: list[str] = []

    def slot(self, number: int) -> ExpertSlot:
        above = (INF, *self.levels)[number]
        below = (*self.levels, 0.0)[number]
        name = f"expert {number}"

        def make() -> Dressed:
            gc.collect()
            made = Specialist(below, above)
            self.alive.append(name)
            weakref.finalize(made, self.alive.remove, name)
            self.most = max(self.most, len(self.alive))
            return Dressed(made)

        return ExpertSlot(name, above, make)

    def switch(self) -> ExpertSwitch:
        slots = [self.slot(number) for number in range(len(self.levels) + 1)]
        return ExpertSwitch(Specialist(0, INF), slots, self.log.append)


ASKED = [kind for kind in KINDS if kind[:2] == ("circle", "left")]
TERMS = (
    Term("positive", of_kind(lambda kind: kind in ASKED)),
    Term("negative", allow([True] * len(KINDS))),
)


def run(denoiser: Any, params: Params | None = None, kind: str = "cfg", start: float = 0.0,
        solver: str = "euler", count: int = 3) -> Tensor:  # fmt: skip
    latent = Latent(np.zeros((count, 1, SIZE, SIZE), np.float32), "toy")
    found = sample(
        denoiser, Guider(kind, params or {"cfg": 2.0}, None, TERMS), Solver(solver),
        Schedule("native", steps=20, start=start), Noise("gaussian", seed=4), latent,
    )  # fmt: skip
    return torch.from_numpy(found.samples.copy())


@pytest.mark.parametrize("levels", [(0.6,), (0.75, 0.3)])
@pytest.mark.parametrize("solver", ["euler", "unipc", "heun"])
def test_experts_together_are_as_good_as_the_whole(levels: tuple[float, ...], solver: str) -> None:
    bench = Bench(*levels)
    exact = run(Toy(MEANS, 0.05), solver=solver)
    assert torch.equal(run(bench.switch(), solver=solver), exact)


def test_two_half_experts_make_good_pictures_of_what_was_asked() -> None:
    """Neither can: one knows what to draw, the other how. Wilson bounds of 60 samples."""

    def good(denoiser: Any) -> int:
        pictures = run(denoiser, kind="none", count=60)
        wanted = torch.from_numpy(np.stack([prototype(k) for k in ASKED]))[:, None]
        distance = (pictures[:, None] - wanted).abs().amax((2, 3, 4))
        return int((distance.amin(1) < 0.5).sum())

    layout, finish = Layout(MEANS, 0.05), Finish(MEANS, 0.05)
    slots = [
        ExpertSlot("layout", INF, lambda: Dressed(layout)),
        ExpertSlot("finish", 0.5, lambda: Dressed(finish)),
    ]
    assert wilson(good(ExpertSwitch(layout, slots)), 60)[0] > 0.85
    assert wilson(good(layout), 60)[1] < 0.1
    assert wilson(good(finish), 60)[1] < 0.5


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % bounds of a rate."""
    z, rate = 1.96, hits / count
    middle = rate + z * z / (2 * count)
    spread = z * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return (middle - spread) / scale, (middle + spread) / scale


def test_each_is_loaded_when_reached_and_one_is_held_at_a_time() -> None:
    bench = Bench(0.75, 0.3)
    switch = bench.switch()
    assert bench.log == []
    run(switch)
    assert bench.log == switch.ran == ["expert 0", "expert 1", "expert 2"]
    assert bench.most == 1


def test_an_expert_that_is_not_reached_is_never_loaded() -> None:
    bench = Bench(0.75, 0.3)
    run(bench.switch(), start=0.5)
    assert bench.log == ["expert 1", "expert 2"]


def test_inversion_goes_through_them_the_other_way() -> None:
    bench = Bench(0.5)
    latent = Latent(np.stack(MEANS[:1])[:, None], "toy")
    plan = Schedule("native", steps=10)
    invert(bench.switch(), Guider("none", {}, None, TERMS[:1]), plan, latent)
    assert bench.log == ["expert 1", "expert 0"]


def test_the_level_itself_belongs_to_the_one_above() -> None:
    assert [in_charge((0.8, 0.5), s) for s in (1.0, 0.8, 0.79, 0.5, 0.1)] == [0, 0, 1, 1, 2]
    assert in_charge((), 0.1) == 0


def test_each_expert_has_its_own_scale() -> None:
    switch = Bench(0.6).switch()
    same = run(Toy(MEANS, 0.05))
    assert torch.equal(run(switch, {"scales": (2.0, 2.0)}, "cfg_experts"), same)
    assert torch.equal(run(switch, {"scales": (2.0,)}, "cfg_experts"), same)
    other = run(switch, {"scales": (0.0, 2.0)}, "cfg_experts")
    assert not torch.allclose(other, same, atol=1e-3)


def test_a_scale_of_1_does_not_ask_the_negative() -> None:
    whole = Specialist(0, INF)
    whole.process = replace(whole.process, handovers=(0.6,))
    rows: list[tuple[float, int]] = []
    right = whole.__class__.__call__

    class Counted(Specialist):
        def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
            rows.append((sigma, len(x)))
            return right(self, x, sigma, prepared)

    whole.__class__ = Counted
    run(whole, {"scales": (2.0, 1.0)}, "cfg_experts")
    assert {count for sigma, count in rows if sigma >= 0.6} == {6}
    assert {count for sigma, count in rows if sigma < 0.6} == {3}


@pytest.mark.parametrize(
    ("scales", "says"),
    [((2.0, 2.0, 2.0), "3 scales, but the model has 2 experts"), ((), "one number in scales"),
     (("a",), "one number in scales")],
)  # fmt: skip
def test_scales_that_do_not_fit_are_refused(scales: tuple[Any, ...], says: str) -> None:
    with pytest.raises(DiffusionError, match=says):
        run(Bench(0.6).switch(), {"scales": scales}, "cfg_experts")


def test_experts_in_the_wrong_order_are_refused() -> None:
    bench = Bench(0.6)
    for slots in ([], [bench.slot(0), bench.slot(1), bench.slot(1)]):
        with pytest.raises(DiffusionError, match="falling noise levels"):
            ExpertSwitch(Specialist(0, 1), slots)


def test_experts_that_predict_different_things_are_refused() -> None:
    class Other(Specialist):
        def __init__(self) -> None:
            super().__init__(0, 1)
            self.process = Process(VE, "epsilon")

    slots = [Bench(0.6).slot(0), ExpertSlot("other", 0.6, lambda: Dressed(Other()))]
    with pytest.raises(DiffusionError, match="The expert other predicts epsilon on the path ve"):
        run(ExpertSwitch(Specialist(0, 1), slots))


def test_what_surrounds_an_expert_is_entered_for_its_calls_alone() -> None:
    entered: list[tuple[str, float]] = []

    def slot(name: str, below: float) -> ExpertSlot:
        @contextmanager
        def around(moment: Moment) -> Iterator[None]:
            entered.append((name, moment.sigma))
            yield

        return ExpertSlot(name, below, lambda: Dressed(Specialist(0, INF), (around,)))

    switch = ExpertSwitch(Specialist(0, 1), [slot("first", INF), slot("second", 0.5)])
    sample(
        switch, Guider("none", {}, None, TERMS[:1]), Solver("euler"), Schedule("native", steps=4),
        Noise("gaussian", seed=1), Latent(np.zeros((1, 1, SIZE, SIZE), np.float32), "toy"),
        around=(switch.around,),
    )  # fmt: skip
    assert entered == [("first", 1.0), ("first", 0.75), ("first", 0.5), ("second", 0.25)]
