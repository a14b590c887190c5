"""The small language models in resources: ordinary folders, small, and they do their job."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from backend.models.refiner.file import read_settings  # noqa: E402
from backend.train.caption import parse  # noqa: E402
from backend.train.language import corpus, tokenizer  # noqa: E402
from backend.train.scene import picture  # noqa: E402
from backend.train.world import draw_spec  # noqa: E402
from nodes.conditioning import encode_text  # noqa: E402
from nodes.language import (  # noqa: E402
    caption_image,
    generate_text,
    load_language_model,
    rewrite_prompt,
)
from nodes.llm_encoder import llm_encoder  # noqa: E402
from nodes.loaders import load_model  # noqa: E402
from nodes.planning import plan_boxes  # noqa: E402
from tests.backend.models.language import tiny_language  # noqa: E402
from tests.benchmarks.creative import floats  # noqa: E402
from tests.benchmarks.language import ASSETS, RESOURCES, box_matches, verdicts  # noqa: E402
from tests.nodes.fake_device import FakeDevice  # noqa: E402

LANGUAGE, CAPTIONS = RESOURCES / "primer-language", RESOURCES / "primer-captions"
REFINER = ASSETS / "primer-language-refiner.safetensors"


class Desk(FakeDevice):
    def read(self, path: str) -> Path:
        return Path(path)


@pytest.fixture(scope="module")
def ctx() -> Desk:
    torch.set_num_threads(1)
    return Desk({"language": LANGUAGE, "captions": CAPTIONS, "primer": RESOURCES / "primer"})


def test_the_folders_are_ordinary_and_small() -> None:
    for folder, most in ((LANGUAGE, 6e6), (CAPTIONS, 8e6)):
        assert (folder / "model.safetensors").stat().st_size < most
        assert not [p for p in folder.rglob("*") if p.suffix in (".bin", ".pt", ".part")]
        for path in folder.glob("*.json"):
            assert "/tmp" not in path.read_text()
            assert "/work" not in path.read_text()
    assert json.loads((LANGUAGE / "config.json").read_text())["architectures"] == [
        "LlamaForCausalLM"
    ]
    assert REFINER.stat().st_size < 3e6


def test_the_tokenizer_is_the_one_made_here() -> None:
    """Made in another process: its numbers are the same in all."""
    shipped = json.loads((LANGUAGE / "tokenizer.json").read_text())["model"]["vocab"]
    own = tokenizer.build(2048).get_vocab()
    assert {piece: own[piece] for piece in shipped} == shipped


def test_it_writes_boxes_where_the_caption_says(ctx: Desk) -> None:
    model = load_language_model(ctx, "language")
    found = []
    for index in range(6):
        spec = draw_spec(77, index, "held", 2)
        found += box_matches(spec, json.loads(plan_boxes(ctx, model, spec.caption)), True)
    assert np.mean(found) > 0.6


def test_it_rewrites_and_goes_on(ctx: Desk) -> None:
    model = load_language_model(ctx, "language")
    made = parse(rewrite_prompt(ctx, model, "red circle, blue square", temperature=0.0)[0])
    assert [(o.colour, o.shape) for o in made.objects] == [("red", "circle"), ("blue", "square")]
    assert all(thing.place for thing in made.objects)
    assert made.background
    told = generate_text(ctx, model, "a striped green star on the", temperature=0.0, max_tokens=40)
    assert told.startswith(("left", "right"))


def test_it_describes_scenes(ctx: Desk) -> None:
    model = load_language_model(ctx, "captions")
    specs = [draw_spec(78, index, "held", 2) for index in range(6)]
    told = caption_image(ctx, model, floats([picture(spec) for spec in specs]), max_tokens=60)
    judged = [v for said, spec in zip(told, specs, strict=True) for v in verdicts(said, spec.facts)]
    assert np.mean([verdict.right for verdict in judged]) > 0.75


def test_the_refiner_says_nearly_what_the_own_encoder_says(ctx: Desk) -> None:
    """Of captions of held-out pairs; a caption of another scene says something far else."""
    model, own = load_language_model(ctx, "language"), load_model(ctx, "primer").text_encoder
    texts = [draw_spec(79, index, "held", 2).caption for index in range(4)]
    told = [llm_encoder(ctx, model, str(REFINER), text) for text in texts]
    true = [encode_text(ctx, own, text) for text in texts]
    assert all(a.space == b.space for a, b in zip(told, true, strict=True))

    def apart(a: int, b: int) -> float:
        return float(np.square(told[a].tensors["sequence"] - true[b].tensors["sequence"]).mean())

    near = np.mean([apart(i, i) for i in range(4)])
    far = np.mean([apart(i, (i + 1) % 4) for i in range(4)])
    assert near < 0.35 * far


def test_the_refiner_is_for_this_language_model_alone(ctx: Desk, tmp_path: Path) -> None:
    from backend.sdk import UserError

    assert read_settings(REFINER).states == 192
    ctx.folders = {**ctx.folders, "other": tiny_language.write(tmp_path)}
    with pytest.raises(UserError, match="states are 192 wide, and those of this one are 32"):
        llm_encoder(ctx, load_language_model(ctx, "other"), str(REFINER), "a red circle")


def test_boxes_of_the_corpus_are_what_is_asked_for(ctx: Desk) -> None:
    spec = draw_spec(80, 0, "held", 2)
    assert box_matches(spec, json.loads(corpus.boxes_json(spec)), True)[0] > 0.9
