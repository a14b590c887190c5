"""Tokens are counted without the model libraries, and are those that the libraries count."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.catalog.errors import CatalogError
from backend.engine.checks.patch import patch_between
from backend.engine.checks.tokenizer import CLIP, LightTokenizer
from backend.engine.checks.wire import CheckDocument, Counted, CountTokens
from backend.graph.format import load
from backend.models.tokens import token_row

ROOT = CLIP.parents[3]
WORKFLOWS = ROOT / "workflows"
TEXTS = ["", "a red circle", "Crème brûlée, 12 ½ — 😀 (x)", "word " * 90, "naïve\ntwo  spaces"]


@pytest.fixture(scope="module")
def document(process):
    workflow = load(WORKFLOWS / "text-to-image.weft.json")
    process.ask(CheckDocument("flow", patch_between(None, workflow), str(WORKFLOWS)))
    return process


def count(process, text: str, **more: bool) -> Counted:
    answer = process.ask(CountTokens("flow", "prompt", text, **more))
    assert isinstance(answer, Counted)
    return answer


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("part", ["tokenizer", "tokenizer_2"])
def test_tokens_and_places_are_those_of_transformers(part, text):
    from transformers import AutoTokenizer

    folder = ROOT / "resources/models/primer" / part
    theirs = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    ours = LightTokenizer(folder)
    assert token_row("x", ours, text, 32).tokens == token_row("x", theirs, text, 32).tokens


def test_a_clip_of_words_and_merges_reads_as_the_whole_file_does(tmp_path):
    import json

    whole = json.loads(CLIP.read_text("utf-8"))["model"]
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in whole["merges"]]
    (tmp_path / "vocab.json").write_text(json.dumps(whole["vocab"]), "utf-8")
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), "utf-8")
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "CLIPTokenizer"}')
    first, second = LightTokenizer(CLIP.parent), LightTokenizer(tmp_path)
    for text in TEXTS:
        assert first(text) == second(text)


def test_a_chat_template_is_that_of_transformers():
    from transformers import AutoTokenizer

    folder = ROOT / "resources/tokenizers/qwen"
    said = [{"role": "user", "content": "a red circle"}]
    more = {"tokenize": False, "add_generation_prompt": True}
    theirs = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    ours = LightTokenizer(folder).apply_chat_template(said, **more)
    assert ours == theirs.apply_chat_template(said, **more)


def test_each_tokenizer_of_the_linked_encoder_has_a_row(document):
    rows = count(document, "a red circle").rows
    assert [(row.name, row.tokens, row.read, row.most) for row in rows] == [
        ("T5", 4, 4, 32),
        ("CLIP", 5, 5, 32),
    ]


def test_what_is_cut_off_is_told(document):
    for row in count(document, "a red circle, " * 20).rows:
        assert row.read == row.most == 32
        assert row.tokens > 32
        assert row.cut


def test_weights_are_no_tokens_unless_the_text_is_plain(document):
    weighed, bare = count(document, "a (red:1.3) circle"), count(document, "a red circle")
    assert weighed == bare
    plain = count(document, "a (red:1.3) circle", plain=True)
    assert plain.rows[1].tokens > bare.rows[1].tokens


def test_why_nothing_is_counted_is_a_sentence(document):
    answer = document.ask(CountTokens("flow", "save", "a"))
    assert isinstance(answer, Counted)
    assert answer.rows == ()
    assert answer.sentence.endswith(".")
    assert "weight 99" in count(document, "a (red:99) circle").sentence
    with pytest.raises(ValueError, match="surrogates"):
        count(document, "\ud800")
    assert count(document, "still there").rows


def test_a_tokenizer_that_only_the_libraries_read_says_so(tmp_path: Path):
    (tmp_path / "spiece.model").write_bytes(b"x")
    with pytest.raises(CatalogError, match="counted when it runs"):
        LightTokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(CatalogError, match="cannot be read"):
        LightTokenizer(tmp_path)
