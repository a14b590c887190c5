"""Framed messages through real pipes."""

from __future__ import annotations

import os
import threading

import pytest

from backend.engine.client.backlog import Rank
from backend.engine.client.pipes import Broken, Sender, frames


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "little") + body


def read_all(fd: int, got: list[bytes]) -> threading.Thread:
    def work():
        with os.fdopen(fd, "rb") as file:
            got.extend(frames(file))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_frames_arrive_in_order_from_small_to_far_larger_than_the_pipe():
    reader, writer = os.pipe()
    bodies = [bytes([i % 251]) * size for i, size in enumerate([0, 1, 100, 3_000_000, 7, 200_000])]
    got: list[bytes] = []
    thread = read_all(reader, got)
    sender = Sender(writer)
    for body in bodies:
        sender.send(frame(body))
    sender.close(10)
    thread.join(10)
    assert got == bodies


def test_a_frame_that_the_pipe_takes_is_in_it_when_send_returns():
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    sender = Sender(writer)
    sender.send(frame(b"about to die"))
    assert os.read(reader, 100) == frame(b"about to die")
    sender.close()
    os.close(reader)


def test_a_reader_that_stands_still_holds_nobody_up_and_loses_only_what_may_be_lost():
    reader, writer = os.pipe()
    sender = Sender(writer, budget=100_000)
    for i in range(1000):
        sender.send(frame(b"p%04d" % i + bytes(1000)), Rank(1))
        if i % 100 == 0:
            sender.send(frame(b"k%04d" % i))
    assert sender.dropped > 500
    got: list[bytes] = []
    thread = read_all(reader, got)
    sender.close(10)
    thread.join(10)
    names = [body[:5] for body in got]
    assert [name for name in names if name[:1] == b"k"] == [
        b"k%04d" % i for i in range(0, 1000, 100)
    ]
    assert [int(n[1:]) for n in names] == sorted(int(n[1:]) for n in names)
    assert len(got) + sender.dropped == 1010


def test_a_reader_that_has_gone_is_no_trouble():
    reader, writer = os.pipe()
    sender = Sender(writer)
    os.close(reader)
    sender.send(frame(b"hello?"))
    sender.send(frame(bytes(10_000_000)))
    assert sender._thread is None  # nothing waits to be read
    sender.close(10)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writer)


def test_several_threads_never_mix_their_frames():
    reader, writer = os.pipe()
    got: list[bytes] = []
    thread = read_all(reader, got)
    sender = Sender(writer)

    def talk(letter: bytes):
        for size in range(1, 400):
            sender.send(frame(letter * size * 37))

    talkers = [threading.Thread(target=talk, args=(bytes([65 + i]),)) for i in range(4)]
    for each in talkers:
        each.start()
    for each in talkers:
        each.join()
    sender.close(10)
    thread.join(10)
    assert len(got) == 4 * 399
    assert all(len(set(body)) == 1 for body in got)


def test_what_is_no_message_is_refused(tmp_path):
    file = tmp_path / "noise"
    file.write_bytes(b"\xff\xff\xff\xff noise")
    with file.open("rb") as noise, pytest.raises(Broken):
        list(frames(noise))
    file.write_bytes(frame(b"whole") + frame(b"cut short")[:-2])
    with file.open("rb") as cut:
        assert list(frames(cut)) == [b"whole"]
