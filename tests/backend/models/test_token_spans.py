"""Prompts on every family: its tokens are where it says, and its denoiser takes what is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from backend.catalog.folder import read_folder
from backend.diffusion.errors import DiffusionError
from backend.diffusion.phases import MASK
from backend.diffusion.sample import sample
from backend.graph.prompts import read_prompt
from backend.models.encode import coder, encode_prompt
from backend.models.family import families, recognise, references
from backend.models.store import Store
from backend.models.tokens import TokenRow
from backend.values import Conditioning, Guider, Latent, Noise, Schedule, Solver, Term, Weights
from tests.backend.models import (
    tiny,
    tiny_chroma,
    tiny_flux2,
    tiny_lumina2,
    tiny_pixart,
    tiny_qwen,
    tiny_sana,
    tiny_sd3,
    tiny_sd15,
    tiny_sdxl,
    tiny_wan,
    tiny_z_image,
)

TINY: dict[str, ModuleType] = {
    "flux": tiny,
    "chroma": tiny_chroma,
    "flux2": tiny_flux2,
    "lumina2": tiny_lumina2,
    "qwen_image": tiny_qwen,
    "sana": tiny_sana,
    "pixart": tiny_pixart,
    "sd15": tiny_sd15,
    "sd3": tiny_sd3,
    "sdxl": tiny_sdxl,
    "wan": tiny_wan,
    "z_image": tiny_z_image,
}
CAUSAL = ("flux2", "lumina2", "qwen_image", "sana", "sd15", "sd3", "sdxl", "z_image")
"""Families whose encoders see no later words: CLIP's and language models."""

TEXT = "a red cat"
RED = (2, 5)


class Bench:
    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        found = read_folder(TINY[name].write(folder / name))
        self.family = recognise(found, families())
        self.refs = references(found, self.family)
        self.store = Store(families(), 2**30)
        self.coder = coder(self.refs.text, {}, self.load, "cpu")
        self.geometry = self.family.facts(found).geometry

    def load(self, weights: Weights) -> Any:
        return self.store.get(weights, "cpu")

    def plain(self, text: str) -> Conditioning:
        return self.family.encode_text(self.refs.text, [text], {}, self.load, "cpu")

    def encode(self, text: str) -> Conditioning:
        return encode_prompt(self.coder, read_prompt(text)).conditioning

    def rows(self, text: str) -> list[TokenRow]:
        return [row for row in self.coder.rows(text) if row.tensors]

    def sample(self, positive: Conditioning) -> np.ndarray:
        side = 4 * self.geometry.multiple
        shape = self.geometry.shape(side, 2 * side, 2, 1)
        terms = (Term("positive", positive), Term("negative", self.plain("")))
        return sample(
            self.family.denoiser(self.refs.model, self.load, "cpu"),
            Guider("cfg", {"cfg": 3.0}, self.refs.model, terms),
            Solver("euler"),
            Schedule("native", steps=2),
            Noise("gaussian", seed=4),
            Latent(np.zeros(shape, np.float32), "tiny"),
        ).samples


@pytest.fixture(scope="module", params=TINY)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(request.param, tmp_path_factory.mktemp("tiny"))


def places(rows: list[TokenRow], start: int, end: int) -> set[int]:
    return {place for row in rows for place in row.places(start, end)}


def test_a_prompt_without_syntax_has_the_bits_of_the_text(bench: Bench) -> None:
    one, two = bench.encode(TEXT), bench.plain(TEXT)
    assert one.params == two.params
    for name, tensor in two.tensors.items():
        assert np.array_equal(one.tensors[name], tensor)


def test_a_weight_moves_its_word_and_nothing_else(bench: Bench) -> None:
    rows, plain = bench.rows(TEXT), bench.plain(TEXT)
    red = places(rows, *RED)
    found = bench.encode("a (red:1.5) cat")
    for name, tensor in plain.tensors.items():
        moved = set(np.flatnonzero(np.abs(found.tensors[name] - tensor)[0].max(-1) > 1e-6))
        assert moved == (red if any(name in row.tensors for row in rows) else set())


def test_words_are_where_the_encoder_first_sees_them(bench: Bench) -> None:
    """Another last word changes what is said from its first token on, for causal encoders."""
    one, two = bench.plain(TEXT).tensors, bench.plain("a red dog").tensors
    named = {name for row in bench.rows(TEXT) for name in row.tensors}
    for name in named:
        length = min(one[name].shape[1], two[name].shape[1])
        far = np.abs(one[name][0, :length] - two[name][0, :length]).max(-1)
        first = int(np.flatnonzero(far > 1e-4)[0])
        if bench.name in CAUSAL:
            assert first == min(places(bench.rows(TEXT), 6, 9))
        else:
            assert first == 0


def test_every_token_that_is_read_has_a_place(bench: Bench) -> None:
    plain = bench.plain(TEXT)
    for row in bench.rows(TEXT):
        taken = [token.place for token in row.tokens if token.place is not None]
        assert len(set(taken)) == len(taken)
        length = plain.tensors[row.tensors[0]].shape[1]
        there = plain.tensors[MASK][0].sum() if MASK in plain.tensors else length
        assert max(taken) < there
        assert row.length <= plain.tensors[row.tensors[0]].shape[1] or MASK in plain.tensors


def test_what_prompts_make_can_be_sampled(bench: Bench) -> None:
    """Weights, chunks of unequal number and changes, against an empty negative."""
    if bench.name == "lumina2":  # each chunk has the long system prompt, and positions are few
        with pytest.raises(DiffusionError, match="has positions for 255"):
            bench.sample(bench.encode("a red cat BREAK a dog"))
        bench.coder = replace(bench.coder, options={"system": "draw"})
    plain = bench.sample(bench.coder.encode(TEXT))
    for text in ("a (red:1.5) cat", "a red cat BREAK a dog", "[a red cat:a dog BREAK a cat:0.5]"):
        found = bench.sample(bench.encode(text))
        assert np.isfinite(found).all()
        assert np.abs(found - plain).max() > 1e-4
    early = bench.sample(bench.encode("[a dog:a red cat:0.0]"))
    assert np.array_equal(early, plain)


def test_clip_families_read_long_texts_in_pieces(bench: Bench) -> None:
    text = "a red cat, " * 8
    rows = bench.rows(text)
    if not any(row.pieces for row in rows):
        return
    found, once = bench.encode(text), rows[0].length
    pieces = found.tensors["sequence"].shape[1] // once
    words = [token for token in rows[0].tokens if token.start is not None]
    assert pieces >= len(words) / (once - 2) > 1
    assert bench.plain(text).tensors["sequence"].shape[1] == once
    assert np.isfinite(bench.sample(found)).all()
