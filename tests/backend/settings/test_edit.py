"""A change of the settings file leaves all else in it as it is."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.settings import SettingError, load, set_value, unset

MINE = """# my settings
[cache]   # how much
disk = "1GiB" # a small disk
costly = 2.0

[other]
program = "x"
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "settings.toml"


def test_the_first_setting_makes_the_file(path):
    set_value(path, "cache.disk", "5GiB")
    assert path.read_text() == '[cache]\ndisk = "5GiB"\n'
    assert load(path, {}).settings.cache.disk == 5 * 2**30


def test_comments_order_and_strangers_stay(path):
    path.parent.mkdir()
    path.write_text(MINE)
    set_value(path, "cache.disk", 2 * 2**30)
    assert path.read_text() == MINE.replace('"1GiB"', '"2GiB"')
    set_value(path, "run.threads", "3")
    assert path.read_text().startswith(MINE.replace('"1GiB"', '"2GiB"'))
    unset(path, "run.threads")
    unset(path, "cache.costly")
    assert tomllib.loads(path.read_text()) == {
        "cache": {"disk": "2GiB"}, "other": {"program": "x"},
    }  # fmt: skip


def test_line_ends_and_permissions_stay(path):
    path.parent.mkdir()
    path.write_bytes(MINE.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    set_value(path, "cache.disk", "2GiB")
    assert path.read_bytes() == MINE.replace('"1GiB"', '"2GiB"').replace("\n", "\r\n").encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    "written",
    ['cache.disk = "1GiB"\n', 'cache = {disk = "1GiB"}\n', '"cache"."disk" = "1GiB"\n',
     '[cache]\n"disk" = """1GiB"""\n', '[cache.deep]\nx = 1\n[cache]\ndisk = "1GiB"\n'],
)  # fmt: skip
def test_however_it_is_written_it_is_changed_or_refused(path, written):
    path.parent.mkdir()
    path.write_text(written)
    try:
        set_value(path, "cache.disk", "2GiB")
    except SettingError:
        assert path.read_text() == written
    else:
        assert load(path, {}).settings.cache.disk == 2 * 2**30


def test_a_list_of_folders_is_written_and_read(path):
    folders = ("/a b", "/ä\u2028\"'\\x")
    set_value(path, "models.folders", list(folders))
    assert load(path, {}).settings.models.folders == folders


def test_a_link_stays_a_link(path, tmp_path):
    path.parent.mkdir()
    path.symlink_to(tmp_path / "real.toml")
    set_value(path, "cache.disk", "5GiB")
    assert path.is_symlink()
    assert (tmp_path / "real.toml").is_file()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("cache.disc", "1GiB", "Did you mean cache.disk"), ("cache.disk", "x", "write a size such as"),
     ("queue.attempts", "0", "at least 1"), ("cache", "1", "no setting")],
)  # fmt: skip
def test_what_is_wrong_is_a_sentence_and_changes_nothing(path, key, value, said):
    with pytest.raises(SettingError, match=said):
        set_value(path, key, value)
    assert not path.exists()


def test_a_broken_file_is_left_alone(path):
    path.parent.mkdir()
    path.write_text("[cache")
    with pytest.raises(SettingError, match="Correct the file"):
        set_value(path, "cache.disk", "1GiB")
    assert path.read_text() == "[cache"


@pytest.mark.skipif(os.name == "nt", reason="folders have no such permissions there")
def test_a_folder_without_permission_is_a_sentence(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # root may write there, but makes no files of the kernel
        folder = Path("/sys")
    path, before = folder / "settings.toml", os.listdir(folder)
    with pytest.raises(SettingError) as told:
        set_value(path, "cache.disk", "1GiB")
    why = r"Permission denied|Read-only file system|Operation not permitted"
    assert re.fullmatch(rf"{path} cannot be written \(({why})\)\.", str(told.value))
    assert os.listdir(folder) == before


def test_a_file_in_the_way_of_the_folder_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingError, match="cannot be written"):
        set_value(tmp_path / "file" / "settings.toml", "cache.disk", "1GiB")


def test_unsetting_what_is_not_there_makes_no_file(path):
    unset(path, "cache.disk")
    assert not path.exists()


TREES = st.dictionaries(
    st.sampled_from(["cache", "run", "mine", "a.b"]),
    st.dictionaries(
        st.sampled_from(["disk", "x", "y y"]),
        st.one_of(st.text(), st.integers(-5, 5), st.lists(st.integers(0, 3)), st.booleans()),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(tree=TREES)
def test_everything_else_is_the_same_afterwards(tmp_path, tree):
    import tomlkit

    path = tmp_path / "settings.toml"
    path.write_text(tomlkit.dumps(tree), encoding="utf-8", newline="")
    set_value(path, "run.threads", 7)
    expected = {**tree, "run": {**tree.get("run", {}), "threads": 7}}
    assert tomllib.loads(path.read_bytes().decode()) == expected
