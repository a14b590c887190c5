"""``weft doctor --bundle``: what a bug report needs, and nothing else unless it is asked for."""

from __future__ import annotations

import json
import zipfile

import pytest

from backend.cli.errors import DONE, USAGE
from backend.logs import Log

SECRET = "a violet dragon with my face"
HOME = "home-of-annabel"


@pytest.fixture
def troubled(weft):
    """A user with settings, a queue's worth of mishaps, and a log of them."""
    home = weft.folder / HOME
    home.mkdir()
    weft.environment |= {"HOME": str(home), "WEFT_FOLDERS_LOGS": str(home / "logs")}
    weft.write(
        "config/weft/settings.toml", f'[folders]\ncache = "{home}/cache"\n[annabel]\nx = 1\n'
    )
    nodes = {
        "words": {"type": "text", "params": {"value": SECRET}},
        "save": {"type": "save_text", "inputs": {"text": "words.text"}, "params": {"name": "t"}},
    }
    assert weft("run", weft.flow(nodes, f"{HOME}/flow.weft.json")).status == DONE
    import traceback

    try:
        raise ValueError(f"no {SECRET} in {home}")
    except ValueError as error:
        trace = "".join(traceback.format_exception(error))
    text = f"weft run {home}/flow.weft.json --set words.value={SECRET}\n{trace}words\n{SECRET}"
    Log(home / "logs", 1 << 20, 3).write(text)
    return weft


def packed(weft, *flags) -> dict[str, str]:
    done = weft("doctor", "--bundle", "report.zip", *flags)
    assert done.status == DONE, done.err
    with zipfile.ZipFile(weft.folder / "report.zip") as file:
        assert file.testzip() is None
        return {name: file.read(name).decode() for name in file.namelist()}


def test_a_bundle_tells_what_a_report_needs_and_no_secret(troubled):
    found = packed(troubled)
    assert sorted(found) == ["report.json", "weft.log"]
    whole = "".join((*found, *found.values()))
    for private in (SECRET, "dragon", "annabel", str(troubled.folder)):
        assert private not in whole
    report = json.loads(found["report.json"])
    assert any(f["name"] == "torch" for f in report["findings"])
    assert report["settings"]["folders.cache"] == {"value": "(set)", "origin": "file"}
    assert report["settings"]["folders.logs"] == {"value": "(set)", "origin": "WEFT_FOLDERS_LOGS"}
    assert report["settings"]["cache.disk"] == {"value": "20GiB", "origin": "default"}
    assert report["settings"]["unknown keys"] == 1
    assert report["cache"]["results"] >= 0
    assert report["queue"]
    assert "weft run (arguments left out)" in found["weft.log"]
    assert "Traceback (most recent call last):" in found["weft.log"]


def test_prompts_and_paths_go_along_where_they_are_asked_for(troubled):
    found = packed(troubled, "--with-prompts")
    assert SECRET in found["weft.log"]
    assert "annabel" not in "".join(found.values())
    (troubled.folder / "report.zip").unlink()
    found = packed(troubled, "--with-paths")
    assert SECRET not in "".join(found.values())
    assert "annabel" in found["report.json"]


def test_a_bundle_takes_no_place_of_a_file_and_is_a_zip(weft):
    weft.write("report.zip", "mine")
    assert weft("doctor", "--bundle", "report.zip").status == USAGE
    assert (weft.folder / "report.zip").read_text() == "mine"
    assert weft("doctor", "--bundle", "report.txt").status == USAGE
    assert weft("doctor", "--with-paths").status == USAGE


def test_a_broken_settings_file_is_a_finding_and_no_end(weft):
    weft.write("config/weft/settings.toml", "[cache")
    done = weft("doctor")
    assert done.status == 1
    assert "Correct the file" in done.out
    found = packed(weft)
    assert "Correct the file" in json.loads(found["report.json"])["settings"]


@pytest.mark.parametrize(
    ("there", "value", "problem"),
    [
        ({}, "pip install --no-deps spandrel==", ""),
        ({"spandrel": "0.4.2"}, "0.4.2", "needs einops"),
        ({"spandrel": "0.4.2", "einops": "0.8"}, "0.4.2", ""),
        ({"spandrel": "9.1", "einops": "0.8"}, "9.1 (tested: 0.4.2)", ""),
    ],
)
def test_it_says_how_to_get_learned_upscalers(monkeypatch, there, value, problem):
    """Without them nothing is missing: most people need none."""
    from backend.cli import doctor

    monkeypatch.setattr(doctor, "_installed", there.get)
    found = doctor._upscalers()
    assert value in found.value
    assert problem in found.problem
    assert bool(problem) == bool(found.problem)
