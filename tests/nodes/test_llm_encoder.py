"""The LLM Encoder: a language model and a refiner in the place of a model's own text encoder."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backend.models.refiner.file import Settings
from backend.models.refiner.load import save
from backend.models.refiner.network import Refiner
from backend.sdk import UserError, facts_of
from nodes.conditioning import encode_text
from nodes.language import load_language_model
from nodes.latents import empty_latent
from nodes.llm_encoder import llm_encoder
from nodes.loaders import load_model
from nodes.sampling import sample
from tests.backend.models import tiny
from tests.backend.models.language import tiny_language
from tests.nodes.fake_device import FakeDevice


class Desk(FakeDevice):
    def read(self, path: str) -> Path:
        return self.folders[path] if path in self.folders else super().read(path)

    def file(self, path: str) -> Path:
        return self.read(path)


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("home")
    tiny.write(home / "flux")
    desk = Desk(
        {
            "flux": home / "flux",
            "llama": tiny_language.write(home / "llama"),
            "llava": tiny_language.write_seeing(home / "llava"),
            "refiner": home / "refiner.safetensors",
        }
    )
    told = encode_text(desk, load_model(desk, "flux").text_encoder, "")
    tensors = told.tensors
    shape = tensors["sequence"].shape
    settings = Settings(
        32, told.space, shape[1], shape[2], tensors["pooled"].shape[1], (1, -1), reads=12,
        width=20, heads=5, blocks=1,
    )  # fmt: skip
    torch.manual_seed(2)
    save(Refiner(settings), home / "refiner.safetensors")
    return desk


def test_what_it_makes_goes_into_the_sampler(ctx: Desk) -> None:
    found, model = load_model(ctx, "flux"), load_language_model(ctx, "llama")
    told = llm_encoder(ctx, model, "refiner", "a red circle")
    none = llm_encoder(ctx, model, "refiner", "")
    own = encode_text(ctx, found.text_encoder, "a red circle")
    assert told.space == own.space
    assert {n: t.shape for n, t in told.tensors.items()} == {
        n: t.shape for n, t in own.tensors.items()
    }
    latent = empty_latent(ctx, found.model, 32, 32)
    made = sample(ctx, found.model, told, latent, none, steps=2, seed=1)
    assert np.isfinite(made.samples).all()
    again = llm_encoder(ctx, model, "refiner", "a red circle")
    assert told == again or np.array_equal(told.tensors["pooled"], again.tensors["pooled"])


def test_the_language_part_of_a_model_that_sees_is_read_too(ctx: Desk) -> None:
    made = llm_encoder(ctx, load_language_model(ctx, "llava"), "refiner", "a red circle")
    assert np.isfinite(made.tensors["sequence"]).all()


def test_what_is_cut_off_is_told(ctx: Desk) -> None:
    llm_encoder(ctx, load_language_model(ctx, "llama"), "refiner", "x" * 40)
    assert "28 tokens more than the 12 that this refiner reads" in ctx.notes[-1]


def test_bad_input_is_told(ctx: Desk) -> None:
    model = load_language_model(ctx, "llama")
    for changes, said in (
        ({"file": ""}, "No refiner is chosen"),
        ({"file": "nowhere"}, "not granted"),
        ({"layers": (0.5,)}, "whole numbers, and 0.5 is none"),
        ({"layers": (1.0,)}, "have 32 numbers a token, and the refiner takes 64"),
        ({"layers": (1.0, 8.0)}, "no layer 8"),
        ({"layers": (1.0, float("inf"))}, "whole numbers"),
        ({"template": "no place"}, "0 times where the text goes"),
        ({"text": "a \ud83d"}, "only half of one"),
    ):
        with pytest.raises(UserError, match=said):
            llm_encoder(ctx, model, **{"file": "refiner", "text": "a", **changes})


def test_its_space_is_known_while_editing(ctx: Desk) -> None:
    settings = {p.name: p.default for p in llm_encoder.spec.params}
    hook = llm_encoder.hooks["facts"]
    none = hook(SimpleNamespace(lookup=ctx, **settings), None)
    assert none == facts_of("Conditioning", count=1)
    known = hook(SimpleNamespace(lookup=ctx, **{**settings, "file": "refiner"}), None)
    encoder = load_model(ctx, "flux").text_encoder
    assert known.space == encoder.space
    wrong = {**settings, "file": "refiner", "template": "no place"}
    with pytest.raises(UserError, match="0 times"):
        hook(SimpleNamespace(lookup=ctx, **wrong), None)


def test_its_needs_are_known_before(ctx: Desk) -> None:
    told = llm_encoder.hooks["peak"](
        SimpleNamespace(text="abc", template=""), facts_of("LanguageModel", token_bytes=10)
    )
    assert (told.activation, told.uses) == (8 * 10 * 4, (("model", 1),))
