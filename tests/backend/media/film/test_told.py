"""What the decoding worker says is looked at before it is believed."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.media.film.told import believed
from backend.sdk import UserError

PICTURE = {
    "track": 0, "frames": 48, "height": 90, "width": 160, "channels": 3, "depth": "8",
    "rate": 24.0, "begin": 0.0, "steady": True, "turn": 0, "repair": False,
}  # fmt: skip
SOUND = {
    "track": 1, "channels": 2, "length": 96_000, "begin": 0.0, "rate": 48_000, "repair": False
}  # fmt: skip


def answer(picture: Any = PICTURE, sound: Any = SOUND, notes: Any = ()) -> dict[str, Any]:
    return {"picture": picture, "sound": sound, "notes": list(notes)}


def test_a_sound_answer_is_taken_as_it_is():
    told = believed(answer(notes=["is cut short"]), "a.mp4")
    assert (told.picture.width, told.sound.length, told.notes) == (160, 96_000, ["is cut short"])
    assert believed(answer(sound=None), "a.mp4").sound is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 2**40}, {"width": 0}, {"width": 2**18, "height": 2**18}, {"frames": -1},
        {"rate": math.nan}, {"rate": 0.0}, {"rate": "24"}, {"begin": math.inf}, {"turn": 7},
        {"channels": 10**9}, {"depth": "64"}, {"track": -1}, {"surprise": 1},
    ],
)  # fmt: skip
def test_pictures_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UserError, match=r"'a\.mp4' is not read: what its decoder says"):
        believed(answer({**PICTURE, **wrong}), "a.mp4")


@pytest.mark.parametrize(
    "wrong",
    [{"rate": 0}, {"length": -1}, {"channels": 65}, {"begin": math.nan}, {"length": 2**60}],
)
def test_sounds_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UserError, match="makes no sense"):
        believed(answer(sound={**SOUND, **wrong}), "a.mp4")


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
))  # fmt: skip
def test_nothing_else_is_believed(said):
    with pytest.raises(UserError):
        believed(said, "a.mp4")
