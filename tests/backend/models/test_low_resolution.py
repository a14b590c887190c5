"""The low-resolution stream against DiT4SR's rules: read by all, nothing at zero."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.catalog.errors import CatalogError
from backend.diffusion.around import Moment
from backend.diffusion.errors import DiffusionError
from backend.diffusion.sample import sample
from backend.models import reference
from backend.models.family import families
from backend.models.loaders import loaders
from backend.models.lora.adapter import lora_patch
from backend.models.patch import surround
from backend.models.patches.low_resolution import extent, seats
from backend.models.store import Store
from backend.models.tiling.latents import LatentTiles, TiledDenoiser
from backend.models.upscale.adapter import upscale_patch
from backend.train.adapter.forms.enlarge import Enlarge, begin
from backend.train.adapter.plan import AdapterPlan
from backend.values import Guider, Latent, Noise, Patch, Schedule, Solver, Term
from tests.backend.models import tiny, tiny_flux2, tiny_qwen, tiny_sd15
from tests.backend.models.test_seams import STEPS, Bench, far

PLAN = AdapterPlan("enlarge", rank=3)


@pytest.fixture(scope="module", params=["flux", "qwen"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("model") / "model"
    if request.param == "flux":
        return opened(tiny.write(home))
    return opened(tiny_qwen.write(home, pipeline="QwenImageEditPlusPipeline"))


def opened(folder: Path) -> Bench:
    made = Bench(folder)
    made.store = Store(families(), 2**30, loaders())
    return made


@pytest.fixture(scope="module")
def learnt(bench: Bench) -> Enlarge:
    made = begin(bench.stage(), PLAN)
    assert isinstance(made, Enlarge)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 4)
    return made


@pytest.fixture(scope="module")
def file(bench: Bench, learnt: Enlarge, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(bench, learnt.tensors(bench.refs.model.part), tmp_path_factory.mktemp("file"))


def written(
    bench: Bench, tensors: dict[str, torch.Tensor], home: Path, said: str = "enlarge"
) -> Path:
    path = home / f"{said}.safetensors"
    held = {name: value.detach().contiguous() for name, value in tensors.items()}
    metadata = {"format": "pt", "weft.form": said, "weft.family": bench.refs.model.family}
    save_file(held, path, metadata=metadata)
    return path


def picture(bench: Bench, seed: int = 5, count: int = 1) -> Latent:
    rng = np.random.default_rng(seed)
    return Latent(rng.standard_normal((count, *bench.shape[1:]), np.float32), "any")


def told(bench: Bench, shown: Latent | None) -> tuple[Term, ...]:
    if shown is None:
        return bench.terms()
    return tuple(
        replace(term, conditioning=reference.add(term.conditioning, shown))
        for term in bench.terms()
    )


def run(
    bench: Bench, patches: tuple[Patch, ...] = (), shown: Latent | None = None, steps: int = STEPS
) -> np.ndarray:
    model = bench.refs.model
    for patch in patches:
        model = model.with_(patch)
    terms, stage = told(bench, shown), bench.stage(model)
    return sample(
        stage.denoiser,
        Guider("cfg", {"cfg": 2.0}, model, terms),
        Solver("euler"),
        Schedule("native", steps=steps),
        Noise("gaussian", seed=1),
        Latent(np.zeros(bench.shape, np.float32), "any"),
        around=surround(stage, terms),
    ).samples


def patched(bench: Bench, file: Path, strength: float = 1.0) -> Patch:
    return upscale_patch(file, bench.refs.model.family, strength)


def test_the_model_heeds_the_picture(bench: Bench, file: Path) -> None:
    plain = run(bench)
    first = run(bench, (patched(bench, file),), picture(bench))
    other = run(bench, (patched(bench, file),), picture(bench, 6))
    assert min(far(plain, first), far(first, other)) > 1e-3
    assert np.array_equal(plain, run(bench))


def test_no_strength_changes_no_bit(bench: Bench, file: Path) -> None:
    assert np.array_equal(run(bench), run(bench, (patched(bench, file, 0.0),)))
    shown = picture(bench)
    raw = run(bench, (), shown)
    assert np.array_equal(raw, run(bench, (patched(bench, file, 0.0),), shown))


def test_a_low_strength_lies_near_the_model_alone(bench: Bench, file: Path) -> None:
    plain, shown = run(bench), picture(bench)
    whole, little = (run(bench, (patched(bench, file, s),), shown) for s in (1.0, 1e-4))
    assert far(little, plain) < 0.05 * far(whole, plain)


@pytest.mark.parametrize("part", ["convolution", "query_up", "value_up", "lora_B", "bias"])
def test_each_part_counts(bench: Bench, file: Path, tmp_path: Path, part: str) -> None:
    tensors = load_file(file)
    without = {n: t * 0 if part in n else t for n, t in tensors.items()}
    shown = picture(bench)
    changed = run(bench, (patched(bench, written(bench, without, tmp_path)),), shown)
    assert far(changed, run(bench, (patched(bench, file),), shown)) > 1e-5


def test_what_begins_at_zero_adds_nothing(bench: Bench, tmp_path: Path) -> None:
    """A new adapter is the model that reads the picture faintly: its own parts are silent."""
    new = begin(bench.stage(), PLAN)
    tensors = new.tensors(bench.refs.model.part)  # type: ignore[operator]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    shown = picture(bench)
    first = run(bench, (patched(bench, written(bench, tensors, tmp_path / "a")),), shown)
    bare = {
        n: torch.randn_like(t) if n.endswith("_down") or "lora_A" in n else t
        for n, t in tensors.items()
    }
    other = run(bench, (patched(bench, written(bench, bare, tmp_path / "b")),), shown)
    assert np.array_equal(first, other)
    assert far(first, run(bench)) < 0.2 * far(run(bench, (), shown), run(bench)) + 0.05


def test_training_and_the_finished_file_do_the_same(
    bench: Bench, file: Path, learnt: Enlarge
) -> None:
    from backend.train.adapter.form import Shown

    stage = bench.stage()
    terms = told(bench, picture(bench))[:1]
    shape = tuple(bench.shape)
    moment = Moment(0.5, 1, 4, shape, terms, shape[0], stage.denoiser.tokens(shape))
    x = torch.from_numpy(picture(bench, 9, shape[0]).samples.copy())
    said = stage.denoiser.prepare([terms[0].conditioning], shape[0])
    (laid,) = learnt.around(Shown(terms[0].conditioning, (x,)))
    with torch.no_grad(), laid(moment):
        training = stage.denoiser(x, 0.5, said)
    model = bench.refs.model.with_(patched(bench, file))
    finished = bench.stage(model)
    (around,) = surround(finished, terms)
    with torch.no_grad(), around(moment):
        made = finished.denoiser(x, 0.5, said)
    assert torch.allclose(training, made, atol=1e-5)


def test_each_picture_of_a_batch_may_have_its_own(bench: Bench, file: Path) -> None:
    two = picture(bench, count=bench.shape[0])
    both = run(bench, (patched(bench, file),), two)
    one = run(bench, (patched(bench, file),), Latent(two.samples[:1], "any"))
    assert far(both[:1], one[:1]) < 1e-4
    assert far(both[1:], one[1:]) > 1e-4


def test_only_the_patched_terms_rows_change(bench: Bench, file: Path) -> None:
    terms, stage = told(bench, picture(bench)), bench.stage()
    shape = (2 * bench.shape[0], *bench.shape[1:])
    moment = Moment(0.5, 1, 4, shape, terms, bench.shape[0], stage.denoiser.tokens(shape))
    x = torch.from_numpy(picture(bench, 9, shape[0]).samples.copy())
    said = stage.denoiser.prepare([t.conditioning for t in terms], bench.shape[0])

    def call(given: tuple[Term, ...]) -> np.ndarray:
        arounds = surround(stage, given)
        with torch.no_grad():
            if not arounds:
                return stage.denoiser(x, 0.5, said).numpy()
            with arounds[0](replace(moment, terms=given)):
                return stage.denoiser(x, 0.5, said).numpy()

    half = call((replace(terms[0], patches=(patched(bench, file),)), terms[1]))
    plain, rows = call(terms), bench.shape[0]
    assert far(half[:rows], plain[:rows]) > 1e-4
    # The other rows see the picture as the model alone does.
    assert far(half[rows:], plain[rows:]) < 1e-5


def test_it_goes_with_tiles(bench: Bench, file: Path) -> None:
    """Every tile reads its own part of the picture."""
    model = bench.refs.model.with_(patched(bench, file))
    terms, stage = told(bench, picture(bench))[:1], bench.stage(model)
    parted = TiledDenoiser(stage.denoiser, surround(stage, terms), LatentTiles(8, 4, "shifted"))

    def sampled(terms: tuple[Term, ...]) -> np.ndarray:
        return sample(
            parted, Guider("none", {}, model, terms), Solver("euler"), Schedule("native", steps=2),
            Noise("gaussian", seed=1), Latent(np.zeros(bench.shape, np.float32), "any"),
            around=(parted.around,),
        ).samples  # fmt: skip

    made = sampled(terms)
    assert made.shape == tuple(bench.shape)
    assert far(made, sampled(told(bench, picture(bench, 6))[:1])) > 1e-4


def test_what_does_not_fit_is_told(bench: Bench, file: Path, tmp_path: Path) -> None:
    patch = patched(bench, file)
    with pytest.raises(DiffusionError, match="and the positive has none"):
        run(bench, (patch,))
    small = Latent(picture(bench).samples[..., :-2, :-2], "any")
    with pytest.raises(DiffusionError, match=r"and the positive has one of \d+x\d+"):
        run(bench, (patch,), small)
    with pytest.raises(DiffusionError, match="The strength of an upscale adapter is -1"):
        run(bench, (patched(bench, file, -1.0),), picture(bench))
    with pytest.raises(CatalogError, match="is an upscale adapter"):
        lora_patch(file, bench.refs.model.family, 1.0, 0.0, 1.0)
    tensors = load_file(file)
    with pytest.raises(CatalogError, match="does not say that it is an upscale adapter"):
        patched(bench, written(bench, tensors, tmp_path, "text"))
    lacking = {n: t for n, t in tensors.items() if not n.endswith("0.convolution")}
    with pytest.raises(CatalogError, match=r"lacks low_resolution\.\w+\.0\.convolution"):
        run(bench, (patched(bench, written(bench, lacking, tmp_path)),), picture(bench))
    other = {n: t[..., :2, :2] if n.endswith("convolution") else t for n, t in tensors.items()}
    with pytest.raises(CatalogError, match="does not fit this model"):
        run(bench, (patched(bench, written(bench, other, tmp_path)),), picture(bench))


def test_families_without_a_place_for_it_say_so(tmp_path: Path) -> None:
    for name, write, sentence in (
        ("sd15", tiny_sd15.write, "no place for the tokens of another picture"),
        ("flux2", tiny_flux2.write, "in one layer"),
    ):
        with pytest.raises(CatalogError, match=sentence):
            seats(opened(write(tmp_path / name)).stage())


def test_other_references_stand_between(bench: Bench) -> None:
    """The picture is the last one; where the image's tokens begin is told by all of them."""
    small = Latent(picture(bench).samples[..., :4, :4], "any")
    stage = bench.stage()
    terms = tuple(
        replace(t, conditioning=reference.add(reference.add(t.conditioning, small), picture(bench)))
        for t in bench.terms()
    )
    shape = tuple(bench.shape)
    image = stage.denoiser.tokens(shape)
    found = extent(stage, Moment(0.5, 1, 4, shape, terms, shape[0], image))
    assert found.tokens == image
    assert found.back == 2 * image + stage.denoiser.tokens(small.samples.shape)
