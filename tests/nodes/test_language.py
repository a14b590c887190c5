"""The language nodes: what they give, what is known before, and what they say of bad input."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from backend.sdk import Facts, Image, UserError, facts_of
from nodes import language
from nodes.language import (
    caption_image,
    generate_json,
    generate_text,
    load_language_model,
    rewrite_prompt,
)
from tests.backend.models.language import tiny_language
from tests.nodes.fake_device import FakeDevice


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> FakeDevice:
    folder = tmp_path_factory.mktemp("models")
    return FakeDevice(
        {
            "llama": tiny_language.write(folder / "llama"),
            "llava": tiny_language.write_seeing(folder / "llava"),
        }
    )


@pytest.fixture(scope="module")
def model(ctx: FakeDevice) -> language.LanguageModel:
    return load_language_model(ctx, "llama")


def facts(node, ctx: FakeDevice, *links: Facts | None, **params) -> Facts:
    settings = {p.name: p.default for p in node.spec.params} | params
    return node.hooks["facts"](SimpleNamespace(lookup=ctx, **settings), *links)


def test_a_model_is_named_and_not_loaded(tmp_path):
    ctx = FakeDevice({"m": tiny_language.write(tmp_path)})
    found = load_language_model(ctx, "m")
    assert (found.family, found.part) == ("language", "language_model")
    assert found.identity.startswith("blake3:")
    assert ctx.store.nbytes == 0
    assert load_language_model.spec.outputs[0].type == "LanguageModel"


def test_half_of_a_character_is_a_sentence(ctx, model):
    with pytest.raises(UserError, match="Character 3 of this text is only half of one"):
        generate_text(ctx, model, "a \ud83d")


def test_its_needs_are_known_before_it_is_loaded(ctx):
    known = facts(load_language_model, ctx, model="llama")
    # 2 (key, value) x 2 layers x 2 heads x 8 wide x 2 bytes
    assert (known.token_bytes, known.context, known.family) == (128, 512, "language")
    settings = SimpleNamespace(max_tokens=100, prompt="ab", system="c")
    told = generate_text.hooks["peak"](settings, known)
    assert (told.activation, told.uses) == (2 * 128 * 103, (("model", 100),))  # in float32
    assert facts(load_language_model, FakeDevice({}), model="?") == facts_of("LanguageModel")
    assert facts(load_language_model, ctx, model="") == facts_of("LanguageModel")


def test_a_model_that_is_none_is_told_while_editing(ctx):
    from backend.engine.lookup import MODELS

    primer = FakeDevice({"primer": MODELS / "primer"})
    with pytest.raises(UserError, match="not a language model"):
        facts(load_language_model, primer, model="primer")
    with pytest.raises(UserError, match="not a language model"):
        load_language_model(primer, "primer")


def test_a_folder_without_a_config_is_told_in_the_terms_of_both_layouts(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    empty = FakeDevice({"empty": tmp_path})
    with pytest.raises(UserError, match=r"no config.json with architectures, as a language model"):
        load_language_model(empty, "empty")


def test_text_follows_the_seed(ctx, model):
    one = generate_text(ctx, model, "a bird", max_tokens=12, temperature=1.0, seed=1)
    assert one == generate_text(ctx, model, "a bird", max_tokens=12, temperature=1.0, seed=1)
    assert one != generate_text(ctx, model, "a bird", max_tokens=12, temperature=1.0, seed=2)


def test_rewriting_gives_as_many_texts_as_asked(ctx, model):
    ask = {"max_tokens": 12, "temperature": 1.0, "seed": 5}
    found = rewrite_prompt(ctx, model, "a cat", count=3, **ask)
    assert len(set(found)) == 3
    assert found[:1] == rewrite_prompt(ctx, model, "a cat", **ask)  # more do not change the first
    assert found[:1] != rewrite_prompt(ctx, model, "a cat", way="shorten", **ask)
    assert facts(rewrite_prompt, ctx, None, count=3) == facts_of("Text").listed(3)


def test_ones_own_instruction_counts(ctx, model):
    ask = {"max_tokens": 12, "temperature": 0.0}
    one = rewrite_prompt(ctx, model, "a cat", "own", "Make it a poem.", **ask)
    assert one != rewrite_prompt(ctx, model, "a cat", "own", "Make it a song, a long one.", **ask)
    with pytest.raises(UserError, match="no instruction"):
        rewrite_prompt(ctx, model, "a cat", "own")
    with pytest.raises(UserError, match="no text"):
        rewrite_prompt(ctx, model, "  ")


SHIP = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "masts": {"type": "integer", "minimum": 1, "maximum": 4},
        "colours": {"type": "array", "items": {"enum": ["red", "white"]}, "maxItems": 3},
    },
    "required": ["name", "masts", "colours"],
}


@pytest.mark.parametrize("seed", range(4))
def test_json_follows_the_schema(ctx, model, seed):
    jsonschema = pytest.importorskip("jsonschema")
    ask = {"schema": json.dumps(SHIP), "max_tokens": 80, "temperature": 2.0, "seed": seed}
    found = generate_json(ctx, model, "a ship", **ask)
    jsonschema.validate(json.loads(found), SHIP)
    assert found == generate_json(ctx, model, "a ship", **ask)


def test_a_schema_that_is_not_followed_is_told_while_editing(ctx, model):
    recursive = '{"$ref": "#"}'
    with pytest.raises(UserError, match="refers to itself"):
        facts(generate_json, ctx, None, schema=recursive)
    with pytest.raises(UserError, match="refers to itself"):
        generate_json(ctx, model, "a", recursive)
    with pytest.raises(UserError, match="No text by this schema fits in 5 tokens"):
        generate_json(ctx, model, "a", max_tokens=5)


def test_each_picture_of_a_batch_gets_a_caption(ctx):
    model = load_language_model(ctx, "llava")
    pixels = np.random.default_rng(1).random((3, 16, 24, 3), dtype=np.float32)
    found = caption_image(ctx, model, Image(pixels), "what?", 10)
    assert len(found) == 3
    assert found[1:2] == caption_image(ctx, model, Image(pixels[1:2]), "what?", 10)
    link = facts_of("Image", count=3)
    assert facts(caption_image, ctx, None, link) == facts_of("Text").listed(3)


def test_a_model_without_eyes_cannot_describe(ctx, model):
    with pytest.raises(UserError, match="see pictures"):
        caption_image(ctx, model, Image(np.zeros((1, 8, 8, 3), np.float32)))


def test_a_prompt_too_long_is_told(ctx, model):
    with pytest.raises(UserError, match="at most 512, the answer included"):
        generate_text(ctx, model, "word " * 300)


def test_no_sampler_takes_a_language_model():
    from nodes.sampling import sample

    (socket,) = [s for s in sample.spec.inputs if s.name == "model"]
    assert socket.type != load_language_model.spec.outputs[0].type
