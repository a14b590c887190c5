"""The sound nodes, called as the plain functions they are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from backend.graph.facts import facts_of
from backend.media.metadata import read_provenance
from backend.media.sounds import read_sound, write_sound
from backend.sdk import Audio, UserError
from nodes.audio import load_audio, save_audio, silence, trim_audio
from tests.nodes.test_files import PROVENANCE, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def ramp(seconds: float = 2.0, rate: int = 1000) -> Audio:
    samples = np.linspace(-1, 1, round(seconds * rate), dtype=np.float32)
    return Audio(np.stack([samples, -samples]), rate)


def test_a_sound_is_saved_with_its_provenance_and_loaded_again(desk: Desk) -> None:
    audio = ramp()
    assert save_audio(desk, audio, depth="float") is audio
    (saved,) = desk.saved
    assert saved.path == "save-0001.wav"
    assert read_provenance(desk.output.root / saved.path) == PROVENANCE
    back = load_audio(desk, "out/save-0001.wav")
    assert np.array_equal(back.samples, audio.samples)
    assert back.rate == audio.rate


def test_a_taken_name_follows_the_rule(desk: Desk) -> None:
    for rule in ("number", "replace"):
        save_audio(desk, ramp(), name="x", overwrite=rule)
    save_audio(desk, ramp(1.0), name="x")
    assert [saved.path for saved in desk.saved] == ["x.wav", "x.wav", "x-2.wav"]
    with pytest.raises(UserError, match="already in the output folder"):
        save_audio(desk, ramp(), name="x", overwrite="refuse")
    assert read_sound(desk.output.root / "x-2.wav").seconds == 1.0


def test_a_sound_that_cannot_be_written_leaves_nothing(desk: Desk) -> None:
    with pytest.raises(UserError, match="NaN"):
        save_audio(desk, Audio(np.full((1, 9), np.nan, np.float32), 8))
    assert not desk.output.root.exists()


def test_load_needs_a_grant_and_a_sound(desk: Desk) -> None:
    with pytest.raises(UserError, match="outside"):
        load_audio(desk, "../secret.wav")
    (desk.grants.base / "a.wav").write_text("no sound")
    with pytest.raises(UserError, match="It reads WAV, FLAC, Ogg and MP3"):
        load_audio(desk, "a.wav")
    write_sound(desk.grants.base / "a.wav", ramp())
    assert load_audio(desk, "a.wav").seconds == 2.0


def test_silence_is_silent_and_as_long_as_asked(desk: Desk) -> None:
    made = silence(desk, 0.5, 8000, 1)
    assert made.samples.shape == (1, 4000)
    assert not made.samples.any()
    assert silence(desk, 0.001, 10, 1).length == 1


@pytest.mark.parametrize(
    ("start", "length", "first", "last"),
    [(0, 0, 0, 2000), (0.5, 1.0, 500, 1500), (1.5, 9, 1500, 2000), (0, 0.0001, 0, 1)],
)
def test_trim_cuts_out_a_piece(
    start: float, length: float, first: int, last: int, desk: Desk
) -> None:
    audio = ramp()
    made = trim_audio(desk, audio, start, length)
    assert np.array_equal(made.samples, audio.samples[:, first:last])
    p = SimpleNamespace(start=start, length=length)
    known = facts_of("Audio", channels=2, samples=2000, rate=1000)
    assert trim_audio.hooks["facts"](p, audio=known) == known.but(samples=last - first)


def test_nothing_is_left_behind_the_end(desk: Desk) -> None:
    said = "The sound is 2 seconds long, so nothing is left from 2 on"
    with pytest.raises(UserError, match=said):
        trim_audio(desk, ramp(), 2.0)
    p = SimpleNamespace(start=2.0, length=0.0)
    known = facts_of("Audio", samples=2000, rate=1000)
    with pytest.raises(UserError, match=said):
        trim_audio.hooks["facts"](p, audio=known)
    assert trim_audio.hooks["facts"](p, audio=None) == facts_of("Audio")


def test_facts_of_what_is_made() -> None:
    p = SimpleNamespace(seconds=0.5, rate=8000, channels=1)
    assert silence.hooks["facts"](p) == facts_of("Audio", channels=1, samples=4000, rate=8000)
    known = facts_of("Audio", rate=8)
    assert save_audio.hooks["facts"](p, audio=known) == known
