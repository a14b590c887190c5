"""What an editor of a value is told: models, tokens, and the names of links."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.shell.contexts import first_seed, kinds_of, scalars, tokens_words
from app.specs.models import ModelRow
from backend.engine.checks.wire import Counted, Row
from backend.graph.document import Graph, ModelNeed, Node, Ref, Workflow

PROMPT = Workflow(
    graph=Graph(
        nodes={
            "model": Node("load_model", params={"model": "primer"}),
            "prompt": Node(
                "encode_text",
                version=2,
                params={"text": "a red circle"},
                inputs={"text_encoder": Ref("model", "text_encoder")},
            ),
            "width": Node("number", params={"value": 96.0}),
            "sum": Node(
                "expression",
                params={"expression": "w * 2"},
                inputs={"values": {"w": Ref("width", "number"), "gone": Ref("nix", "number")}},
            ),
            "sample": Node("sample", params={"seed": 41, "steps": 4}),
        }
    ),
    models=(ModelNeed("primer"), ModelNeed("org/big", source="hf:org/big")),
)


def param(desktop, path, name):
    node = desktop.document.workflow.graph.nodes[path]
    return desktop.window.services.book.specs[node.type].param(name)


def context(desktop, path, name):
    return desktop.window.panels.contexts.of(desktop.document, path, param(desktop, path, name))


def test_the_tokens_of_a_prompt_are_counted(desktop, spin):
    desktop.open(PROMPT)
    said = []
    asked = context(desktop, "prompt", "text")
    spin(lambda: not desktop.window.desk.checks.behind)
    asked.tokens("a red circle", said.append)
    spin(lambda: said)
    assert said[0].endswith("tokens")
    assert 3 <= int(said[0].split()[0]) <= int(said[0].split()[2])


def test_a_text_that_no_encoder_reads_has_no_count(desktop):
    desktop.open(Workflow(graph=Graph(nodes={"text": Node("text")})))
    said = []
    context(desktop, "text", "value").tokens("many words", said.append)
    assert said == [""]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (Row("CLIP", 19, 19, 77), "19 of 77 tokens"),
        (Row("CLIP", 90, 77, 77, cut="in the rain"), "90 of 77 tokens; from “in the rain” on "
         "nothing is read"),
        (Row("CLIP", 100, 100, 77, parts=2), "100 tokens in 2 parts"),
    ],
)  # fmt: skip
def test_counts_in_words(row, words):
    assert tokens_words(Counted((row,))) == words


def test_of_two_tokenizers_the_one_that_cuts_is_told():
    rows = (Row("T5", 30, 30, 512), Row("CLIP", 90, 77, 77, cut="fog"))
    assert "fog" in tokens_words(Counted(rows))
    assert tokens_words(Counted(sentence="There is no tokenizer.")) == "There is no tokenizer."


def test_an_expression_knows_its_links(desktop, spin):
    desktop.open(PROMPT)
    spin(lambda: not desktop.window.desk.checks.behind)
    names = context(desktop, "sum", "expression").names()
    assert set(names) == {"w", "gone"}
    assert names["gone"] is None


def test_names_of_files_may_use_every_value(desktop):
    desktop.open(PROMPT)
    specs = desktop.window.services.book.specs
    told = dict(scalars(PROMPT, specs))
    assert told["sample.seed"] == 41
    assert told["prompt.text"] == "a red circle"
    assert first_seed(PROMPT, specs) == 41
    fields = context(desktop, "sample", "seed").fields()
    assert fields["seed"] == 41
    assert fields["node"] == "sample"
    assert len(str(fields["date"])) == 10


def test_a_parameter_is_offered_only_models_of_its_kind(desktop):
    models = desktop.window.services.models
    before = models.rows
    rows = (
        ModelRow("primer", "folder", "Primer"),
        ModelRow("flux.safetensors", "denoiser", "FLUX.1 dev"),
        ModelRow("ae.safetensors", "vae", "VAE"),
        ModelRow("ink.safetensors", "lora", "Ink"),
        ModelRow("cut.safetensors", "denoiser", "", problem="It is cut short."),
    )
    desktop.open(PROMPT)
    try:
        models.rows = rows
        offered = context(desktop, "model", "model").models()
        assert [(each.name, each.here) for each in offered] == [
            ("flux.safetensors", True), ("primer", True), ("org/big", False)
        ]  # fmt: skip
    finally:
        models.rows = before
    assert kinds_of("load_model_files", "vae") == ("vae",)
    assert kinds_of("load_model_files", "text_encoder_2") == ("text",)
    assert "vae" in kinds_of("load_vae", "model")
    assert "lora" not in kinds_of("load_model", "model")


def test_a_node_that_is_gone_meanwhile_harms_nothing(desktop):
    desktop.open(PROMPT)
    asked = context(desktop, "prompt", "text")
    desktop.document.edit("Empty", lambda w: replace(w, graph=Graph()))
    said = []
    asked.tokens("a", said.append)
    assert said == [""]
    assert asked.names() == {}
