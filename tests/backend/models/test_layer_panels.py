"""Panels that lie on one another: positions of the first, told apart by their picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.diffusion.around import Moment, Window
from backend.diffusion.errors import DiffusionError
from backend.models.patches.layer_panels import Panelled, panelled
from backend.models.patches2x2 import positions
from backend.models.seams.turning import maker_of
from backend.train.tuning import Pupil
from backend.values import Patch, Term
from tests.backend.models import tiny, tiny_sana
from tests.backend.models.test_seams import Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tiny.write(tmp_path_factory.mktemp("model") / "model"))


@pytest.fixture(scope="module")
def stage(bench):
    return bench.stage()


def test_every_panel_and_the_picture_stand_at_the_same_places(stage):
    places = positions([(4, 12), (4, 4)])  # three panels of 2x2 tokens, and a picture of as many
    text = torch.zeros(3, 3)
    moved = Panelled(maker_of(stage.net, stage.card.rope), None, 2).moved(torch.cat([text, places]))
    assert torch.equal(moved[:3], text)
    panels = moved[3:15].reshape(2, 3, 2, 3)
    picture = moved[15:].reshape(2, 2, 3)
    for number in range(3):
        assert torch.equal(panels[:, number, :, 1:], picture[..., 1:])
    assert [int(panels[0, n, 0, 0]) for n in range(3)] == [0, 2, 3]
    assert int(picture[0, 0, 0]) == 1


def test_without_a_picture_beside_they_are_counted_on(stage):
    moved = Panelled(maker_of(stage.net, stage.card.rope), None, 1).moved(positions([(2, 4)]))
    assert moved.tolist() == [[0, 0, 0], [1, 0, 0]]


def moment(*shape: int) -> Moment:
    return Moment(0.5, 0, 1, shape, (Term("positive", None),), 1, 8)


def test_one_panel_changes_no_bit_and_taking_it_off_leaves_nothing(stage):
    inner, places = stage.net.pos_embed, positions([(4, 8)])
    with panelled(stage, 1)(moment(1, 4, 4, 8)):
        once = stage.net.pos_embed(places)
    with panelled(stage, 2)(moment(1, 4, 4, 8)):
        twice = stage.net.pos_embed(places)
    assert stage.net.pos_embed is inner
    assert all(map(torch.equal, once, inner(places)))
    assert not torch.equal(twice[0], inner(places)[0])


def test_what_is_no_row_of_panels_is_told(stage, tmp_path):
    with (
        pytest.raises(DiffusionError, match="8 cells wide cannot be 3 panels"),
        panelled(stage, 3)(moment(1, 4, 4, 8)),
    ):
        pass
    tile = replace(moment(1, 4, 4, 8), window=Window((4, 16), range(4), range(8)))
    with (
        pytest.raises(DiffusionError, match="cannot be sampled in tiles"),
        panelled(stage, 2)(tile),
    ):
        pass
    with pytest.raises(DiffusionError, match="There are 0 panels"):
        panelled(stage, 0)
    sana = Pupil(tiny_sana.write(tmp_path / "model"), "cpu")
    try:
        with pytest.raises(DiffusionError, match="do not say where each token"):
            panelled(sana.stage, 2)
    finally:
        sana.close()


def test_a_run_heeds_the_panels_and_strength_0_changes_no_bit(bench):
    # The bench's picture is 3 tokens wide, so that each is a panel of its own.
    wide = bench.shape[-1] // 2
    plain = bench.run()
    off = bench.run((Patch("layer_panels", 0.0, {"panels": wide}),))
    on = bench.run((Patch("layer_panels", 1.0, {"panels": wide}),))
    assert np.array_equal(plain, off)
    assert np.abs(plain - on).max() > 1e-5
