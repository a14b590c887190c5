"""What stands around runs: words, memory, sleep, messages, letters from other threads."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app.run.mailbox import Mailbox
from app.run.meters import Memory, Meters, measure
from app.run.notify import Notifier, message_of
from app.run.sleep import Awake, command_for
from app.run.state import JobView
from app.run.words import running_sentence, seeds_in_words, sentence_of, show_seconds
from backend.engine.queue.job import Crash, Ending, Job
from backend.sdk import Saved


def job(**given) -> Job:
    plain = {
        "id": 3, "state": "queued", "paused": False, "priority": 0, "position": 1.0, "batch": 3,
        "retry_of": 0, "title": "t", "seeds": {}, "base": "/b", "grants": (), "output": "/out",
        "only": (), "added": 1.0, "begun": 0.0, "ended": 0.0, "attempts": 0, "claims": 0,
        "wish": "", "step": "", "done": 0.0, "total": 0.0, "crashes": (),
    }  # fmt: skip
    return Job(**{**plain, **given})


def test_a_card_says_where_a_job_stands():
    assert sentence_of(job(), "queued", None, 1) == "Runs next"
    assert sentence_of(job(), "queued", None, 4) == "Waits, 4 in line"
    again = job(crashes=(Crash("It was killed."),))
    assert sentence_of(again, "queued", None, 1) == "Begins again. It was killed."
    files = (Saved("a.png", ""), Saved("b.png", ""))
    done = Ending("done", seconds=12.4, outputs=files)
    assert sentence_of(job(), "done", done, 0) == "Done in 12 s, 2 files"
    assert sentence_of(job(), "failed", Ending("failed", "No."), 0) == "No."
    assert running_sentence("Sample", "", 3.21) == "Sample, 3.2 s left"
    assert running_sentence("Sample", "cancel", 3.21) == "Stops"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0.00 s"), (0.994, "0.99 s"), (0.996, "1.0 s"), (9.94, "9.9 s"), (9.96, "10 s"),
        (59.4, "59 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (4800, "1 h 20 min"),
    ],
)  # fmt: skip
def test_times_are_written_as_people_read_them(seconds, said):
    assert show_seconds(seconds) == said


def test_seeds_are_one_number_or_how_many():
    assert seeds_in_words({"a.seed": 4, "b.seed": 4}) == "seed 4"
    assert seeds_in_words({"a.seed": 4, "b.seed": 5}) == "2 seeds"
    assert seeds_in_words({}) == ""


def test_memory_is_measured_when_it_is_worth_it(spin):
    meters = Meters(os.getpid)
    seen: list[Memory] = []
    meters.measured.connect(seen.append)
    meters.start()
    spin(lambda: seen)
    meters.busy(True)
    spin(lambda: len(seen) > 1)
    meters.close()
    assert 0 < seen[0].host < seen[0].used < seen[0].total
    assert measure(None, None).host == 0


def test_a_gpu_is_found_only_where_there_is_one():
    from app.run.meters import find_device

    device = find_device()
    if shutil.which("nvidia-smi") is None:
        assert device is None or device.memory()[1] > 0
    else:
        assert device is not None
        used, total = device.memory()
        assert 0 < used < total
        assert device.name


@pytest.mark.skipif(sys.platform != "linux", reason="the command is that of Linux")
def test_the_machine_is_kept_awake_as_long_as_it_is_held(tmp_path, monkeypatch):
    """By a stand-in for the system's command."""
    script = tmp_path / "systemd-inhibit"
    script.write_text("#!/bin/sh\ncat\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    awake = Awake("A graph is computed.")
    awake.hold()
    process = awake._process
    awake.hold()
    assert awake._process is process
    assert process.poll() is None
    awake.release()
    assert process.poll() is not None
    assert not awake.held


def test_where_nothing_keeps_the_machine_awake_nothing_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "")
    awake = Awake("why")
    awake.hold()
    awake.release()
    assert command_for("freebsd", 1, "why") == ()
    assert command_for("darwin", 42, "why") == ("caffeinate", "-i", "-w", "42")


@pytest.mark.skipif(sys.platform == "win32", reason="its input is a pipe of the program elsewhere")
def test_the_end_of_the_program_lets_the_machine_sleep():
    command = command_for("linux", 1, "why")
    assert command[-1] == "cat"
    held = subprocess.Popen(command[-1:], stdin=subprocess.PIPE)
    held.stdin.close()
    assert held.wait(10) == 0


def ended(status: str, seconds: float) -> JobView:
    return JobView(1, "fox", status, begun=100.0, ended=100.0 + seconds, error="No.")


def test_only_the_end_of_a_long_job_is_told_and_only_to_who_looks_elsewhere(application):
    from PySide6.QtGui import QIcon
    from PySide6.QtWidgets import QWidget

    window = QWidget()
    away = Notifier(window, QIcon(), lambda: True)
    assert away.ended(ended("done", 80))
    assert away.shown == [("fox is done", "It took 1 min 20 s.")]
    assert not away.ended(ended("done", 2))
    assert not away.ended(ended("cancelled", 80))
    assert not Notifier(window, QIcon(), lambda: False).ended(ended("done", 80))
    assert message_of(ended("failed", 80)) == ("fox failed", "No.")
    window.deleteLater()


def test_letters_come_in_order_and_in_batches(spin):
    mailbox, seen, batches = Mailbox(), [], []
    mailbox.emptied.connect(lambda: batches.append(len(seen)))

    def send() -> None:
        for number in range(2000):
            mailbox.post(lambda number=number: seen.append(number))

    thread = threading.Thread(target=send)
    thread.start()
    spin(lambda: len(seen) == 2000)
    thread.join()
    assert seen == list(range(2000))
    assert len(batches) < 500
    mailbox.close()
    mailbox.post(lambda: seen.append(-1))
    assert seen[-1] != -1


def test_a_letter_that_goes_wrong_does_not_hold_back_the_others(spin, capsys):
    mailbox, seen = Mailbox(), []
    mailbox.post(lambda: 1 / 0)
    mailbox.post(lambda: seen.append(1))
    spin(lambda: seen)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_settings_say_how_hosts_compute(tmp_path):
    from app.run.setup import client_of
    from backend.settings import load

    source = Path(tmp_path / "settings.toml")
    settings = load(source, {}, {"folders.cache": str(tmp_path)}).settings
    with client_of(settings) as client:
        assert client._hosts._setup.pictures
        assert client._hosts._setup.cache_folder == str(tmp_path)
