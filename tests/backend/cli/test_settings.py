"""``weft settings``: what may be set, what it is, and where each value came from."""

from __future__ import annotations

import os

from backend.cli.errors import DONE, USAGE
from backend.settings import declarations


def test_every_setting_is_listed_with_its_origin(weft):
    weft.write("config/weft/settings.toml", '[cache]\ndisk = "5GiB"\n[shoes]\nsize = 4\n')
    done = weft("settings", "list", "--json", WEFT_QUEUE_ATTEMPTS="7")
    assert done.status == DONE
    found = {e["key"]: e for e in done.events if e["event"] == "setting"}
    assert list(found) == list(declarations())
    assert (found["cache.disk"]["value"], found["queue.attempts"]["value"]) == (5 * 2**30, 7)
    assert found["cache.disk"]["origin"].endswith("settings.toml")
    assert found["queue.attempts"]["origin"] == "WEFT_QUEUE_ATTEMPTS"
    assert found["run.device"]["origin"] == "default"
    assert "no setting shoes.size" in done.err
    text = weft("settings").out
    assert "cache.disk = 5GiB  (file)" in text


def test_set_get_and_unset(weft):
    assert weft("settings", "set", "cache.disk", "7GiB").out == "cache.disk = 7GiB  (file)\n"
    assert weft("settings", "get", "cache.disk").out == "7GiB\n"
    assert weft("settings", "unset", "cache.disk").out == "cache.disk = 20GiB  (default)\n"
    folders = os.pathsep.join(["/a", "/b c"])
    weft("settings", "set", "models.folders", folders)
    assert weft("settings", "get", "models.folders", "--json").events[0]["value"] == ["/a", "/b c"]


def test_a_variable_in_the_way_is_told(weft):
    done = weft("settings", "set", "logs.keep", "3", WEFT_LOGS_KEEP="5")
    assert "logs.keep = 5  (WEFT_LOGS_KEEP)" in done.out
    assert "goes before the file" in done.err


def test_wrong_keys_values_and_files_are_sentences(weft):
    done = weft("settings", "set", "cache.disc", "1GiB")
    assert done.status == USAGE
    assert "Did you mean cache.disk?" in done.err
    done = weft("settings", "set", "run.threads", "-1")
    assert done.status == USAGE
    assert "at least 0" in done.err
    weft.write("config/weft/settings.toml", "[queue]\nattempts = 0\n")
    for arguments in (("settings",), ("run", "text-to-image")):
        done = weft(*arguments)
        assert done.status == USAGE
        assert "queue.attempts" in done.err
    assert weft("settings", "set", "queue.attempts", "2").status == DONE


def test_outputs_go_where_the_setting_says(weft):
    nodes = {
        "words": {"type": "text", "params": {"value": "x"}},
        "save": {"type": "save_text", "inputs": {"text": "words.text"}, "params": {"name": "t"}},
    }
    weft("settings", "set", "folders.output", "made")
    assert weft("run", weft.flow(nodes)).status == DONE
    assert (weft.folder / "made" / "t.txt").read_text() == "x"


def test_folders_are_where_the_settings_say(weft):
    for name in ("cache", "data", "logs"):
        weft("settings", "set", f"folders.{name}", weft.folder / f"my-{name}")
    (weft.folder / "my-data" / "models").mkdir(parents=True)
    done = weft("models", "scan")
    assert done.status == DONE, done.err
    assert (weft.folder / "my-cache" / "models.sqlite").is_file()
    done = weft("models", "scan", WEFT_FOLDERS_CACHE=str(weft.folder / "other"))
    assert done.status == DONE
    assert (weft.folder / "other" / "models.sqlite").is_file()
    assert not (weft.folder / "cache").exists()  # the system's place
