"""A call that is forked is as one in a new process; so the other tests may be quick."""

from __future__ import annotations

import os
import subprocess

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")

SAVE = {
    "picture": {"type": "solid_image", "params": {"width": 8, "height": 8}},
    "keep": {"type": "save_image", "inputs": {"image": "picture.image"}, "params": {"name": "a"}},
}


@pytest.mark.parametrize(
    "arguments",
    [["check", "gone"], ["check", "flow.weft.json"], ["nodes", "--json"], ["run", "--bogus"], []],
    ids=" ".join,
)
def test_it_says_the_same_and_ends_alike(weft, arguments):
    weft.flow(SAVE)
    no_screen = dict.fromkeys(("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"), "")
    assert weft(*arguments, **no_screen) == weft.fresh(*arguments, **no_screen)


def test_it_has_the_folder_and_the_environment_of_the_call(weft):
    assert weft("run", weft.flow(SAVE), WEFT_FOLDERS_OUTPUT="here").status == 0
    assert [path.name for path in (weft.folder / "here").iterdir()] == ["a.png"]
    weft("settings", "set", "logs.keep", "3")
    assert weft("settings", "get", "logs.keep").out == "3\n"
    assert weft("settings", "get", "logs.keep", WEFT_LOGS_KEEP="4").out == "4\n"


def test_what_does_not_end_in_time_is_ended(weft):
    with pytest.raises(subprocess.TimeoutExpired):
        weft.forks(["run", "loop"], weft.folder, weft.environment, 0.01)
    assert weft("--version").status == 0
