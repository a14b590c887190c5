"""The one rule for packing and digests: nothing is lost, and nothing different looks the same."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from backend.values import (
    VAE,
    Audio,
    Box,
    Color,
    Conditioning,
    ControlNet,
    Cropped,
    Expert,
    FrameFile,
    Guider,
    Image,
    Joined,
    LanguageModel,
    Latent,
    Layer,
    Layers,
    Layout,
    Mask,
    MediaFile,
    Model,
    Noise,
    Packed,
    Part,
    Patch,
    Phase,
    PictureTrack,
    Resized,
    Retimed,
    Schedule,
    Solver,
    SoundTrack,
    Term,
    TextEncoder,
    Upscaler,
    Video,
    digest,
    digest_parts,
    nbytes,
    pack,
    unpack,
)
from backend.values.wire import KINDS

ROOT = Path(__file__).parents[3]
word = st.text(max_size=6)
number = st.floats(allow_nan=False)
scalar = st.none() | st.booleans() | st.integers() | number | word
settings_of = st.dictionaries(word, scalar | st.lists(scalar, max_size=3), max_size=3)


def array(ndim):
    shapes = arrays.array_shapes(min_dims=ndim, max_dims=ndim, max_side=3)
    return arrays.arrays(np.float32, shapes, elements=st.floats(width=32))


def pictures():
    shapes = st.tuples(*[st.integers(1, 3)] * 3, st.sampled_from([1, 3, 4]))
    pixels = shapes.flatmap(
        lambda s: arrays.arrays(np.float32, s, elements=st.floats(0, 1, width=32))
    )
    return st.builds(Image, pixels, st.sampled_from(["srgb", "linear"]))


patches = st.builds(Patch, word, number, settings_of)
weights = {"family": word, "part": word, "identity": word, "source": word}
stack = st.lists(patches, max_size=2).map(tuple)
files = st.builds(
    FrameFile, word, *[st.integers(1, 9)] * 4, st.sampled_from(["8", "16", "float"]), word
)
rates = st.floats(0.1, 240)
videos = st.builds(Video, files, rates, st.sampled_from(["srgb", "linear"]))
single = st.builds(Model, **weights, patches=stack)
experts = st.lists(st.builds(Expert, single, number), max_size=2).map(tuple)
models = st.builds(Model, **weights, patches=stack, experts=experts)
said = st.dictionaries(word, array(2), max_size=2)


@st.composite
def conditionings_of(draw):
    """Conditionings of one space, one after another."""
    space = draw(word)
    begins = draw(st.sets(st.floats(0.01, 0.99), max_size=2))
    later = [Phase(at, Conditioning(space, draw(said), draw(settings_of))) for at in sorted(begins)]
    return Conditioning(space, draw(said), draw(settings_of), tuple(later))


layers = st.builds(
    Layer,
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.just(4)).flatmap(
        lambda s: arrays.arrays(np.float32, s, elements=st.floats(0, 1, width=32))
    ),
    word, st.sampled_from(["normal", "add"]), st.floats(0, 1), st.integers(-9, 9),
    st.integers(-9, 9), st.booleans(),
)  # fmt: skip
stacks = st.builds(
    Layers, st.integers(1, 9), st.integers(1, 9), st.lists(layers, min_size=1, max_size=2)
)
conditionings = conditionings_of()
terms = st.builds(Term, word, conditionings, number)
values = (
    pictures()
    | st.builds(Mask, array(3))
    | st.builds(Color, *[st.floats(0, 1)] * 4)
    | stacks
    | st.builds(Audio, array(2), st.integers(1, 96_000))
    | videos
    | models
    | st.builds(VAE, **weights, patches=stack, space=word)
    | st.builds(TextEncoder, **weights, patches=stack, space=word)
    | conditionings
    | st.builds(Latent, array(4) | array(5), word, st.none() | array(3), number)
    | st.builds(Solver, word, settings_of)
    | st.builds(Schedule, word, settings_of, st.integers(1, 9), number, st.lists(number).map(tuple))
    | st.builds(Noise, word, settings_of, st.integers(0, 2**63 - 1))
    | st.builds(
        Guider, word, settings_of, st.none() | models, st.lists(terms, max_size=2).map(tuple)
    )
)
data = values | scalar | st.lists(values | scalar, max_size=3)


@given(data)
def test_what_is_unpacked_has_the_digest_of_what_was_packed(value):
    packed = pack(value)
    again = unpack(Packed(json.dumps(json.loads(packed.header)), packed.arrays))
    assert type(again) is type(value)
    assert digest(again) == digest(value)
    assert pack(again).header == packed.header


@given(data, data)
def test_values_have_one_digest_exactly_if_they_pack_alike(one, two):
    def without_source(packed):
        text = json.dumps(_drop_sources(json.loads(packed.header)), sort_keys=True)
        return text, [(a.shape, a.tobytes()) for a in packed.arrays]

    alike = without_source(pack(one)) == without_source(pack(two))
    assert (digest(one) == digest(two)) == alike


def _drop_sources(header):
    if isinstance(header, list):
        return [_drop_sources(item) for item in header]
    if not isinstance(header, dict):
        return header
    if header.get("v") in ("Model", "VAE", "TextEncoder"):
        header = {**header, "is": {k: v for k, v in header["is"].items() if k != "source"}}
    if header.get("v") == "FrameFile":
        header = {**header, "is": {k: v for k, v in header["is"].items() if k != "path"}}
    return {key: _drop_sources(item) for key, item in header.items()}


PIXELS = np.linspace(0, 1, 24, dtype=np.float32).reshape(1, 2, 4, 3)
MODEL = Model("flux", "transformer", "blake3:1", "/models/a")
TEXT = Conditioning("clip", {"a": np.ones((1, 2), np.float32)}, {"size": (64, 64)})
LATENT = Latent(np.zeros((1, 4, 2, 2), np.float32), "flux")
FRAMES = FrameFile("blake3:1", 2, 4, 5, 3, "8", "/cache/a")
FILE = MediaFile("blake3:1", "/home/me/clip.mp4", 1000, 5)
TRACK = PictureTrack(FILE, 0, 9, 4, 5, 3, "8", 24.0, 0.0, True)
CLIP = Video(TRACK, 24)
SIZED = Resized(3, 2, (3, 2), (0.0, 0.0, 5.0, 4.0), "area")
MEDIA = [
    FILE,
    TRACK,
    CLIP,
    replace(TRACK, begin=0.5),
    replace(TRACK, repair=True),
    *(CLIP.then(step) for step in (SIZED, Cropped(0, 0, 3, 2), Part(1, 2), Retimed(0.5, 18))),
    SIZED,
    Cropped(0, 0, 3, 2),
    Part(1, 2),
    Retimed(0.5, 18),
    Joined((CLIP, CLIP)),
    Video(Joined((CLIP, CLIP)), 24),
    SoundTrack(FILE, 1, 2, 48_000, 0.0),
    Audio(SoundTrack(FILE, 1, 2, 48_000, 0.0), 48_000),
]
"""Videos and sounds that lie in files of the user."""

UNLIKE = [
    Image(PIXELS),
    Image(PIXELS, "linear"),
    Image(PIXELS.reshape(1, 4, 2, 3)),
    Image(np.nextafter(PIXELS, 2)),
    Mask(PIXELS[..., 0]),
    Box(0.1, 0.2, 0.3, 0.4),
    Box(0.1, 0.2, 0.3, 0.4, "a cat"),
    Layout((Box(0.1, 0.2, 0.3, 0.4),), 64, 48),
    Layout((Box(0.1, 0.2, 0.3, 0.4),), 48, 64),
    MODEL,
    replace(MODEL, identity="blake3:2"),
    replace(MODEL, family="sdxl"),
    MODEL.with_(Patch("lora", 0.5)),
    replace(MODEL, experts=(Expert(MODEL, 0.5),)),
    replace(MODEL, experts=(Expert(MODEL, 0.25),)),
    MODEL.with_(Patch("lora", 0.5)).with_(Patch("lora", 0.5)),
    MODEL.with_(Patch("lora", 0.5, {"rank": 4})),
    VAE("flux", "vae", "blake3:1", "/models/a", space="flux"),
    TextEncoder("flux", "vae", "blake3:1", "/models/a", space="flux"),
    LanguageModel("flux", "vae", "blake3:1", "/models/a"),
    ControlNet("flux", "vae", "blake3:1", "/models/a"),
    Upscaler("flux", "vae", "blake3:1", "/models/a"),
    TEXT,
    replace(TEXT, space="t5"),
    replace(TEXT, later=(Phase(0.5, TEXT),)),
    replace(TEXT, later=(Phase(0.25, TEXT),)),
    replace(TEXT, later=(Phase(0.25, TEXT), Phase(0.5, TEXT))),
    Phase(0.5, TEXT),
    replace(TEXT, params={"size": (64, 65)}),
    replace(TEXT, tensors={"b": np.ones((1, 2), np.float32)}),
    LATENT,
    LATENT.but(sigma=1.0),
    LATENT.but(mask=np.zeros((1, 2, 2), np.float32)),
    Solver("euler"),
    Noise("euler"),
    Noise("euler", seed=1),
    Schedule("euler"),
    Schedule("euler", steps=4),
    Guider("cfg", {}, MODEL, (Term("positive", TEXT),)),
    Guider("cfg", {}, MODEL, (Term("negative", TEXT),)),
    Guider("cfg", {}, MODEL, (Term("positive", TEXT, 2.0),)),
    Color(0, 0, 0),
    Layer(np.ones((2, 3, 4))),
    Layer(np.ones((2, 3, 4)), x=1),
    Layers(4, 4, (Layer(np.ones((2, 3, 4))),)),
    Layers(4, 4, (Layer(np.ones((2, 3, 4)), "low"), Layer(np.ones((2, 3, 4)), "high"))),
    FRAMES,
    replace(FRAMES, content="blake3:2"),
    replace(FRAMES, depth="16"),
    Video(FRAMES, 24),
    Video(FRAMES, 25),
    Video(FRAMES, 24, "linear"),
    *MEDIA,
    Audio(np.ones((1, 2)), 8),
    Audio(np.ones((2, 1)), 8),
    Audio(np.ones((1, 2)), 9),
    "1",
    1,
    1.0,
    True,
    None,
    0.0,
    -0.0,
    math.inf,
    2**53,
    2**53 + 1,
    float(2**53),
    [],
    [1],
    [[1]],
    ["1"],
    "",
]


def test_whatever_differs_has_another_digest():
    assert len({digest(value) for value in UNLIKE}) == len(UNLIKE)


def test_where_weights_lie_is_no_part_of_the_digest_but_travels():
    moved = replace(MODEL, source="/elsewhere")
    assert digest(moved) == digest(MODEL)
    assert unpack(pack(moved)).source == "/elsewhere"


def test_where_frames_lie_is_no_part_of_the_digest_but_travels():
    video, moved = Video(FRAMES, 24), Video(replace(FRAMES, path="/elsewhere"), 24)
    assert digest(moved) == digest(video)
    assert unpack(pack(moved)) == moved
    assert nbytes(video) >= FRAMES.nbytes == 2 * 4 * 5 * 3


def test_where_a_media_file_lies_is_no_part_of_the_digest_but_travels():
    moved = Video(replace(TRACK, media=MediaFile("blake3:1", "/elsewhere.mp4", 1000, 9)), 24)
    assert digest(moved) == digest(CLIP)
    assert unpack(pack([moved])) == [moved]
    for value in MEDIA:
        assert pack(unpack(pack(value))).header == pack(value).header


def test_names_in_another_order_are_the_same_value():
    one = Solver("x", {"a": 1, "b": 2})
    assert digest(one) == digest(Solver("x", {"b": 2, "a": 1}))


def test_a_digest_is_the_same_in_another_process():
    code = (
        "import numpy as np; from backend.values import *; "
        "print(digest(Image(np.full((1, 2, 3, 4), 0.5, np.float32))))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == digest(Image(np.full((1, 2, 3, 4), 0.5)))


def test_every_kind_of_value_is_tried_above():
    assert {type(value) for value in UNLIKE} | {Expert, Patch, Term} >= set(KINDS.values())


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j])
def test_what_cannot_travel_is_refused(value):
    with pytest.raises(TypeError, match="cannot travel"):
        pack(value)


@pytest.mark.parametrize("header", ["", "{", '{"x": 1}', '{"v": "Nix", "is": {}}', '{"a": 3}'])
def test_a_broken_header_is_refused(header):
    with pytest.raises(ValueError, match="packed value"):
        unpack(Packed(header, ()))


def test_sizes_count_the_arrays():
    assert nbytes(Image(PIXELS)) >= PIXELS.nbytes
    assert nbytes([Image(PIXELS)] * 3) >= 3 * PIXELS.nbytes
    assert nbytes("x" * 1000) >= 1000
    assert nbytes(5) < 100
    assert pack(Image(PIXELS)).nbytes >= PIXELS.nbytes


@given(st.lists(st.text(max_size=3), max_size=3), st.lists(st.text(max_size=3), max_size=3))
def test_parts_cannot_run_together(one, two):
    assert (digest_parts(one) == digest_parts(two)) == (one == two)


@pytest.mark.parametrize(
    "header",
    [
        '{"v": "Mask", "is": 1}',
        '{"v": "Nothing", "is": {}}',
        "[" * 50_000,
        '{"a": 3}',
        "{",
        '{"z": 1}',
    ],
)
def test_a_header_that_pack_did_not_write_is_a_value_error(header):
    with pytest.raises(ValueError, match="packed value"):
        unpack(Packed(header, ()))
