"""Scaled rotary positions on every family that has them, and a refusal by the others."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from diffusers.models.embeddings import get_1d_rotary_pos_embed

from backend.diffusion.around import Moment
from backend.diffusion.errors import DiffusionError
from backend.models.card import Rope
from backend.models.family import describe
from backend.models.patch import surround
from backend.models.rotary import METHODS, Rotation
from backend.models.rotary import plain as frequencies
from backend.models.seams.turning import Maker, Turning, maker_of, pictured
from backend.values import Guider, Patch, Term
from tests.backend.models import tiny_sd15
from tests.backend.models.test_seams import WRITERS, Bench, far

ROPED = ("flux", "chroma", "z_image", "lumina2", "flux2_klein", "wan")


@pytest.fixture(scope="module", params=ROPED)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(WRITERS[request.param](tmp_path_factory.mktemp("model") / "model"))


@pytest.fixture(scope="module")
def plain(bench: Bench) -> np.ndarray:
    return bench.run()


def patch(
    bench: Bench, method: str, shrink: int = 2, strength: float = 1.0, **more: float
) -> Patch:
    """A patch for a model trained with one ``shrink``-th of each of the bench's sides."""
    factor = describe(bench.refs.model).geometry.factor
    height, width = (n * factor // shrink for n in bench.shape[-2:])
    return Patch("rope", strength, {"method": method, "height": height, "width": width, **more})


def made_at(bench: Bench, *patches: Patch) -> list[Any]:
    """What the network's maker of positions gives in one call: cosines and sines, or complex."""
    model = bench.refs.model
    for each in patches:
        model = model.with_(each)
    stage, terms = bench.stage(model), bench.terms()[:1]
    maker = maker_in(bench)
    x = torch.randn(bench.shape, generator=torch.Generator().manual_seed(0))
    moment = Moment(0.7, 0, 1, tuple(x.shape), terms, 2, stage.denoiser.tokens(x.shape))
    seen: list[Any] = []
    with ExitStack() as stack, torch.no_grad():
        for around in surround(stage, terms):
            stack.enter_context(around(moment))
        inner = getattr(maker.owner, maker.name)

        def look(*given: Any) -> Any:
            seen.append(inner(*given))
            return seen[-1]

        stack.enter_context(mock.patch.object(maker.owner, maker.name, look))
        stage.denoiser(x, 0.7, stage.denoiser.prepare([terms[0].conditioning], 2))
    return seen


def maker_in(bench: Bench) -> Maker:
    assert bench.family.card.rope is not None
    return maker_of(bench.stage().net, bench.family.card.rope)


def complexes(made: Any) -> torch.Tensor:
    """One complex number for each pair, ``[tokens, pairs]``, however a network holds them."""
    if isinstance(made, tuple):
        cos, sin = (part.reshape(-1, part.shape[-1])[:, ::2] for part in made)
        return torch.complex(cos.double(), sin.double())
    return made.reshape(-1, made.shape[-1]).to(torch.complex128)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_changes_larger_pictures_and_leaves_nothing_behind(
    bench: Bench, plain: np.ndarray, method: str
) -> None:
    maker = maker_in(bench)
    before = dict(vars(maker.owner))
    assert far(bench.run((patch(bench, method),)), plain) > 1e-4
    assert vars(maker.owner) == before
    assert np.array_equal(bench.run(), plain)


def test_a_model_trained_for_the_size_is_left_alone_to_the_bit(
    bench: Bench, plain: np.ndarray
) -> None:
    for method in METHODS:
        assert np.array_equal(bench.run((patch(bench, method, shrink=1),)), plain), method
    assert np.array_equal(bench.run((patch(bench, "ntk", strength=0.0),)), plain)


def test_strength_lies_between_and_steps_are_kept_to(bench: Bench, plain: np.ndarray) -> None:
    whole = far(bench.run((patch(bench, "scaled"),)), plain)
    assert 0 < far(bench.run((patch(bench, "scaled", strength=0.01),)), plain) < whole / 5
    assert 0 < far(bench.run((patch(bench, "scaled", begin=0.75),)), plain) < whole


def test_what_a_network_is_told_is_the_formula(bench: Bench) -> None:
    """Scaled positions by plain arithmetic: each image token's place, halved about the middle."""
    maker, geometry = maker_in(bench), describe(bench.refs.model).geometry
    grid = [n // geometry.patch for n in bench.shape[-2:]]
    starts = np.cumsum([0, *(w // 2 for w in maker.widths)])
    changed = dict.fromkeys(maker.rope.axes, 0)
    pairs = zip(made_at(bench), made_at(bench, patch(bench, "scaled")), strict=True)
    for own, new in pairs:
        for i, name in enumerate(maker.rope.axes):
            before, after = (complexes(m)[:, starts[i] : starts[i + 1]].numpy() for m in (own, new))
            if name not in ("height", "width"):
                assert np.array_equal(before, after)
                continue
            places = np.arange(grid[name == "width"])
            moved = (places - (len(places) - 1) / 2) / 2 + (len(places) / 2 - 1) / 2
            table = frequencies(maker.widths[i], maker.theta)
            known, wanted = (np.exp(1j * p[:, None] * table) for p in (places, moved))
            place = np.abs(before[:, None] - known).max(-1).argmin(-1)
            assert np.abs(before - known[place]).max() < 1e-6
            of_picture = np.abs(after - wanted[place]).max(-1) < 1e-6
            assert np.array_equal(after[~of_picture], before[~of_picture])
            changed[name] += int(of_picture.sum())
    tokens = grid[0] * grid[1]
    assert changed["height"] == changed["width"] > 0
    assert changed["height"] % tokens == 0


def test_ntk_in_a_network_is_diffusers_own_with_a_larger_base(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    bench = Bench(WRITERS["flux"](tmp_path_factory.mktemp("model") / "model"))
    (made,) = made_at(bench, patch(bench, "ntk"))
    columns = bench.shape[-1] // 2
    theirs = get_1d_rotary_pos_embed(
        6, np.arange(columns), 10000.0, ntk_factor=2 ** (6 / 4), freqs_dtype=torch.float64
    )
    last_row = complexes(made)[-columns:, -3:]
    assert (last_row - theirs).abs().max() < 1e-6


def test_an_error_inside_leaves_nothing_behind(bench: Bench, plain: np.ndarray) -> None:
    def fail(moment: Moment) -> Any:
        raise RuntimeError("stop here")

    with pytest.raises(RuntimeError, match="stop here"):
        bench.run((patch(bench, "yarn"),), around=(fail,))
    assert np.array_equal(bench.run(), plain)


def test_two_at_once_and_one_for_a_single_text_are_refused(bench: Bench, plain: np.ndarray) -> None:
    with pytest.raises(DiffusionError, match="Take one off"):
        bench.run((patch(bench, "ntk"), patch(bench, "yarn")))
    positive, negative = bench.terms()
    for_one = Term("positive", positive.conditioning, patches=(patch(bench, "ntk"),))
    who = Guider("cfg", {"cfg": 3.0}, bench.refs.model, (for_one, negative))
    with pytest.raises(DiffusionError, match="Lay the patch on the model"):
        bench.run(guider=who)
    bench.run((patch(bench, "ntk", end=0.5), patch(bench, "scaled", begin=0.5)))
    assert np.array_equal(bench.run(), plain)


@pytest.mark.parametrize(
    ("params", "strength", "said"),
    [
        ({"method": "stretch"}, 1.0, "Choose one of ntk"),
        ({"method": "ntk"}, 1.5, "between 0 and 1"),
        ({"method": "ntk", "width": -8}, 1.0, "No model was trained with"),
    ],
)
def test_wrong_settings_are_explained(
    bench: Bench, params: dict[str, Any], strength: float, said: str
) -> None:
    with pytest.raises(DiffusionError, match=said):
        bench.run((Patch("rope", strength, params),))


def test_a_family_without_rotary_positions_is_refused(tmp_path: Path) -> None:
    bench = Bench(tiny_sd15.write(tmp_path / "model"))
    with pytest.raises(DiffusionError, match="no rotary positions"):
        bench.run((Patch("rope", 1.0, {"method": "ntk"}),))


def test_tokens_of_pictures_are_told_from_texts() -> None:
    """Two words, a picture of 2x2, a filler, and a picture of one column."""
    rows = torch.tensor([0, 0, 0, 0, 1, 1, 0, 0, 1, 2])
    columns = torch.tensor([0, 0, 0, 1, 0, 1, 0, 0, 0, 0])
    found = pictured(rows, columns).int().tolist()
    assert found == [0, 0, 1, 1, 1, 1, 0, 1, 1, 1]


def test_strength_is_a_part_of_the_way_and_gain_lengthens() -> None:
    rope = Rope("net", ("height", "width"))
    maker = Maker(rope, None, "", (4, 4), 100.0)
    places = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])

    def own(given: torch.Tensor) -> torch.Tensor:
        table = torch.from_numpy(frequencies(4, 100.0))
        return torch.polar(torch.ones(4, 4).double(), (given[..., None] * table).flatten(1))

    rule = Rotation(np.array([0.5, 0.02]), step=0.5, start=2.0, gain=1.5)
    made = Turning(maker, own, {"width": rule}, 0.25, 1)(places)
    assert torch.equal(made[:, :2], own(places)[:, :2])
    assert torch.allclose(made[:, 2:].abs(), torch.full((4, 2), 1.125).double())
    angles = [0.75 * 1 * 1.0 + 0.25 * 2.5 * 0.5, 0.75 * 1 * 0.1 + 0.25 * 2.5 * 0.02]
    assert made[3, 2:].angle().tolist() == pytest.approx(angles, abs=1e-12)
