"""``weft`` and ``weft studio``: where there is no window to open, a sentence."""

from __future__ import annotations

import sys

import pytest

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a screen")
@pytest.mark.parametrize("arguments", [[], ["studio"]])
def test_without_a_screen_it_says_so(weft, arguments):
    done = weft(*arguments, **dict.fromkeys(SCREENS, ""))
    assert done.status == 1
    assert "There is no screen here." in done.err
    assert "weft run" in done.err
    assert "Traceback" not in done.err


def test_a_file_that_is_not_there_is_named(weft, tmp_path):
    done = weft("studio", str(tmp_path / "gone.weft.json"))
    assert done.status == 2
    assert "There is no file" in done.err
    assert "gone.weft.json" in done.err
