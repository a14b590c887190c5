"""What a bug report tells of a log: where it went wrong, and nothing that a person wrote."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cli.redact import Redaction

COMMANDS = ("run", "check")
SECRET = "zqxjkv"


def failing(message: str) -> str:
    """The traceback of an error of this message, through Weft's own files and Python's."""
    from backend.graph.format import parse

    def reviver(pair):
        raise ValueError(message)

    try:
        parse("{}", "x")
    except Exception as error:
        first = error
    try:
        try:
            json.loads("{}", object_hook=reviver)
        except ValueError as error:
            raise KeyError(message) from error
    except KeyError as error:
        error.__context__.__context__ = first
        return "".join(traceback.format_exception(error))


def entry(text: str) -> str:
    return f"== 2026-01-31T10:59:59+0100 4711\n{text}"


def test_a_traceback_keeps_its_places_and_loses_its_words():
    told = Redaction(commands=COMMANDS).log(entry(f"weft run {SECRET}\n{failing(SECRET)}"))
    assert SECRET not in told
    lines = told.splitlines()
    assert lines[0] == "== 2026-01-31T10:59:59+0100 4711"
    assert lines[1] == "weft run (arguments left out)"
    assert any(line.startswith('  File "<weft>/backend/graph/format.py", line ') for line in lines)
    assert any(line.startswith('  File "<python>/json/decoder.py", line ') for line in lines)
    assert '  File "<elsewhere>", line ' in told  # this very file
    assert "ValueError (message left out)" in lines
    assert "KeyError" not in told  # raised where nothing but this file was on the way


def test_the_stacks_of_a_crash_keep_their_places():
    program = (
        "import ctypes, faulthandler, json\nfaulthandler.enable()\n"
        "json.loads('{}', object_hook=lambda _: ctypes.string_at(0))"
    )
    run = [sys.executable, "-c", program]
    crash = subprocess.run(run, capture_output=True, encoding="utf-8", check=False).stderr
    said = f"{SECRET}\nMost memory that was seen: 30 MiB\nLast output:\n{SECRET}\nStacks:\n"
    told = Redaction().log(entry(said + crash))
    assert SECRET not in told
    assert "Most memory that was seen: 30 MiB\n" in told
    assert "Fatal Python error: Segmentation fault" in told
    assert "(most recent call first):" in told
    assert '  File "<python>/ctypes/__init__.py", line ' in told
    assert ", in string_at" in told
    assert '  File "<elsewhere>", line ' in told


WORDS = st.sampled_from(
    [SECRET, "\n", " ", "  ", "    ", "Traceback (most recent call last):", '  File "', '", line 3',
     ", in ", ": ", "Error", "weft run", "weft ", "== 2026-01-31T10:59:59+0100 4711", "'",
     "Thread 0x00007f6ecb0136c0 (most recent call first):", "Current thread 0x1 [",
     "] (most recent call first):", '" in ', "Fatal Python error: ", "Segmentation fault",
     "/home/a/", "During handling of the above exception, another exception occurred:"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=30).map("".join))
def test_no_prompt_gets_through_whatever_it_looks_like(prompt):
    log = entry(f"weft run flow --set prompt={prompt}\n{failing(prompt)}\nstep {prompt}\n")
    assert SECRET not in Redaction(commands=COMMANDS).log(log)


@pytest.mark.parametrize(
    "path",
    ["/home/{0}/x.png", "'/mnt/My {0}/x.png'", "/mnt/My {0}/x.png", "C:\\Users\\{0}", "~/{0}",
     "\\\\server\\{0}", '"/a/{0} b"', "file:///home/{0}"],
)  # fmt: skip
def test_paths_are_taken_out_of_sentences(path):
    sentence = f"The file {path.format(SECRET)}: it cannot be read."
    told = Redaction(prompts=True).sentence(sentence)
    assert SECRET not in told
    assert "it cannot be read" in told
    assert Redaction(paths=True).sentence(sentence) == sentence


def test_what_is_no_path_stays():
    sentence = "Use 3/4 of it, a step/turn, and 10 s/it; write GiB."
    assert Redaction().sentence(sentence) == sentence


def test_the_names_of_home_user_and_machine_are_taken_out(monkeypatch):
    monkeypatch.setenv("HOME", "/home/annabel")
    monkeypatch.setenv("LOGNAME", "bertram")
    monkeypatch.setattr("platform.node", lambda: "caesar")
    told = Redaction(prompts=True).sentence("annabel and bertram on caesar, not annabella")
    assert told == "<user> and <user> on <machine>, not annabella"


def test_prompts_stay_where_that_is_asked_for():
    told = Redaction(prompts=True, commands=COMMANDS).log(entry(failing(SECRET)))
    assert f"ValueError: {SECRET}" in told
    assert __file__ not in told
