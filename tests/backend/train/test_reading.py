"""The T5-style encoder learns to read captions, and tokenizers are the same in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from backend.train import reading, text  # noqa: E402
from backend.train.palette import COLOURS, PLACES, SHAPES, TEXTURES  # noqa: E402
from backend.train.recipe import FlowRecipe  # noqa: E402
from backend.train.world import draw_spec  # noqa: E402

SMALL = FlowRecipe(
    text_width=64, text_layers=2, text_heads=4, pooled_width=32, pooled_layers=1, reading_steps=160
)


def test_lessons_tell_each_nouns_words_their_facts() -> None:
    encoders = text.build(SMALL)
    made = reading.lessons(
        encoders, ["a red circle above a striped blue star on a grey background"], 32
    )
    tokens = encoders.t5_tokenizer.convert_ids_to_tokens(made.ids[0].tolist())
    told = {word: made.targets[0, i].tolist() for i, word in enumerate(tokens)}
    grey = made.targets[0, 0, 4].item()
    assert (
        told["▁circle"]
        == told["▁red"]
        == [
            SHAPES.index("circle"),
            list(COLOURS).index("red"),
            TEXTURES.index("plain"),
            PLACES.index("top"),
            grey,
        ]
    )
    assert (
        told["▁striped"]
        == told["▁star"]
        == [
            SHAPES.index("star"),
            list(COLOURS).index("blue"),
            TEXTURES.index("striped"),
            PLACES.index("bottom"),
            grey,
        ]
    )
    assert told["▁above"][:4] == [-100] * 4
    assert told["<pad>"] == [-100] * 5


def test_the_encoder_learns_which_colour_belongs_to_which_shape() -> None:
    """Word by word guessing stays below 0.8 here; only reading by position gets beyond."""
    torch.manual_seed(0)
    captions = [draw_spec(1, i, "train", 2).caption for i in range(800)]
    encoders = text.build(SMALL)
    right = reading.teach(
        encoders,
        captions,
        replace(SMALL, reading_rate=4e-3),
        0,
        torch.device("cpu"),
        lambda line: None,
    )
    assert right > 0.93


def test_token_numbers_do_not_depend_on_the_process() -> None:
    code = (
        "from backend.train.text import clip_tokenizer, t5_tokenizer as t5; import json; "
        "print(json.dumps([clip_tokenizer(32).get_vocab(), t5(32).get_vocab()], sort_keys=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1234"},
    )
    here = json.dumps(
        [text.clip_tokenizer(32).get_vocab(), text.t5_tokenizer(32).get_vocab()], sort_keys=True
    )
    assert done.stdout.decode().strip().splitlines()[-1] == here
