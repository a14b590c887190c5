"""Nodes by which language models plan pictures."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from backend.models.language import write
from backend.sdk import UserError
from nodes.language import LanguageModel, load_language_model
from nodes.planning import plan_boxes, plan_panels, read_panels
from tests.backend.models.language import tiny_language
from tests.backend.models.language.test_plans import REPLY, panel, reply
from tests.nodes.fake_device import FakeDevice


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> FakeDevice:
    folder = tmp_path_factory.mktemp("models")
    return FakeDevice({"llama": tiny_language.write(folder / "llama")})


@pytest.fixture(scope="module")
def model(ctx: FakeDevice) -> LanguageModel:
    return load_language_model(ctx, "llama")


def test_even_random_numbers_write_boxes_of_the_right_form(tmp_path) -> None:
    tiny_language.TEXT["max_position_embeddings"] = 4096
    try:
        ctx = FakeDevice({"long": tiny_language.write(tmp_path / "long")})
    finally:
        tiny_language.TEXT["max_position_embeddings"] = 512
    model = load_language_model(ctx, "long")
    told = json.loads(plan_boxes(ctx, model, "a red circle", most=2, temperature=1.0, seed=3))
    assert 1 <= len(told) <= 2
    for entry in told:
        assert len(entry["box"]) == 4
        assert all(0 <= number <= 1 for number in entry["box"])
        assert entry["caption"]


def answering(monkeypatch: pytest.MonkeyPatch, text: str) -> list[write.Task]:
    """Every reply is this recorded one; gives what was asked."""
    asked: list[write.Task] = []

    def write_json(ctx: object, model: object, task: write.Task, schema: object) -> str:
        asked.append(task)
        return text

    monkeypatch.setattr(write, "write_json", write_json)
    return asked


def test_a_request_becomes_captions_of_panels(ctx, model, monkeypatch) -> None:
    asked = answering(monkeypatch, REPLY)
    made = plan_panels(ctx, model, "the fox asleep", given="a red fox\n\n", count=2)
    assert (made.panels, made.known) == (2, 1)
    assert made.captions[1] == "The fox sleeps under a fir."
    assert made.joint.startswith("Two panels")
    assert "Given picture 1: a red fox" in asked[0].prompt
    assert '"maxItems": 2' in asked[0].prompt


def test_a_plan_that_forgets_a_given_picture_is_refused(ctx, model, monkeypatch) -> None:
    answering(monkeypatch, reply(panel(), panel()))
    with pytest.raises(UserError, match="1 pictures are given, and the model's plan has 0 known"):
        plan_panels(ctx, model, "the fox asleep", given="a red fox")


def test_a_malformed_reply_is_refused(ctx, model, monkeypatch) -> None:
    answering(monkeypatch, '{"panels": []}')
    with pytest.raises(UserError, match="this reply has 0"):
        plan_panels(ctx, model, "foxes")


def test_what_cannot_be_planned_is_told(ctx, model) -> None:
    with pytest.raises(UserError, match="Nothing is asked for"):
        plan_panels(ctx, model, "  ")
    with pytest.raises(UserError, match="none is left to be made"):
        plan_panels(ctx, model, "foxes", given="a\nb", count=2)
    with pytest.raises(UserError, match="no caption to lay out"):
        plan_boxes(ctx, model, " ")
    with pytest.raises(UserError, match="only half of one"):
        plan_boxes(ctx, model, "a \ud83d")


def test_a_reply_from_elsewhere_is_read() -> None:
    made = read_panels(FakeDevice({}), REPLY)
    assert (made.panels, made.known, len(made.captions)) == (2, 1, 2)
    with pytest.raises(UserError, match="is no JSON"):
        read_panels(FakeDevice({}), "no")


def test_counts_are_known_before(ctx) -> None:
    known = plan_panels.hooks["facts"](SimpleNamespace(count=4), None)
    assert (known["captions"].is_list, known["captions"].length) == (True, 4)
    assert plan_panels.hooks["facts"](SimpleNamespace(count=0), None)["captions"].length is None
    assert read_panels.hooks["facts"](SimpleNamespace())["joint"].type == "Text"
