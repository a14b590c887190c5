"""What a language model writes equals what transformers writes, and the same seed says the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from backend.catalog.folder import read_folder
from backend.diffusion.errors import DiffusionError
from backend.models.language import write as writing
from backend.models.language.choose import Choice, choose_token
from backend.models.language.reference import reference
from backend.models.language.write import Task, write_captions, write_text
from backend.sdk import Cancelled, Image
from tests.backend.models.language import tiny_language
from tests.nodes.fake_device import FakeDevice

ROOT = Path(__file__).parents[4]
GREEDY, BOLD = Choice(temperature=0.0), Choice(temperature=1.0, top_p=1.0, top_k=0)


def write(folder: Path, prompt: str = "a red circle", **more) -> str:
    return write_text(FakeDevice({}), reference(read_folder(folder)), Task(prompt, **more))


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt_neox", "gpt2", "mamba"])
def test_without_temperature_it_writes_what_transformers_does(folder_of, kind):
    folder = folder_of(kind)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "a red"}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt")
    said = model.generate(**ids, max_new_tokens=40, do_sample=False)
    expected = tokenizer.decode(said[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
    found = write(folder, "a red", system="be kind", max_tokens=40, choice=GREEDY)
    assert found == expected.strip()
    assert found != write(folder, "a rad", system="be kind", max_tokens=40, choice=GREEDY)


def test_without_a_template_it_goes_on_from_the_text(tmp_path):
    folder = tiny_language.write(tmp_path, template=None)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer("be kind\n\na red", return_tensors="pt")
    said = model.generate(
        input_ids=ids["input_ids"], attention_mask=ids["attention_mask"], max_new_tokens=20,
        do_sample=False,
    )  # fmt: skip
    expected = tokenizer.decode(said[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
    assert (
        write(folder, "a red", system="be kind", max_tokens=20, choice=GREEDY) == expected.strip()
    )


@pytest.mark.parametrize("kind", ["llava", "qwen2_vl", "idefics3"])
def test_a_caption_is_what_transformers_writes_about_the_picture(folder_of, kind):
    folder = folder_of(kind)
    ctx, model = FakeDevice({}), reference(read_folder(folder))
    pixels = np.random.default_rng(0).random((2, 20, 28, 3), dtype=np.float32)
    task = Task("what is it?", max_tokens=16, choice=GREEDY)
    found = write_captions(ctx, model, Image(pixels), task)
    assert len(found) == 2
    assert found[0] != found[1]  # it looked

    images = transformers.AutoImageProcessor.from_pretrained(folder)
    seen = images(np.rint(pixels[1] * 255).astype(np.uint8), return_tensors="pt")
    marks, more = {
        "llava": ("<image>" * 4, {"pixel_values": seen["pixel_values"]}),
        "qwen2_vl": ("<|vision_start|>{}<|vision_end|>", dict(seen)),
        "idefics3": ("<fake_token_around_image><global-img><image><fake_token_around_image>",
                     dict(seen)),
    }[kind]  # fmt: skip
    if kind == "qwen2_vl":
        marks = marks.format("<|image_pad|>" * int(seen["image_grid_thw"].prod() // 4))
    tokenizer = tiny_language.tokenizer()
    text = f"<s>user: {marks}what is it?assistant:"
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    if kind == "qwen2_vl":
        more["mm_token_type_ids"] = (ids == tiny_language.special("<|image_pad|>")).int()
    network = transformers.AutoModelForImageTextToText.from_pretrained(folder)
    said = network.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False,
        **more,
    )  # fmt: skip
    expected = tokenizer.decode(said[0, ids.shape[1] :], skip_special_tokens=True)
    assert found[1] == expected.strip()


def test_a_model_that_sees_answers_without_a_picture_too(folder_of):
    assert write(folder_of("llava"), max_tokens=8, choice=GREEDY)


def test_transparency_lies_on_white_and_light_is_made_srgb():
    from backend.models.language.pictures import pictures_of

    pixels = np.zeros((1, 1, 2, 4), np.float32)
    pixels[0, 0, 1] = (0.5, 0.5, 0.5, 1)
    (seen,) = pictures_of(Image(pixels, "linear"))
    assert np.asarray(seen).tolist() == [[[255] * 3, [188] * 3]]  # 188: sRGB of half the light
    grey = Image(np.full((1, 1, 1, 1), 1, np.float32))
    assert np.asarray(pictures_of(grey)[0]).tolist() == [[[255] * 3]]


def test_the_same_seed_writes_the_same_in_any_process(folder_of):
    folder = folder_of("llama")
    found = write(folder, max_tokens=24, choice=BOLD, seed=11)
    assert found == write(folder, max_tokens=24, choice=BOLD, seed=11)
    assert found != write(folder, max_tokens=24, choice=BOLD, seed=12)
    code = (
        "from pathlib import Path\n"
        "from tests.backend.models.language.test_write import BOLD, write\n"
        f"text = write(Path({str(folder)!r}), max_tokens=24, choice=BOLD, seed=11)\n"
        "print('said', text.encode().hex())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == f"said {found.encode().hex()}"


def test_cancel_stops_before_the_next_token(folder_of):
    ctx, model = FakeDevice({}, cancel_at=4), reference(read_folder(folder_of("llama")))
    with pytest.raises(Cancelled):
        write_text(ctx, model, Task("a", max_tokens=200, choice=GREEDY))
    assert [done for done, _ in ctx.done] == [0, 1 / 200, 2 / 200]


def test_cancel_stops_before_the_next_picture_is_looked_at(folder_of, monkeypatch):
    monkeypatch.setattr(writing, "picture_inputs", lambda *given: pytest.fail("it was looked at"))
    ctx, model = FakeDevice({}, cancel_at=1), reference(read_folder(folder_of("llava")))
    with pytest.raises(Cancelled):
        write_captions(ctx, model, Image(np.zeros((1, 8, 8, 3), np.float32)), Task("a"))


def test_progress_ends_at_the_end(folder_of):
    ctx, model = FakeDevice({}), reference(read_folder(folder_of("llama")))
    write_text(ctx, model, Task("a", max_tokens=5, choice=GREEDY))
    assert ctx.done[0] == (0, 1)
    assert ctx.done[-1] == (1, 1)


def test_a_prompt_and_an_answer_too_long_are_told(folder_of):
    folder = folder_of("llama")  # reads 512 tokens
    with pytest.raises(DiffusionError, match="at most 512, the answer included"):
        write(folder, "x" * 600)
    with pytest.raises(DiffusionError, match=r"answer can have at most \d+, not 400"):
        write(folder, "x" * 200, max_tokens=400)


def test_the_end_token_of_the_tokenizer_ends_a_text(tmp_path):
    """Chat models often end by a token that only the tokenizer's settings name."""
    folder = tiny_language.write(tmp_path, template=None)
    whole = write(folder, max_tokens=30, choice=GREEDY)
    words = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.tensor([words("a red circle")["input_ids"]])
    said = model.generate(input_ids=ids, max_new_tokens=30, do_sample=False)
    words.eos_token = words.convert_ids_to_tokens(int(said[0, ids.shape[1] + 4]))
    words.save_pretrained(folder)
    assert len(write(folder, max_tokens=30, choice=GREEDY)) <= 4 < len(whole)


def test_the_settings_of_the_folder_do_not_choose_tokens(tmp_path):
    folder = tiny_language.write(tmp_path)
    plain = write(folder, max_tokens=12, choice=GREEDY)
    transformers.GenerationConfig(
        do_sample=True, temperature=9.0, repetition_penalty=5.0, num_beams=4, max_length=3,
        suppress_tokens=list(range(50)), eos_token_id=tiny_language.special("</s>"),
    ).save_pretrained(folder)  # fmt: skip
    assert write(folder, max_tokens=12, choice=GREEDY) == plain


class TestChoosing:
    scores = torch.tensor([0.0, 3.0, 2.0, 1.0, -torch.inf])

    def draws(self, **settings) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        choice = Choice(**{"temperature": 1.0, "top_p": 1.0, "top_k": 0, **settings})
        drawn = [choose_token(self.scores, choice, generator) for _ in range(4000)]
        return torch.bincount(torch.tensor(drawn), minlength=5) / 4000

    def test_tokens_come_as_often_as_they_are_likely(self):
        for temperature in (0.5, 1.0, 2.0):
            expected = torch.softmax(self.scores / temperature, 0)
            assert torch.allclose(self.draws(temperature=temperature), expected, atol=0.03)

    def test_top_k_keeps_the_likeliest(self):
        expected = torch.softmax(torch.tensor([3.0, 2.0]), 0)
        assert torch.allclose(self.draws(top_k=2)[1:3], expected, atol=0.03)
        assert self.draws(top_k=2)[[0, 3, 4]].sum() == 0

    def test_top_p_keeps_the_fewest_that_reach_it(self):
        # 0.644, 0.237, 0.087, 0.032: 0.8 takes two, 0.5 one.
        assert (self.draws(top_p=0.8) > 0).tolist() == [False, True, True, False, False]
        assert (self.draws(top_p=0.5) > 0).tolist() == [False, True, False, False, False]

    def test_without_temperature_the_likeliest(self):
        assert self.draws(temperature=0.0)[1] == 1
