"""Control tokens against EasyControl's rules: causal, kept for a run, nothing at no strength."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backend.catalog.errors import CatalogError
from backend.diffusion.around import Moment
from backend.diffusion.errors import DiffusionError
from backend.models.family import families
from backend.models.loaders import loaders
from backend.models.lora.adapter import control_patch, lora_patch
from backend.models.patches.control_tokens import PICTURE, remembered
from backend.models.store import Store
from backend.values import Guider, Patch, Term
from tests.backend.models import tiny, tiny_sd15
from tests.backend.models.test_seams import Bench, far

WRITERS = {"flux": tiny.write, "sd15": tiny_sd15.write}


@pytest.fixture(scope="module", params=list(WRITERS))
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    torch.set_num_threads(1)
    made = Bench(WRITERS[request.param](tmp_path_factory.mktemp("model")))
    made.store = Store(families(), 2**30, loaders())
    return made


@pytest.fixture(scope="module")
def file(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return control_file(bench, tmp_path_factory.mktemp("file") / "control.safetensors")


def control_file(bench: Bench, path: Path, said: str = "control") -> Path:
    """A LoRA of random factors on every attention's query, with a control's metadata."""
    generator = torch.Generator().manual_seed(3)
    tensors = {}
    part = bench.refs.model.part
    for name, module in bench.stage().net.named_modules():
        if name.endswith("to_q"):
            rows, columns = module.out_features, module.in_features
            down = torch.randn(2, columns, generator=generator) / 4
            up = torch.randn(rows, 2, generator=generator) / 4
            tensors[f"{part}.{name}.lora_A.weight"] = down
            tensors[f"{part}.{name}.lora_B.weight"] = up
    metadata = {"weft.form": said, "weft.family": bench.refs.model.family}
    save_file(tensors, path, metadata={"format": "pt", **metadata})
    return path


def picture(bench: Bench, count: int = 1, seed: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, *bench.shape[1:]), np.float32)


def patched(bench: Bench, file: Path, strength: float = 1.0, **more: object) -> Patch:
    given = {"span": (0.0, 1.0), "picture": picture(bench), **more}
    family = bench.refs.model.family
    return control_patch(file, family, strength, **given)  # type: ignore[arg-type]


def test_a_model_follows_the_picture(bench: Bench, file: Path) -> None:
    plain = bench.run()
    first = bench.run((patched(bench, file),))
    other = bench.run((patched(bench, file, picture=picture(bench, seed=6)),))
    assert min(far(plain, first), far(first, other)) > 1e-4
    assert np.array_equal(plain, bench.run())


def test_no_strength_changes_no_bit(bench: Bench, file: Path) -> None:
    assert np.array_equal(bench.run(), bench.run((patched(bench, file, 0.0),)))


def test_a_low_strength_lies_between(bench: Bench, file: Path) -> None:
    plain, whole = bench.run(), bench.run((patched(bench, file),))
    little = bench.run((patched(bench, file, 1e-4),))
    assert far(plain, little) < 0.1 * far(plain, whole)
    nearly = bench.run((patched(bench, file, 1 - 1e-6),))
    assert far(nearly, whole) < 1e-3


def test_keeping_changes_only_the_time(bench: Bench, file: Path) -> None:
    calls: list[float] = []
    stage = bench.stage()
    handle = stage.net.register_forward_pre_hook(lambda *_: calls.append(1.0))
    try:
        kept = bench.run((patched(bench, file),))
        few, calls[:] = len(calls), []
        anew = bench.run((patched(bench, file, cache=False),))
    finally:
        handle.remove()
    assert np.array_equal(kept, anew)
    assert len(calls) - few == 3  # a pass of the picture in each of the four steps, not in one


def test_the_pictures_tokens_see_neither_image_nor_text(bench: Bench) -> None:
    """Whatever the model is told, the picture says the same, but for what modulates every layer."""
    stage, terms = bench.stage(), bench.terms()
    shape = tuple(bench.shape)
    image = torch.from_numpy(picture(bench))
    tokens = stage.denoiser.tokens(shape)
    moment = Moment(0.5, 1, 4, (2 * shape[0], *shape[1:]), terms, shape[0], tokens)

    from contextlib import nullcontext

    def kept(given: tuple[Term, ...]) -> dict[tuple[str, int], torch.Tensor]:
        with torch.no_grad():
            found = remembered(stage, nullcontext, image, replace(moment, terms=given))
        return {place: key for place, (key, _) in found.items()}

    def silent(term: Term) -> Term:
        tensors = {
            name: array * 0 if name == "sequence" else array
            for name, array in term.conditioning.tensors.items()
        }
        return replace(term, conditioning=replace(term.conditioning, tensors=tensors))

    if stage.card.name != "flux":  # an UNet reads its text in attentions of its own
        return
    first, other = kept(terms), kept(tuple(silent(term) for term in terms))
    assert first.keys() == other.keys()
    assert all(torch.allclose(first[p], other[p], atol=1e-5) for p in first)


def test_only_the_patched_terms_rows_follow(bench: Bench, file: Path) -> None:
    terms = bench.terms()
    told = (replace(terms[0], patches=(patched(bench, file),)), terms[1])

    def guided(given: tuple[Term, ...]) -> np.ndarray:
        return bench.run(guider=Guider("cfg", {"cfg": 2.0}, bench.refs.model, given))

    whole = bench.run((patched(bench, file),))
    assert far(guided(terms), guided(told)) > 1e-4
    assert far(guided(told), whole) > 1e-5


def test_each_picture_of_a_batch_may_have_its_own(bench: Bench, file: Path) -> None:
    two = picture(bench, bench.shape[0])
    both = bench.run((patched(bench, file, picture=two),))
    one = bench.run((patched(bench, file, picture=two[:1]),))
    assert far(both[:1], one[:1]) < 1e-4
    assert far(both[1:], one[1:]) > 1e-4


def test_a_part_of_the_steps(bench: Bench, file: Path) -> None:
    whole = bench.run((patched(bench, file),))
    early = bench.run((patched(bench, file, span=(0.0, 0.5)),))
    assert far(bench.run(), early) > 1e-5
    assert far(whole, early) > 1e-5


def test_several_at_once(bench: Bench, file: Path) -> None:
    first = patched(bench, file)
    second = patched(bench, file, picture=picture(bench, seed=8))
    both = bench.run((first, second))
    assert min(far(both, bench.run((first,))), far(both, bench.run((second,)))) > 1e-5


def test_each_picture_is_read_by_itself(bench: Bench, file: Path) -> None:
    """What one picture says does not hang on whether another is followed, or in which order."""
    first = patched(bench, file)
    early = patched(bench, file, picture=picture(bench, seed=8), span=(0.0, 0.5))
    assert far(bench.run((first, early)), bench.run((early, first))) < 1e-4
    anew = patched(bench, file, cache=False)
    assert np.array_equal(bench.run((early, first)), bench.run((early, anew)))


def test_bad_pictures_and_files_are_told(bench: Bench, file: Path, tmp_path: Path) -> None:
    small = picture(bench)[..., :-2, :-2]
    with pytest.raises(DiffusionError, match="The control picture has"):
        bench.run((patched(bench, file, picture=small),))
    with pytest.raises(DiffusionError, match=r"There are 3 control pictures for 2"):
        bench.run((patched(bench, file, picture=picture(bench, 3)),))
    with pytest.raises(DiffusionError, match="The strength of a control is -1"):
        bench.run((patched(bench, file, -1.0),))
    with pytest.raises(CatalogError, match="is a control: it follows a picture"):
        lora_patch(file, bench.refs.model.family, 1.0, 0.0, 1.0)
    other = control_file(bench, tmp_path / "plain.safetensors", "text")
    with pytest.raises(CatalogError, match="does not say that it is a control"):
        control_patch(other, bench.refs.model.family, 1.0, (0.0, 1.0), picture(bench))


def test_equal_patches_are_equal(bench: Bench, file: Path) -> None:
    assert patched(bench, file) == patched(bench, file)
    assert patched(bench, file) != patched(bench, file, picture=picture(bench, seed=9))
    assert PICTURE in patched(bench, file).tensors
