"""Sound files: what is written comes back, and what is broken is a sentence."""

from __future__ import annotations

import wave as stdlib_wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.media.caps import SoundCaps
from backend.media.metadata import read_provenance
from backend.media.sounds import read_sound, write_sound
from backend.sdk import Audio, UserError

STORY = {"workflow": "{}", "node": "save"}


def noise(channels: int = 2, samples: int = 501, rate: int = 8000) -> Audio:
    made = np.random.default_rng(0).uniform(-1, 1, (channels, samples))
    return Audio(made.astype(np.float32), rate)


@pytest.mark.parametrize(("depth", "error"), [("16", 2**-16), ("24", 2**-24), ("float", 0)])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("samples", [1, 501])
def test_a_sound_comes_back_within_its_depth(
    depth: Any, error: float, channels: int, samples: int, tmp_path: Path
) -> None:
    audio = noise(channels, samples)
    write_sound(tmp_path / "a.wav", audio, depth, STORY)
    back = read_sound(tmp_path / "a.wav")
    assert (back.rate, back.samples.shape) == (8000, audio.samples.shape)
    assert np.abs(back.samples - audio.samples).max() <= error * 1.01
    assert read_provenance(tmp_path / "a.wav") == STORY


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=9))
def test_whole_numbers_come_back_bit_for_bit(tmp_path_factory: Any, codes: list[int]) -> None:
    path = tmp_path_factory.mktemp("x") / "a.wav"
    audio = Audio(np.array([codes], np.float32) / 2**15, 8000)
    write_sound(path, audio)
    assert np.array_equal(read_sound(path).samples, audio.samples)


def test_other_readers_take_the_file(tmp_path: Path) -> None:
    audio = noise()
    for depth, width in (("16", 2), ("24", 3)):
        write_sound(tmp_path / "a.wav", audio, depth, STORY)
        with stdlib_wave.open(str(tmp_path / "a.wav")) as file:
            assert file.getparams()[:4] == (2, width, 8000, 501)
    write_sound(tmp_path / "a.wav", audio, "float", STORY)
    assert soundfile.info(tmp_path / "a.wav").subtype == "FLOAT"


def test_the_same_sound_gives_the_same_bytes(tmp_path: Path) -> None:
    for depth in ("16", "24", "float"):
        for name in ("a", "b"):
            write_sound(tmp_path / name, noise(), depth, STORY)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_is_too_loud_is_clipped_but_for_float(tmp_path: Path) -> None:
    loud = Audio(np.array([[-2, 2, 0]], np.float32), 8000)
    for depth, top in (("16", 1 - 2**-15), ("24", 1 - 2**-23), ("float", 2)):
        write_sound(tmp_path / "a.wav", loud, depth)
        low, high, zero = read_sound(tmp_path / "a.wav").samples[0]
        assert (low, high, zero) == (-2 if depth == "float" else -1, np.float32(top), 0)


def test_a_long_provenance_stands_beside_the_file(tmp_path: Path) -> None:
    story = {"workflow": "x" * 100_000}
    write_sound(tmp_path / "a.wav", noise(), "16", story)
    assert read_provenance(tmp_path / "a.wav") == story
    (tmp_path / "a.wav.weft.json").unlink()
    assert read_provenance(tmp_path / "a.wav") is None
    assert read_sound(tmp_path / "a.wav").length == 501


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_flac_is_read(subtype: str, tmp_path: Path) -> None:
    audio = noise(1)
    soundfile.write(tmp_path / "a.flac", audio.samples.T, 8000, subtype)
    assert np.abs(read_sound(tmp_path / "a.flac").samples - audio.samples).max() < 2**-14


def broken(tmp_path: Path, name: str) -> Path:
    path = tmp_path / "a.wav"
    write_sound(path, noise(samples=5000), "16")
    whole = path.read_bytes()
    soundfile.write(tmp_path / "b.flac", noise(samples=9000).samples.T, 8000)
    made: dict[str, bytes] = {
        "text": b"no sound at all",
        "empty": b"",
        "picture": b"\x89PNG\r\n\x1a\n" + bytes(40),
        "no samples": whole[:40] + bytes(4),
        "cut flac": (tmp_path / "b.flac").read_bytes()[:3000],
        "spoilt head": whole[:16] + bytes(20) + whole[36:],
        "rate": whole[:24] + bytes(4) + whole[28:],
        "ogg": b"OggS" + bytes(60),
    }
    path.write_bytes(made[name])
    return path


@pytest.mark.parametrize(
    "name", ["text", "empty", "picture", "no samples", "cut flac", "spoilt head", "rate", "ogg"]
)
def test_what_is_no_sound_is_a_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'a\.wav' (is|holds|cannot)") as told:
        read_sound(broken(tmp_path, name))
    assert str(tmp_path) not in str(told.value)


def test_a_wav_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", noise(samples=5000), "16")
    whole = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[:-2000])
    with pytest.raises(UserError, match="cut short"):
        read_sound(tmp_path / "a.wav")


def test_numbers_that_are_none_are_refused_both_ways(tmp_path: Path) -> None:
    bad = Audio(np.array([[0, np.nan]], np.float32), 8000)
    with pytest.raises(UserError, match="NaN"):
        write_sound(tmp_path / "a.wav", bad, "float")
    soundfile.write(tmp_path / "a.wav", bad.samples.T, 8000, "FLOAT")
    with pytest.raises(UserError, match="NaN"):
        read_sound(tmp_path / "a.wav")


def test_what_is_above_the_caps_is_refused_by_its_header(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", noise())
    with pytest.raises(UserError, match="2 channels of 501 samples, above the limit"):
        read_sound(tmp_path / "a.wav", SoundCaps(samples=1000))
    with pytest.raises(UserError, match="above the limit of 1 channels"):
        read_sound(tmp_path / "a.wav", SoundCaps(channels=1))
