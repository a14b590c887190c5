"""Settings come from the file, the environment and the command line, later ones winning."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.settings import (
    SettingError,
    Settings,
    cache_folder,
    data_folder,
    declarations,
    load,
    log_folder,
    near,
    read_size,
    settings_file,
    show_size,
    show_value,
)
from backend.settings.values import read_value


@pytest.fixture
def write(tmp_path):
    def put(text: str) -> Path:
        path = tmp_path / "settings.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return put


def test_without_a_file_everything_is_as_weft_has_it(tmp_path):
    loaded = load(tmp_path / "none.toml", environ={})
    assert loaded.settings == Settings()
    assert not loaded.origins


def test_flags_go_before_the_environment_and_that_before_the_file(write):
    path = write('[cache]\ndisk = "1GiB"\nmemory = "1GiB"\ncostly = 2\n')
    environ = {"WEFT_CACHE_DISK": "2GiB", "WEFT_CACHE_MEMORY": "2GiB"}
    loaded = load(path, environ, {"cache.disk": "3GiB"})
    cache = loaded.settings.cache
    assert (cache.disk, cache.memory, cache.costly) == (3 * 2**30, 2 * 2**30, 2.0)
    assert loaded.origins == {
        "cache.disk": "command line",
        "cache.memory": "WEFT_CACHE_MEMORY",
        "cache.costly": str(path),
    }
    assert loaded.value("cache.disk") == 3 * 2**30


def test_keys_that_are_not_known_have_no_effect(write):
    loaded = load(write("[cache]\nspeed = 9\n[shoes]\nsize = 43\n"), {})
    assert loaded.unknown == ("cache.speed", "shoes.size")
    assert loaded.settings == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cache = 3", "outside a [section]"),
        ("[cache", "cannot be read"),
        ("[cache]\ndisk = true", "cache.disk"),
        ('[cache]\ndisk = "many"', "write a size such as"),
        ("[cache]\ndisk = -1", "at least 0"),
        ("[cache]\ncostly = nan", "finite"),
        ("[cache]\ncostly = []", "write a number"),
        ("[queue]\nattempts = 1.5", "whole number"),
        ("[queue]\nattempts = 0", "at least 1"),
        ('[run]\nisolated = "maybe"', "true or false"),
        ("[run]\ndevice = 3", "write a text"),
        ("[models]\nfolders = [1]", "list of texts"),
        ("x = " + "[" * 5000, "cannot be read"),
    ],
)
def test_a_wrong_file_is_a_sentence(write, text, said):
    with pytest.raises(SettingError) as error:
        load(write(text), {})
    assert said in str(error.value)
    assert "settings.toml" in str(error.value)


def test_a_file_that_is_no_text_is_a_sentence(tmp_path):
    (tmp_path / "s.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingError, match="it is no text in UTF-8"):
        load(tmp_path / "s.toml", {})


def test_a_folder_in_the_place_of_the_file_is_a_sentence(tmp_path):
    with pytest.raises(SettingError, match=r"cannot be read: [^\[]*\.$"):
        load(tmp_path, {})


def test_a_wrong_variable_is_told_by_its_name():
    with pytest.raises(SettingError, match="WEFT_QUEUE_ATTEMPTS"):
        load(Path("none.toml"), {"WEFT_QUEUE_ATTEMPTS": "many"})


def test_the_file_may_be_named_by_a_variable(tmp_path):
    assert settings_file({"WEFT_SETTINGS": str(tmp_path / "my.toml")}) == tmp_path / "my.toml"
    assert settings_file({}).name == "settings.toml"


def test_a_near_key_is_offered():
    assert near("cache.disc") == " Did you mean cache.disk?"
    assert near("zzzzzz") == ""


@pytest.mark.parametrize(
    ("text", "size"),
    [("20GiB", 20 * 2**30), ("500 MB", 500 * 10**6), ("1024", 1024), ("1.5kib", 1536), ("0", 0)],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "5iB", "5 K", "-1", "1e9", "GiB", "1,5GiB", "1" * 40])
def test_what_is_no_size_is_said(text):
    with pytest.raises(ValueError, match="write a size such as"):
        read_size(text)


@given(st.integers(0, 2**60))
def test_a_shown_size_is_read_back_without_loss(size):
    assert read_size(show_size(size)) == size


def test_a_choice_is_one_of_those_there_are():
    theme = declarations()["studio.theme"]
    assert read_value(theme, "dark") == "dark"
    with pytest.raises(ValueError, match="write system, dark or light"):
        read_value(theme, "mauve")


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:1"])
def test_a_device_is_written_as_it_is_named(device):
    assert read_value(declarations()["run.device"], device) == device


@pytest.mark.parametrize("device", ["3", "gpu", "cuda:", "cuda:1 ", "cuda:1x", "cpu:0", ""])
def test_what_is_no_device_is_said_before_a_run(device):
    with pytest.raises(ValueError, match=r"^write auto, cpu, cuda or cuda:N$"):
        read_value(declarations()["run.device"], device)


@given(st.data())
def test_a_shown_value_is_read_back(data):
    one = data.draw(st.sampled_from(list(declarations().values())))
    kinds = {
        "text": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        "yes": st.booleans(),
        "number": st.floats(one.low or 0, one.high or 1000).map(lambda n: float(f"{n:g}")),
        "integer": st.integers(int(one.low or 0), int(one.high or 1000)),
        "size": st.integers(int(one.low or 0), int(one.high or 2**60)),
        "texts": st.lists(st.text("abc /", min_size=1)).map(tuple),
    }
    if one.form:
        kinds["text"] = st.from_regex(one.form, fullmatch=True)
    value = data.draw(st.sampled_from(one.choices) if one.choices else kinds[one.kind])
    assert read_value(one, show_value(one, value)) == value


@given(st.sampled_from(list(declarations().values())), st.text())
def test_any_text_is_a_value_or_a_sentence(one, text):
    try:
        value = read_value(one, text)
    except ValueError:
        return
    assert read_value(one, value) == value


def test_every_default_is_a_value_of_its_own_setting():
    for one in declarations().values():
        assert read_value(one, one.default) == one.default, one.key


def test_folders_follow_the_settings(write, tmp_path, monkeypatch):
    path = write(f'[folders]\ncache = "{tmp_path / "c"}"\nlogs = "~/logs"\n')
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings = load(path, {"WEFT_FOLDERS_DATA": str(tmp_path / "d")}).settings
    assert cache_folder(settings) == tmp_path / "c"
    assert data_folder(settings) == tmp_path / "d"
    assert log_folder(settings) == tmp_path / "home" / "logs"


def test_folders_are_asked_for_anew_where_no_settings_are_given(write, tmp_path, monkeypatch):
    monkeypatch.setenv("WEFT_SETTINGS", str(write('[folders]\ncache = "/one"\n')))
    monkeypatch.delenv("WEFT_FOLDERS_CACHE", raising=False)
    assert cache_folder() == Path("/one")
    monkeypatch.setenv("WEFT_FOLDERS_CACHE", "/two")
    assert cache_folder() == Path("/two")
