"""Prompts on a tiny Flux: weights, chunks and changes, and what plain text keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.catalog.folder import read_folder
from backend.diffusion.errors import DiffusionError
from backend.diffusion.phases import join
from backend.diffusion.sample import invert, sample
from backend.graph.prompts import Chunk, read_prompt
from backend.models.encode import MAX_CHUNKS, coder, encode_prompt, split, told
from backend.models.family import families, recognise, references
from backend.models.flux import Flux
from backend.models.patch import Stage
from backend.models.seams.maps import Recorder
from backend.models.store import Store
from backend.models.tokens import TokenRow
from backend.values import Conditioning, Guider, Latent, Noise, Schedule, Solver, Term, Weights
from tests.backend.models.tiny import TOKENS


class Joining(Flux):
    """A Flux whose T5 reads long texts in pieces, as CLIP's families do."""

    def token_spans(self, *asked: Any) -> tuple[TokenRow, ...]:
        return tuple(replace(row, pieces=bool(row.tensors)) for row in super().token_spans(*asked))


class Bench:
    def __init__(self, folder: Path) -> None:
        found = read_folder(folder)
        self.family = recognise(found, families())
        self.refs = references(found, self.family)
        self.store = Store(families(), 2**30)
        self.coder = coder(self.refs.text, {}, self.load, "cpu")

    def load(self, weights: Weights) -> Any:
        return self.store.get(weights, "cpu")

    def plain(self, text: str) -> Conditioning:
        return self.family.encode_text(self.refs.text, [text], {}, self.load, "cpu")

    def encode(self, text: str) -> Conditioning:
        return encode_prompt(self.coder, read_prompt(text)).conditioning

    def sequence(self, text: str) -> np.ndarray:
        return self.encode(text).tensors["sequence"][0]

    def guider(self, positive: Conditioning, kind: str = "cfg") -> Guider:
        terms = (Term("positive", positive), Term("negative", self.plain("")))
        return Guider(kind, {"cfg": 3.0}, self.refs.model, terms)

    def sample(self, positive: Conditioning, latent: Latent | None = None, **plan: Any) -> Latent:
        return sample(
            self.family.denoiser(self.refs.model, self.load, "cpu"),
            self.guider(positive),
            Solver("euler"),
            Schedule("native", plan, 4),
            Noise("gaussian", seed=4),
            latent or Latent(np.zeros((2, 4, 6, 8), np.float32), "tiny"),
        )


@pytest.fixture(scope="module")
def bench(plain_folder: Path) -> Bench:
    return Bench(plain_folder)


def same(one: Conditioning, two: Conditioning) -> bool:
    return all(
        np.array_equal(one.tensors[name], two.tensors[name])
        for name in {*one.tensors, *two.tensors}
    )


@pytest.mark.parametrize("text", ["", "a red cat", "(a red:1) cat", "[a:b]", "a " * 40])
def test_without_weights_a_prompt_is_the_plain_text(bench: Bench, text: str) -> None:
    plain = text.replace("(a red:1)", "a red")
    found = bench.encode(text)
    assert same(found, bench.plain(plain))
    assert found.later == ()


def test_a_weight_goes_on_from_the_empty_text(bench: Bench) -> None:
    plain, empty = bench.sequence("a red cat"), bench.sequence("")
    (t5, _) = bench.coder.rows("a red cat")
    red = list(t5.places(2, 5))
    others = [i for i in range(len(plain)) if i not in red]
    for weight in (1.5, 0.25, -1.0, 0.0):
        found = bench.sequence(f"a (red:{weight}) cat")
        assert np.array_equal(found[others], plain[others])
        assert np.allclose(found[red], empty[red] + weight * (plain[red] - empty[red]), atol=1e-5)
    assert np.array_equal(bench.sequence("a (red:0) cat")[red], empty[red])
    assert np.linalg.norm(bench.sequence("a (red:1.5) cat") - plain) > 0.1


def test_weights_multiply_and_part_words_share(bench: Bench) -> None:
    nested = bench.sequence("(a (red:0.5):1.5) cat")
    assert np.allclose(nested, bench.sequence("(a :1.5)(red:0.75) cat"), atol=1e-6)
    plain, empty = bench.sequence("é"), bench.sequence("")  # two tokens stand for one letter
    (t5, _) = bench.coder.rows("é")
    assert len(t5.places(0, 1)) == 2
    moved = np.abs(bench.sequence("(é:2)") - (2 * plain - empty))
    assert moved[list(t5.places(0, 1))].max() < 1e-4


def test_pooled_vectors_and_settings_stay(bench: Bench) -> None:
    weighted = encode_prompt(
        coder(bench.refs.text, {"guidance": 2.0}, bench.load, "cpu"), read_prompt("a (red:2) cat")
    ).conditioning
    assert np.array_equal(weighted.tensors["pooled"], bench.plain("a red cat").tensors["pooled"])
    assert weighted.params["guidance"] == 2.0


def test_breaks_join_chunks_on_the_token_axis(bench: Bench) -> None:
    found = bench.encode("a (red:1.5) cat BREAK a dog")
    one, two = bench.encode("a (red:1.5) cat"), bench.plain("a dog")
    assert found.tensors["sequence"].shape[1] == 2 * TOKENS
    assert same(found, join(one, two))
    assert np.array_equal(found.tensors["pooled"], one.tensors["pooled"])


def test_texts_of_unequal_length_are_sampled_one_by_one(bench: Bench) -> None:
    twice = bench.sample(bench.encode("a cat BREAK a dog"))
    assert np.isfinite(twice.samples).all()
    assert np.abs(twice.samples - bench.sample(bench.plain("a cat")).samples).max() > 1e-3


def test_a_change_is_sampling_on_with_the_other_text(bench: Bench) -> None:
    a, b = bench.plain("a red cat"), bench.plain("a blue dog")
    both = bench.sample(bench.encode("[a red cat:a blue dog:0.5]"))
    half = bench.sample(a, end=0.5)
    assert half.sigma > 0
    assert np.array_equal(both.samples, bench.sample(b, half).samples)
    assert not np.array_equal(both.samples, bench.sample(a).samples)
    assert not np.array_equal(both.samples, bench.sample(b).samples)


def test_a_change_to_a_longer_text_is_watched(bench: Bench) -> None:
    recorder = Recorder()
    denoiser = bench.family.denoiser(bench.refs.model, bench.load, "cpu")
    stage = Stage(bench.refs.model, bench.family.card, bench.load, denoiser)
    guider = bench.guider(bench.encode("[a cat:a dog BREAK a bird:0.5]"))
    latent = Latent(np.zeros((1, 4, 6, 8), np.float32), "tiny")
    sample(denoiser, guider, Solver("euler"), Schedule("native", steps=2), Noise("gaussian"),
           latent, around=(recorder.around(stage),))  # fmt: skip
    maps = recorder.maps(3, 4)
    assert maps.shape == (1, 2 * TOKENS, 3, 4)
    assert maps[:, TOKENS:].sum() > 0


def test_a_change_to_the_same_text_changes_no_bit(bench: Bench) -> None:
    text = bench.encode("[a cat:a (cat:1.0):0.5]")
    assert text.later == ()
    early = bench.encode("[a dog:a cat:0.0]")
    assert np.array_equal(bench.sample(early).samples, bench.sample(bench.plain("a cat")).samples)
    late = bench.sample(bench.encode("[a cat:a dog:0.99]"))  # after the last of four steps
    assert np.array_equal(late.samples, bench.sample(bench.plain("a cat")).samples)


def test_an_inversion_meets_the_changes_backwards(bench: Bench) -> None:
    def back(positive: Conditioning, latent: Latent, plan: Schedule) -> Latent:
        return invert(
            bench.family.denoiser(bench.refs.model, bench.load, "cpu"),
            bench.guider(positive), plan, latent,
        )  # fmt: skip

    clean = Latent(np.random.default_rng(1).normal(size=(1, 4, 6, 8)), "tiny")
    both = back(bench.encode("[a cat:a dog:0.5]"), clean, Schedule("native", steps=4))
    only = back(bench.plain("a dog"), clean, Schedule("native", steps=4))
    # The first two steps upwards are the last two of sampling: the dog's.
    half = back(bench.plain("a dog"), clean, Schedule("native", steps=4, start=0.5))
    asked = back(bench.encode("[a cat:a dog:0.5]"), clean, Schedule("native", steps=4, start=0.5))
    assert np.array_equal(half.samples, asked.samples)
    assert not np.array_equal(both.samples, only.samples)


def test_long_texts_are_cut_and_told(bench: Bench) -> None:
    text = "a red circle and a blue square"
    _, notes = encode_prompt(bench.coder, read_prompt(text))
    assert len(notes) == 1
    assert f"this text encoder reads {TOKENS}" in notes[0]
    (t5, _) = bench.coder.rows(text)
    begin = min(token.start for token in t5.cut if token.start is not None)
    assert notes[0].endswith(f'before "{text[begin:]}".')
    assert encode_prompt(bench.coder, read_prompt("a red")).notes == ()


def test_long_texts_are_split_where_the_family_joins(bench: Bench) -> None:
    joining = replace(bench.coder, family=Joining())
    text = "red cat, hot dog, big bird, sun and (moon:1.5) and so on"
    (chunk,) = read_prompt(text).at(0)
    pieces = split(joining, chunk)
    assert "".join(piece.text for piece in pieces) == chunk.text
    assert len(pieces) > 2
    assert pieces[0].text.endswith(",")  # a comma near the end of a full chunk ends it
    assert all(not piece.text[:1].strip() or pieces[i].text[-1:] in ", " for i, piece in
               enumerate(pieces[1:]))  # fmt: skip
    assert [told(joining.rows(piece.text), piece.text) for piece in pieces] == [()] * len(pieces)
    weighted = [piece.text[s.start : s.end] for piece in pieces for s in piece.spans]
    assert weighted == ["moon"]
    found = encode_prompt(joining, read_prompt(text))
    assert found.notes == ()
    assert found.conditioning.tensors["sequence"].shape[1] == len(pieces) * TOKENS
    assert split(joining, Chunk("abc" * 20))[0].text == ("abc" * 20)[: TOKENS - 2]


def test_too_many_chunks_are_refused(bench: Bench) -> None:
    with pytest.raises(DiffusionError, match=f"more than {MAX_CHUNKS} chunks"):
        encode_prompt(bench.coder, read_prompt(" BREAK ".join("a" * (MAX_CHUNKS + 1))))


def test_weights_need_a_tokenizer_that_tells_its_places(bench: Bench) -> None:
    class Blind(Flux):
        def token_spans(self, *asked: Any) -> tuple[TokenRow, ...]:
            return tuple(
                replace(row, tokens=tuple(replace(t, start=None, end=None) for t in row.tokens))
                for row in super().token_spans(*asked)
            )

    blind = replace(bench.coder, family=Blind())
    with pytest.raises(DiffusionError, match="does not tell where its tokens are"):
        encode_prompt(blind, read_prompt("a (red:2) cat"))
    assert same(encode_prompt(blind, read_prompt("a cat")).conditioning, bench.plain("a cat"))
