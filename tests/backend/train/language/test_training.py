"""The two small models and the refiner: they learn, resume to the same bits, and load as others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from backend.catalog.errors import CatalogError  # noqa: E402
from backend.sdk import Image  # noqa: E402
from backend.train import checkpoint  # noqa: E402
from backend.train.language import captioner, causal, refiner, tokenizer  # noqa: E402
from backend.train.language.corpus import description, draw  # noqa: E402
from backend.train.palette import COLOURS, SHAPES  # noqa: E402
from backend.train.world import draw as draw_scene  # noqa: E402
from nodes.language import caption_image, generate_text, load_language_model  # noqa: E402
from tests.backend.models import tiny  # noqa: E402
from tests.backend.train.language import tiny_runs  # noqa: E402
from tests.nodes.fake_device import FakeDevice  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs")
    tiny_runs.language(place / "whole")
    return place


def same(first: Path, second: Path) -> bool:
    a, b = checkpoint.load(first), checkpoint.load(second)
    assert a is not None
    assert b is not None
    return all(torch.equal(a["average"][n], b["average"][n]) for n in a["average"])


def test_a_broken_off_training_goes_on_to_the_same_bits(home: Path) -> None:
    tiny_runs.language(home / "broken", stop_at=2)
    assert not same(home / "broken/causal.pt", home / "whole/causal.pt")
    tiny_runs.language(home / "broken")
    assert same(home / "broken/causal.pt", home / "whole/causal.pt")


def test_only_what_is_to_be_written_is_a_target() -> None:
    words = tokenizer.build(64)
    given, wanted = draw(1, 3, "boxes")
    ids, targets = causal.batch(words, [(given, wanted), ("<s>", "a</s>")])
    kept = targets[0] >= 0
    assert words.decode(targets[0][kept]) == wanted
    assert words.decode(ids[0, : int(kept.nonzero()[0]) + 1]) == given
    assert (targets[1] >= 0).sum() == 2


def test_the_loss_falls(home: Path) -> None:
    plan = replace(tiny_runs.CAUSAL, loop=replace(tiny_runs.LOOP, steps=40))
    model, words = causal.build(plan)
    lot = causal.batch(words, [draw(1, i, "go on") for i in range(8)])
    before = causal.loss_of(model, *lot).item()
    model, words = causal.build(plan)
    lines: list[str] = []
    causal.train_causal(home / "long", plan, lines.append)
    assert float(lines[-1].split()[3]) < before - 1
    assert "steps/s" in lines[-1]


def test_the_template_knows_what_is_asked() -> None:
    words = tokenizer.build(64)

    def said(*messages: tuple[str, str]) -> str:
        told = [{"role": role, "content": text} for role, text in messages]
        return str(words.apply_chat_template(told, tokenize=False, add_generation_prompt=True))

    assert said(("user", "a red")) == "<s>a red"
    assert said(("system", "Rewrite."), ("user", "circle")) == "<s><|rewrite|>circle<|answer|>"
    boxes = "a ring\n\nAnswer in JSON by this schema:\n{}"
    assert said(("user", boxes)) == "<s><|boxes|>a ring<|answer|>"
    assert said(("system", "Lay out."), ("user", boxes)) == "<s><|boxes|>a ring<|answer|>"


def test_the_exported_folder_is_an_ordinary_language_model(home: Path) -> None:
    ctx = FakeDevice({"m": home / "whole/model"})
    model = load_language_model(ctx, "m")
    assert isinstance(generate_text(ctx, model, "a red", max_tokens=5), str)


def test_fields_tell_what_lies_there() -> None:
    scene = draw_scene(2, 1)
    truth = captioner.fields_of([scene], 8)[0]
    thing = scene.objects[-1]  # the front one, which nothing hides
    row, column = int(thing.item.y) // 16, int(thing.item.x) // 16
    if thing.visible[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16].mean() > 0.5:
        assert truth[row * 8 + column, 0] == SHAPES.index(thing.item.shape)
        assert truth[row * 8 + column, 1] == list(COLOURS).index(thing.item.colour)
    assert truth[0, :3].tolist() == [6, 8, 3]  # a corner is bare


def test_the_captioner_says_in_training_what_it_says_as_a_model(home: Path) -> None:
    """The way that the training takes through the parts is the way of the library's class."""
    pupil, words = captioner.build(tiny_runs.CAPTIONER)
    scene = draw_scene(2, 1)
    fields = tiny_runs.CAPTIONER.side**2
    text = tokenizer.START + tokenizer.IMAGE * fields + tokenizer.ANSWER + description(scene.spec)
    ids = words(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    pictures = captioner.pixels_of([scene])
    with torch.no_grad():
        told = pupil.told(pupil.look(pictures), ids)
        other = pupil.model(input_ids=ids, pixel_values=pictures).logits
    assert torch.allclose(told, other, atol=1e-5)
    seen = captioner.images()(scene.pixels, return_tensors="pt")["pixel_values"]
    assert torch.allclose(seen, pictures, atol=1e-6)


def test_the_captioner_resumes_and_is_an_ordinary_image_text_model(home: Path) -> None:
    tiny_runs.captioner(home / "seen")
    tiny_runs.captioner(home / "seen-again", stop_at=2)
    folder = tiny_runs.captioner(home / "seen-again")
    assert same(home / "seen/captioner.pt", home / "seen-again/captioner.pt")
    ctx = FakeDevice({"m": folder})
    shapes = [(1, 128, 128, 3), (2, 40, 90, 4), (1, 1, 300, 3)]
    for shape in shapes:
        picture = Image(np.random.default_rng(1).random(shape, dtype=np.float32))
        told = caption_image(ctx, load_language_model(ctx, "m"), picture, max_tokens=4)
        assert len(told) == shape[0]


PLAN = refiner.RefinerPlan(
    layers=(1, -1), width=20, blocks=1, batch=4, captions=12, loop=tiny_runs.LOOP
)


def test_a_refiner_learns_and_resumes_to_the_same_bits(home: Path) -> None:
    tiny.write(home / "flux")
    language = home / "whole/model"
    lines: list[str] = []
    long = refiner.shortened(PLAN, 60)
    refiner.train_refiner(home / "flux", language, home / "long-r", long, lines.append)
    losses = [float(line.split()[3]) for line in lines if "loss" in line]
    assert losses[-1] < 1.2 * 2
    refiner.train_refiner(home / "flux", language, home / "r", PLAN, tiny_runs.quiet)
    part = home / "part"
    refiner.train_refiner(home / "flux", language, part, PLAN, tiny_runs.quiet, stop_at=2)
    found = refiner.train_refiner(home / "flux", language, part, PLAN, tiny_runs.quiet)
    assert found.read_bytes() == (home / "r/refiner.safetensors").read_bytes()


def test_a_language_model_without_such_layers_is_told(home: Path) -> None:
    from backend.diffusion.errors import DiffusionError

    tiny.write(home / "flux2")
    with pytest.raises(DiffusionError, match="There is no layer 9"):
        refiner.train_refiner(
            home / "flux2", home / "whole/model", home / "no", replace(PLAN, layers=(9,))
        )
    with pytest.raises(CatalogError):
        refiner.train_refiner(home / "flux2", home / "flux2", home / "no", PLAN)
