from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.diffusion.errors import DiffusionError
from backend.models import family as family_module
from backend.models.card import Geometry
from backend.models.family import (
    describe,
    families,
    family_of,
    part_of,
    recognise,
    references,
)
from backend.models.flux import FAMILY
from backend.models.numerics import compute_dtype
from backend.models.store import Store
from backend.values import Conditioning, Model, Weights


def test_the_scan_finds_families_without_torch() -> None:
    code = (
        "import sys\n"
        "from backend.models.family import families\n"
        "print([(n, f.card.title, f.card.tier) for n, f in families().items()])\n"
        "print(sorted({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = run.stdout.splitlines()
    assert "('flux', 'Flux', 'native')" in lines[0]
    assert lines[1] == "[]"


def test_nothing_but_its_file_knows_flux() -> None:
    root = Path(family_module.__file__).parent.parent
    files = [*root.glob("diffusion/**/*.py"), *root.glob("models/*.py"), *root.glob("catalog/*.py")]
    assert len(files) > 20
    for file in files:
        if file.name != "flux.py" or file.parent.name != "models":
            code = "\n".join(
                line for line in file.read_text().splitlines() if "import" in line or "==" in line
            )
            assert "flux" not in code.lower(), file


def test_facts_and_references_of_a_folder(flux_folder: Path, plain_folder: Path) -> None:
    folder = read_folder(flux_folder)
    family = recognise(folder, families())
    facts = family.facts(folder)
    assert facts.geometry == Geometry(channels=4, factor=2, patch=2)
    assert (facts.width, facts.vae_width, facts.defaults.width) == (32, 4, 32)
    assert "embedded guidance" in facts.capabilities
    assert facts.defaults.cfg == 1.0
    found = references(folder, family)
    assert describe(found.vae) == facts
    assert len({w.identity for w in found}) == 3
    assert facts.latent_space.startswith("flux:")

    plain = read_folder(plain_folder)
    other = family.facts(plain)
    assert "embedded guidance" not in other.capabilities
    assert (other.latent_space, other.text_space) == (facts.latent_space, facts.text_space)
    assert references(plain, family).vae.identity == found.vae.identity
    assert references(plain, family).model.identity != found.model.identity


def rewrite(folder: Path, name: str, **changes: object) -> Path:
    file = folder / name
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return folder


def test_spaces_are_named_by_what_decides_them(flux_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(flux_folder, tmp_path / "copy")
    before = FAMILY.facts(read_folder(copy))
    rewrite(copy, "vae/config.json", scaling_factor=0.5)
    after = FAMILY.facts(read_folder(copy))
    assert after.latent_space != before.latent_space
    assert after.text_space == before.text_space
    known = {"scaling_factor": 0.3611, "shift_factor": 0.1159, "latent_channels": 16}
    rewrite(copy, "vae/config.json", **known)
    rewrite(copy, "transformer/config.json", in_channels=64)
    assert FAMILY.facts(read_folder(copy)).latent_space == "flux1"


def test_components_of_different_models_are_refused(flux_folder: Path, tmp_path: Path) -> None:
    copy = rewrite(shutil.copytree(flux_folder, tmp_path / "c"), "vae/config.json",
                   latent_channels=8)  # fmt: skip
    with pytest.raises(CatalogError, match="different models"):
        FAMILY.facts(read_folder(copy))


def test_an_unknown_model_says_what_it_is(flux_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(flux_folder, tmp_path / "c")
    rewrite(copy, "model_index.json", transformer=["diffusers", "PixArtTransformer2DModel"])
    with pytest.raises(CatalogError, match="PixArtTransformer2DModel"):
        recognise(read_folder(copy), families())
    with pytest.raises(CatalogError, match="no model family 'unheard'"):
        family_of(Weights("unheard", "transformer", "fast:1", "/nowhere"))


def test_geometry_of_stills_and_videos() -> None:
    still, video = Geometry(16, 8, 2), Geometry(16, 8, 2, frame_factor=4)
    assert still.shape(128, 64, 3) == (3, 16, 8, 16)
    assert still.tokens((3, 16, 8, 16)) == 32
    assert video.shape(128, 64, 1, 9) == (1, 16, 3, 8, 16)
    assert video.tokens((1, 16, 3, 8, 16)) == 96
    with pytest.raises(DiffusionError, match="nearest is 128x64"):
        still.shape(121, 66)
    with pytest.raises(DiffusionError, match="multiple of 4 frames"):
        video.shape(128, 64, 1, 8)


def test_the_rule_of_precision() -> None:
    card = FAMILY.card
    assert compute_dtype("cpu", card, "transformer") == "float32"
    assert compute_dtype("cuda:1", card, "transformer") == "bfloat16"


@pytest.fixture(scope="module")
def loaded(flux_folder: Path) -> tuple[Model, Store]:
    folder = read_folder(flux_folder)
    return references(folder, FAMILY).model, Store(families(), 2**30)


def test_text_is_encoded_to_the_tokenizers_length(
    flux_folder: Path, loaded: tuple[Model, Store]
) -> None:
    text = references(read_folder(flux_folder), FAMILY).text
    load = lambda w: loaded[1].get(w, "cpu")  # noqa: E731
    coded = FAMILY.encode_text(text, ["a", "b c"], {"guidance": 2.0}, load, "cpu")
    assert coded.tensors["sequence"].shape == (2, 24, 32)
    assert coded.tensors["pooled"].shape == (2, 32)
    assert (coded.space, coded.params["guidance"]) == (text.space, 2.0)
    short = FAMILY.encode_text(text, ["a"], {"max_tokens": 8}, load, "cpu")
    assert short.tensors["sequence"].shape == (1, 8, 32)
    with pytest.raises(DiffusionError, match="1 to 24 tokens, not 25"):
        FAMILY.encode_text(text, ["a"], {"max_tokens": 25}, load, "cpu")


def test_conditionings_that_cannot_share_a_batch_are_refused(loaded: tuple[Model, Store]) -> None:
    model, store = loaded
    denoiser = FAMILY.denoiser(model, lambda w: store.get(w, "cpu"), "cpu")

    def condition(count: int, tokens: int, **extra: float) -> Conditioning:
        tensors = {"sequence": np.zeros((count, tokens, 32)), "pooled": np.zeros((count, 32))}
        return Conditioning("x", tensors, extra)

    ready = denoiser.prepare([condition(1, 5), condition(2, 5, guidance=1.5)], 2)
    assert ready["encoder_hidden_states"].shape == (4, 5, 32)
    assert ready["guidance"].tolist() == [3.5, 3.5, 1.5, 1.5]
    with pytest.raises(DiffusionError, match="3 texts cannot serve 2"):
        denoiser.prepare([condition(3, 5)], 2)
    with pytest.raises(DiffusionError, match="one length"):
        denoiser.prepare([condition(1, 5), condition(1, 6)], 1)
    with pytest.raises(DiffusionError, match="no 'pooled'"):
        denoiser.prepare([Conditioning("x", {"sequence": np.zeros((1, 5, 32))})], 1)


def test_parts_of_a_reference(loaded: tuple[Model, Store]) -> None:
    model, store = loaded
    scheduler = part_of(model, "scheduler")
    assert (scheduler.part, scheduler.identity) == ("scheduler", model.identity)
    assert store.get(scheduler, "cpu")["use_dynamic_shifting"] is True
