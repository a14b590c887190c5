"""The shipped tokenizers give the ids that their models were trained with."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import backend

os.environ.setdefault("HF_HUB_OFFLINE", "1")

HOME = Path(backend.__file__).resolve().parent.parent / "resources" / "tokenizers"

PUBLISHED = [
    ("clip-l", "a photo of a cat", [49406, 320, 1125, 539, 320, 2368, 49407]),
    ("clip-g", "a photo of a cat", [49406, 320, 1125, 539, 320, 2368, 49407]),
    (
        "t5",
        "translate English to German: The house is wonderful.",
        [13959, 1566, 12, 2968, 10, 37, 629, 19, 1627, 5, 1],
    ),
    ("t5", "Das Haus ist wunderbar.", [644, 4598, 229, 19250, 5, 1]),
    (
        "t5",
        "Studies have been shown that owning a dog is good for you",
        [6536, 43, 118, 2008, 24, 293, 53, 3, 9, 1782, 19, 207, 21, 25, 1],
    ),
    ("umt5", "Bonjour monsieur", [38530, 210703, 1]),
    ("umt5", "No se como puedo", [826, 321, 671, 25922, 1]),
    ("umt5", "This is the reason why we", [1460, 339, 312, 19014, 10620, 758, 1]),
    ("qwen", "Hello, world!", [9707, 11, 1879, 0]),
    (
        "qwen",
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n",
        [151644, 8948, 198, 2610, 525, 264, 10950, 17847, 13, 151645, 198],
    ),
    ("qwen", "<|vision_start|><|image_pad|><|vision_end|>", [151652, 151655, 151653]),
]
"""From the documentation and tests of the models' authors and of transformers."""

SIZES = {"clip-l": 49_408, "clip-g": 49_408, "t5": 32_100, "umt5": 256_300, "qwen": 151_669}


@cache
def tokenizer(name: str) -> Any:
    import transformers

    settings = json.loads((HOME / name / "tokenizer_config.json").read_bytes())
    kind = getattr(transformers, settings["tokenizer_class"])
    return kind.from_pretrained(str(HOME / name), local_files_only=True)


@pytest.mark.parametrize(("name", "text", "ids"), PUBLISHED)
def test_a_known_sentence_gives_its_published_ids(name, text, ids):
    assert tokenizer(name)(text).input_ids == ids


@pytest.mark.parametrize("name", SIZES)
def test_the_vocabulary_is_complete(name):
    assert len(tokenizer(name)) == SIZES[name]
    assert tokenizer(name).decode(tokenizer(name)("two green cubes").input_ids).count("cubes")


@pytest.mark.parametrize(("name", "letters"), [("clip-l", 512), ("clip-g", 512), ("qwen", 256)])
def test_every_token_longer_than_a_letter_comes_from_one_merge(name, letters):
    model = json.loads((HOME / name / "tokenizer.json").read_bytes())["model"]
    merged = ["".join(merge.split(" ")) for merge in model["merges"]]
    ordered = sorted(model["vocab"], key=model["vocab"].__getitem__)
    assert merged == ordered[letters : letters + len(merged)]
    assert set(ordered[letters + len(merged) :]) <= {"<|startoftext|>", "<|endoftext|>"}


def test_every_folder_is_known_here():
    assert {path.name for path in HOME.iterdir() if path.is_dir()} == set(SIZES)


def test_the_two_clip_encoders_are_padded_differently():
    padded = {
        name: tokenizer(name)("a", padding="max_length").input_ids for name in ("clip-l", "clip-g")
    }
    assert padded["clip-l"] == [49406, 320, *[49407] * 75]
    assert padded["clip-g"] == [49406, 320, 49407, *[0] * 74]


def test_t5_marks_what_it_does_not_know_and_reads_full_width_letters():
    assert tokenizer("t5")("你").input_ids == [3, 2, 1]
    wide = "".join(chr(ord(letter) - ord("a") + 0xFF41) for letter in "full")
    assert tokenizer("t5")(wide).input_ids == tokenizer("t5")("full").input_ids


def test_qwen_image_cuts_its_template_off_after_34_tokens():
    template = (
        "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, "
        "quantity, text, spatial relationships of the objects and background:<|im_end|>\n"
        "<|im_start|>user\n"
    )
    assert len(tokenizer("qwen")(template).input_ids) == 34


@pytest.mark.parametrize(("thinks", "end"), [(True, ""), (False, "<think>\n\n</think>\n\n")])
def test_qwen_puts_a_prompt_into_a_turn_of_a_conversation(thinks, end):
    said = tokenizer("qwen").apply_chat_template(
        [{"role": "user", "content": "a red cube"}],
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=thinks,
    )
    start = "<|im_start|>user\na red cube<|im_end|>\n<|im_start|>assistant\n"
    assert said == start + end


def test_the_tokenizers_stay_small():
    assert sum(path.stat().st_size for path in HOME.rglob("*") if path.is_file()) < 16 * 10**6
