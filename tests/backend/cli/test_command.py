"""The command as a whole: help, exit status, pipes, terminals, and its own faults."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = ["run", "check", "plan", "nodes", "schema", "info", "doctor", "new node"]


@pytest.fixture
def weft(weft):
    """Each call in a new process: how that begins and ends is what these tests are about."""
    weft.forks = None
    return weft


@pytest.mark.parametrize("command", ["", "new", *COMMANDS])
def test_every_help_has_an_example(weft, command):
    done = weft(*command.split(), "--help")
    assert done.status == 0
    assert f"Example:\n    weft {command}" in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["bogus"],
        ["run"],
        ["run", "x", "--bogus"],
        ["check", "a", "b"],
        ["run", "x", "--seed", "-1"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2_and_says_so_on_standard_error(weft, arguments):
    done = weft(*arguments)
    assert done.status == 2
    assert done.out == ""
    assert "Error: " in done.err


def test_a_reader_that_leaves_early_is_no_error(weft):
    writer = weft.start("nodes", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writer.stdout.close()
    said = writer.stderr.read()
    assert writer.wait(60) == 0
    assert said == ""
    writer.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
@pytest.mark.parametrize("arguments", [["nodes"], ["nodes", "--json"], ["run", "flow.weft.json"]])
def test_a_standard_output_that_is_full_is_told(weft, arguments):
    weft.flow(
        {
            "picture": {"type": "solid_image"},
            "keep": {"type": "save_image", "inputs": {"image": "picture.image"}},
        }
    )
    with open("/dev/full", "w") as full:
        writer = weft.start(*arguments, stdout=full, stderr=subprocess.PIPE)
        said = writer.communicate(timeout=60)[1]
    assert writer.returncode == 1
    assert "Standard output cannot be written: No space left on device." in said
    assert "Traceback" not in said
    assert "Exception" not in said


def test_a_closed_standard_output_is_no_error(weft):
    command = " ".join(map(shlex.quote, weft.command("nodes")))
    done = subprocess.run(
        ["sh", "-c", f"{command} >&-"], env=weft.environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["nodes"], ["nodes", "--json"], ["check", "ø.weft.json"]])
def test_a_terminal_without_unicode_is_no_error(weft, arguments):
    weft.flow({"ø": {"type": "text"}}, "ø.weft.json")
    done = weft(*arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert "Traceback" not in done.err
    assert "went wrong" not in done.err
    assert done.out.isascii()


def test_a_fault_of_weft_itself_is_a_sentence_and_a_log(weft):
    broken = "import backend.cli.nodes as n, backend.cli\n"
    broken += "def fail(*a, **k): raise ValueError('boom')\n"
    broken += "n.show_nodes = fail\nbackend.cli.main(['nodes'])"
    done = subprocess.run(
        [sys.executable, "-c", broken],
        env=weft.environment,
        cwd=weft.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (log,) = weft.folder.rglob("weft.log")
    assert str(log) in done.stderr
    assert "ValueError: boom" in log.read_text()


def test_the_version_is_told(weft):
    assert weft("--version").out.startswith("weft ")
