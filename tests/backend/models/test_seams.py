"""The attention, block and denoiser-call seams, on every family: what is laid on shows, what has
no strength shows not at all, and nothing stays behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.diffusion.sample import sample
from backend.models.family import families, recognise, references
from backend.models.patch import Stage, surround
from backend.models.seams.maps import Recorder
from backend.models.seams.sites import Attention, layers_of, on_attention
from backend.models.store import Store
from backend.values import Guider, Latent, Model, Noise, Patch, Schedule, Solver, Term
from tests.backend.models import (
    tiny,
    tiny_chroma,
    tiny_flux2,
    tiny_lumina2,
    tiny_pixart,
    tiny_sd3,
    tiny_sd15,
    tiny_sdxl,
    tiny_wan,
    tiny_z_image,
)

STEPS, SIDE = 4, 8


class Bench:
    """One tiny model, ready to sample with patches."""

    def __init__(self, folder: Path) -> None:
        found = read_folder(folder)
        self.family = recognise(found, families())
        self.refs = references(found, self.family)
        self.store = Store(families(), 2**30)
        geometry = self.family.facts(found).geometry
        side = SIDE * geometry.multiple
        self.shape = geometry.shape(side, side + geometry.multiple, 2, 1)

    def load(self, weights: Any) -> Any:
        return self.store.get(weights, "cpu")

    def terms(self) -> tuple[Term, ...]:
        texts = {  # of one length, for the models that take no others in one call
            "positive": ["a red circles", "two blue dogs"],
            "negative": ["ugly and grey", "blurry, small"],
        }
        coded = {
            role: self.family.encode_text(self.refs.text, said, {}, self.load, "cpu")
            for role, said in texts.items()
        }
        return tuple(Term(role, conditioning) for role, conditioning in coded.items())

    def stage(self, model: Model | None = None) -> Stage:
        model = model or self.refs.model
        return Stage(
            model, self.family.card, self.load, self.family.denoiser(model, self.load, "cpu")
        )

    def run(
        self,
        patches: tuple[Patch, ...] = (),
        around: tuple[Around, ...] = (),
        guider: Guider | None = None,
    ) -> np.ndarray:
        model = self.refs.model
        for patch in patches:
            model = model.with_(patch)
        guider = guider or Guider("cfg", {"cfg": 3.0}, model, self.terms())
        stage = self.stage(model)
        return sample(
            stage.denoiser,
            guider,
            Solver("euler"),
            Schedule("native", steps=STEPS),
            Noise("gaussian", seed=1),
            Latent(np.zeros(self.shape), "any"),
            around=(*surround(stage, guider.terms), *around),
        ).samples


WRITERS: dict[str, Callable[[Path], Path]] = {
    "flux": tiny.write,
    "sdxl": tiny_sdxl.write,
    "z_image": tiny_z_image.write,
    "wan": tiny_wan.write,
    "sd15": tiny_sd15.write,
    "chroma": tiny_chroma.write,
    "lumina2": tiny_lumina2.write,
    "flux2_klein": tiny_flux2.write,
    "sd3": tiny_sd3.write,
    "pixart": tiny_pixart.write,
}


@pytest.fixture(scope="module", params=WRITERS)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(WRITERS[request.param](tmp_path_factory.mktemp("model") / "model"))


@pytest.fixture(scope="module")
def plain(bench: Bench) -> np.ndarray:
    return bench.run()


def far(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.linalg.norm(first - second) / np.linalg.norm(second))


def test_sites_and_blocks_are_where_the_card_says(bench: Bench) -> None:
    net, card = bench.load(bench.refs.model), bench.family.card
    for site in card.sites:
        assert layers_of(net, site.path), site
    for block in card.blocks:
        assert layers_of(net, block.path), block


def test_a_hook_that_only_looks_changes_no_bit(bench: Bench, plain: np.ndarray) -> None:
    calls: list[Attention] = []

    def look(call: Attention) -> torch.Tensor:
        calls.append(call.but(query=None, key=None, value=None, mask=None))
        return call.attend()

    card = bench.family.card
    stage = bench.stage()
    around = on_attention(stage.net, card, look, stage.layout)
    assert np.array_equal(bench.run(around=(around,)), plain)
    layers = {(c.site.name, c.layer) for c in calls}
    expected = {
        (site.name, i) for site in card.sites for i in range(len(layers_of(stage.net, site.path)))
    }
    assert layers == expected
    assert len(calls) == STEPS * len(expected)
    for call in calls:
        image = call.spans.image_queries
        assert image.stop - image.start >= (1 if call.site.stream == "cross" else SIDE)
        assert (call.moment.count, len(call.moment.terms)) == (2, 2)


def test_token_ranges_hold_the_image_and_the_text(bench: Bench) -> None:
    """In the first attention keys of the image move with the latent, those of the text do not."""
    stage, terms = bench.stage(), bench.terms()
    seen: list[Attention] = []

    def look(call: Attention) -> torch.Tensor:
        seen.append(call)
        return call.attend()

    around = on_attention(stage.net, stage.card, look, stage.layout)
    prepared = stage.denoiser.prepare([t.conditioning for t in terms], 2)
    generator = torch.Generator().manual_seed(0)

    def keys_of_the_first_attention() -> Attention:
        seen.clear()
        x = torch.randn((4, *bench.shape[1:]), generator=generator)
        moment = Moment(0.7, 0, 1, tuple(x.shape), terms, 2, stage.denoiser.tokens(x.shape))
        with torch.no_grad(), around(moment):
            stage.denoiser(x, 0.7, prepared)
        mixed = [c for c in seen if c.site.stream in ("text image", "image text")]
        return (mixed or [c for c in seen if c.site.stream == "cross"])[0]

    one, other = keys_of_the_first_attention(), keys_of_the_first_attention()
    moved = (one.key - other.key).abs().amax((0, 1, 3)) > 1e-6
    text, image = one.spans.text_keys, one.spans.image_keys
    assert text.stop - text.start > 3
    assert not moved[text].any()
    assert one.site.stream == "cross" or moved[image].float().mean() > 0.9


@pytest.mark.parametrize("kind", ["shared_attention", "skip_blocks"])
def test_strength_0_is_bit_for_bit_the_model_as_it_is(
    bench: Bench, plain: np.ndarray, kind: str
) -> None:
    assert np.array_equal(bench.run((Patch(kind, 0.0, {"layers": (0,)}),)), plain)


def test_patches_leave_nothing_behind(bench: Bench, plain: np.ndarray) -> None:
    patches = (Patch("shared_attention", 1.0), Patch("skip_blocks", 1.0, {"layers": (1,)}))
    assert far(bench.run(patches), plain) > 0.01
    assert np.array_equal(bench.run(), plain)


def test_an_error_inside_leaves_nothing_behind(bench: Bench, plain: np.ndarray) -> None:
    def fail(call: Attention) -> torch.Tensor:
        raise RuntimeError("stop here")

    stage = bench.stage()
    with pytest.raises(RuntimeError, match="stop here"):
        bench.run(around=(on_attention(stage.net, stage.card, fail, stage.layout),))
    assert np.array_equal(bench.run(), plain)


def test_sharing_changes_all_but_the_reference(bench: Bench, plain: np.ndarray) -> None:
    shared = bench.run((Patch("shared_attention", 1.0),))
    assert far(shared[1], plain[1]) > 0.01
    assert far(shared[0], plain[0]) < 1e-5
    weak = bench.run((Patch("shared_attention", 1e-6),))
    assert far(weak[1], plain[1]) < far(shared[1], plain[1]) / 10


def test_a_patch_keeps_to_its_steps(bench: Bench, plain: np.ndarray) -> None:
    whole = bench.run((Patch("shared_attention", 1.0, {"begin": 0.0, "end": 1.0}),))
    late = bench.run((Patch("shared_attention", 1.0, {"begin": 0.75, "end": 1.0}),))
    assert 0 < far(late[1], plain[1]) < far(whole[1], plain[1])
    with pytest.raises(DiffusionError, match="range of steps"):
        bench.run((Patch("shared_attention", 1.0, {"begin": 0.8, "end": 0.2}),))


def skip_guider(bench: Bench, skip: float, layers: tuple[int, ...] = (0,)) -> Guider:
    positive, negative = bench.terms()
    patch = Patch("skip_blocks", 1.0, {"layers": layers})
    without = Term("skip", positive.conditioning, patches=(patch,))
    params = {"cfg": 3.0, "skip": skip}
    return Guider("skip_layer", params, bench.refs.model, (positive, negative, without))


def test_skip_layer_guidance_adds_what_the_blocks_do(bench: Bench, plain: np.ndarray) -> None:
    """One batch of three terms equals two separate calls, one with the blocks left out."""
    assert np.array_equal(bench.run(guider=skip_guider(bench, 0.0)), plain)
    assert far(bench.run(guider=skip_guider(bench, 2.0)), plain) > 0.01

    stage, terms = bench.stage(), skip_guider(bench, 1.0).terms
    x = torch.randn((2, *bench.shape[1:]), generator=torch.Generator().manual_seed(3))
    patched = bench.stage(bench.refs.model.with_(terms[2].patches[0]))

    def predict(of: Stage, used: tuple[Term, ...]) -> torch.Tensor:
        batch = x.repeat(len(used), *[1] * (x.ndim - 1))
        moment = Moment(0.6, 0, 1, tuple(batch.shape), used, 2, of.denoiser.tokens(batch.shape))
        prepared = of.denoiser.prepare([t.conditioning for t in used], 2)
        with torch.no_grad(), entered(surround(of, used), moment):
            return of.denoiser(batch, 0.6, prepared)

    together = predict(stage, terms).chunk(3)
    alone = predict(patched, terms[:1])
    assert torch.allclose(together[2], alone, atol=1e-4)
    assert not torch.allclose(together[0], alone, atol=1e-2)
    assert torch.allclose(together[0], predict(stage, terms[:1]), atol=1e-4)


@contextmanager
def entered(arounds: tuple[Around, ...], moment: Moment) -> Iterator[None]:
    if not arounds:
        yield
        return
    with arounds[0](moment), entered(arounds[1:], moment):
        yield


def test_maps_are_shares_of_attention(bench: Bench, plain: np.ndarray) -> None:
    recorder, stage = Recorder(), bench.stage()
    assert np.array_equal(bench.run(around=(recorder.around(stage),)), plain)
    patch = bench.family.card.geometry.patch
    size = (bench.shape[-2] // patch, bench.shape[-1] // patch)
    maps = recorder.maps(*size)
    assert (maps.shape[0], *maps.shape[2:]) == (2, *size)
    assert (maps >= 0).all()
    assert (maps.sum(1) <= 1 + 1e-5).all()
    assert maps.std() > 0


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        (Patch("skip_blocks", 1.0, {"layers": (99,)}), "cannot be left out"),
        (Patch("skip_blocks", 1.0), "cannot be left out"),
        (Patch("shared_attention", 1.5), "between 0 and 1"),
        (Patch("unheard"), "no patch 'unheard'"),
    ],
)
def test_patches_that_do_not_fit_are_explained(bench: Bench, patch: Patch, said: str) -> None:
    with pytest.raises((DiffusionError, CatalogError), match=said):
        bench.run((patch,))
