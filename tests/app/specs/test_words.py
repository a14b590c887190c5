"""Facts are told in a few words."""

from __future__ import annotations

import pytest

from app.specs.facts_words import bytes_words, facts_rows, facts_words, link_words
from backend.graph.facts import Facts, facts_of
from backend.graph.types import TYPES

SAID = [
    (facts_of("Image", width=512, height=384), "512 x 384"),
    (facts_of("Image", width=512, height=384, channels=3, count=1), "512 x 384"),
    (facts_of("Image", width=512, height=384, channels=4, count=3), "3 of 512 x 384 · RGBA"),
    (facts_of("Image", width=512), "512 x ?"),
    (facts_of("Image", channels=1), "grey"),
    (facts_of("Mask", width=64, height=64), "64 x 64"),
    (facts_of("Latent", width=64, height=48, channels=16, count=1), "64 x 48 · 16 ch"),
    (facts_of("Latent", width=64, channels=16, frames=21), "64 x ? · 16 ch · 21 frames"),
    (facts_of("Video", width=832, height=480, rate=16), "832 x 480 · 16 fps"),
    (facts_of("Video", frames=81), "81 frames"),
    (facts_of("Audio", samples=88200, rate=44100), "2 s · 44.1 kHz"),
    (facts_of("Layout", count=3), "3 boxes"),
    (facts_of("Layout", count=1, width=512, height=384), "1 box · 512 x 384"),
    (facts_of("Table", rows=4, columns=2), "4 x 2"),
    (facts_of("Model", family="flux", bytes=23_800_000_000), "flux · 23.8 GB"),
    (facts_of("Conditioning", count=1, tokens=77), "77 tokens"),
    (facts_of("Schedule", kind="karras", steps=20), "Karras · 20 steps"),
    (facts_of("Integer", value=42), "42"),
    (facts_of("Boolean", value=False), "No"),
    (facts_of("Number", value=0.1 + 0.2), "0.3"),
    (facts_of("Text", value="a red\ncircle"), "a red circle"),
    (facts_of("Text", value="x" * 50), "x" * 23 + "…"),
    (facts_of("Image", width=64, height=48).listed(5), "5 items · 64 x 48"),
    (facts_of("Integer").listed(1), "1 item"),
    (Facts("Image").listed(), "list"),
    (Facts("*T"), ""),
    (facts_of("Solver"), ""),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "words"), SAID, ids=[words or "none" for _, words in SAID])
def test_a_few_words(facts, words):
    assert facts_words(facts) == words


@pytest.mark.parametrize("name", TYPES)
def test_every_type_has_words_for_whatever_is_known(name):
    known = dict.fromkeys(TYPES[name].facts, 2)
    assert isinstance(facts_words(Facts(name, known)), str)
    assert facts_words(Facts(name)) == ""
    labels = [row for row, _ in facts_rows(Facts(name, known))]
    assert labels[0] == "Type"
    assert "Identity" not in labels


def test_a_link_names_its_type():
    assert link_words(facts_of("Image", width=512, height=384)) == "Image 512 x 384"
    assert link_words(Facts("VAE")) == "VAE"
    assert link_words(Facts("*T")) == "Anything"


def test_sizes_in_words():
    said = [bytes_words(n) for n in (999, 640_000, 1_384_320, 23_802_932_552)]
    assert said == ["999 B", "640 kB", "1.38 MB", "23.8 GB"]
