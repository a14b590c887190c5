"""Strangers' files are decoded in a process that can do nothing else."""

import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from backend.media.apart import Decoder
from backend.media.apart.wire import Gone
from backend.media.images import read_image
from backend.media.sounds import read_sound, write_sound
from backend.sdk import Cancelled, UserError
from backend.values import Audio


@pytest.fixture
def decoder():
    made = Decoder()
    yield made
    made.close()


def save(path: Path, mode: str = "RGB", size: tuple[int, int] = (31, 17)) -> Path:
    shape = (size[1], size[0], len(mode)) if len(mode) > 1 else (size[1], size[0])
    codes = np.random.default_rng(len(mode)).integers(0, 256, shape, np.uint8)
    Pillow.fromarray(codes, mode).save(path)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_a_picture_comes_as_it_does_in_this_process(decoder, tmp_path, name):
    path = save(tmp_path / name)
    (apart,) = decoder.images(path)
    (here,) = read_image(path)
    assert np.array_equal(apart.pixels, here.pixels)
    assert not apart.pixels.flags.writeable


def test_a_thumbnail_is_the_mean_of_the_picture(decoder, tmp_path):
    path = save(tmp_path / "a.png", size=(1280, 640))
    thumbnail = decoder.thumbnail(path)
    (whole,) = read_image(path)
    assert thumbnail.pixels.shape == (1, 160, 320, 3)
    means = whole.pixels.reshape(160, 4, 320, 4, 3).mean((1, 3))
    assert np.allclose(thumbnail.pixels[0], means, atol=1e-5)
    small = save(tmp_path / "b.png", size=(31, 17))
    assert np.array_equal(decoder.thumbnail(small).pixels, read_image(small)[0].pixels)


def test_a_sound_comes_as_it_does_in_this_process(decoder, tmp_path):
    samples = np.sin(np.arange(4410, dtype=np.float32) / 9)[None].repeat(2, 0)
    write_sound(tmp_path / "a.wav", Audio(samples, 44100))
    apart, here = decoder.sound(tmp_path / "a.wav"), read_sound(tmp_path / "a.wav")
    assert apart.rate == 44100
    assert np.array_equal(apart.samples, here.samples)


def test_one_worker_reads_many_files(decoder, tmp_path):
    path = save(tmp_path / "a.png")
    decoder.images(path)
    (worker,) = decoder._idle
    for _ in range(5):
        decoder.images(path)
    assert [each.pid for each in decoder._idle] == [worker.pid]


def test_what_is_wrong_with_a_file_is_told_as_ever(decoder, tmp_path):
    (tmp_path / "a.png").write_bytes(b"%PDF-1.4")
    with pytest.raises(UserError, match="PDF"):
        decoder.images(tmp_path / "a.png")
    with pytest.raises(UserError, match="cannot be read"):
        decoder.images(tmp_path / "none.png")
    assert len(decoder._idle) == 1  # a refusal is no death


def test_a_worker_that_dies_is_told_and_replaced(decoder, tmp_path):
    path = save(tmp_path / "a.png", size=(2000, 2000))
    decoder.images(path)
    (worker,) = decoder._idle
    os.kill(worker.pid, signal.SIGSTOP)
    result: list[object] = []

    def read() -> None:
        try:
            result.append(decoder.images(path))
        except UserError as error:
            result.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    os.kill(worker.pid, signal.SIGKILL)
    thread.join(20)
    # Either it was dead before it got the file, and a new one read it, or the file is refused.
    assert result
    if isinstance(result[0], UserError):
        assert "stopped with status -9" in str(result[0])
    assert decoder.images(path)


def test_a_file_that_takes_too_long_is_refused(tmp_path):
    path = save(tmp_path / "a.png")
    decoder = Decoder(seconds=0.3)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("backend.media.apart.decoder._start", hanging)
            begin = time.monotonic()
            with pytest.raises(UserError, match="took too long"):
                decoder.images(path)
        assert time.monotonic() - begin < 10
    finally:
        decoder.close()


def hanging() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@pytest.mark.parametrize("work", ["images", "thumbnail", "sound"])
def test_cancel_ends_the_work(decoder, tmp_path, work):
    path = save(tmp_path / "a.png")

    def check() -> None:
        raise Cancelled

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.media.apart.decoder._start", hanging)
        with pytest.raises(Cancelled):
            getattr(decoder, work)(path, check)


def test_a_worker_that_lies_is_not_believed(decoder, tmp_path):
    """Whoever took over a worker can send only numbers, and not more than were allowed."""
    path = save(tmp_path / "a.png")
    header = b'{"shapes":[[1,100000,100000,4]]}'
    code = (
        "import sys; sys.stdout.buffer.write("
        f"{struct.pack('<I', len(header)) + header!r}); sys.stdout.flush(); sys.stdin.read()"
    )

    def lying() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.media.apart.decoder._start", lying)
        with pytest.raises(UserError, match="damaged, or made to do harm"):
            decoder.images(path)


@pytest.mark.skipif(sys.platform == "win32", reason="the limits are POSIX's")
def test_a_worker_can_write_no_file_and_take_no_more_memory_than_it_needs(tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[4])!r})
import numpy
from backend.media.apart.limits import allow, confine
confine()
try:
    with open({str(tmp_path / "written")!r}, "wb") as file:
        file.write(b"x")
except OSError as error:
    print("no file", error.errno)
allow(1 << 20, 60)
try:
    numpy.ones(1 << 30, numpy.uint8)
except MemoryError:
    print("no memory")
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split("\n")[:2] == ["no file 27", "no memory"]


@pytest.mark.skipif(sys.platform == "win32", reason="the limits are POSIX's")
def test_a_system_that_refuses_a_limit_still_decodes(tmp_path):
    """As macOS does, where system libraries alone are mapped to more than the limit."""
    path = save(tmp_path / "a.png")
    code = f"""
import resource, sys
def refused(*given):
    raise ValueError("current limit exceeds maximum limit")
resource.setrlimit = refused
from backend.media.apart.limits import allow, confine, rest
confine()
allow(1 << 20, 60)
rest()
from backend.media.images import read_image
from pathlib import Path
print(read_image(Path({str(path)!r}))[0].width)
"""
    root = Path(__file__).resolve().parents[4]
    out = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert out.stdout.strip() == "31", out.stderr


def test_a_bomb_is_refused_by_its_header(decoder, tmp_path):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data)
        )  # fmt: skip

    head = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 6, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    data += chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(UserError, match="pixels"):
        decoder.images(tmp_path / "bomb.png")


def test_nothing_stays_behind(tmp_path):
    path = save(tmp_path / "a.png")
    decoder = Decoder()
    decoder.images(path)
    (worker,) = decoder._idle
    decoder.close()
    assert worker.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)


def test_a_worker_ends_with_the_process_that_has_it(tmp_path):
    path = save(tmp_path / "a.png")
    code = (
        "import os, sys; from pathlib import Path; from backend.media.apart import Decoder\n"
        f"d = Decoder(); d.images(Path({str(path)!r})); print(d._idle[0].pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).resolve().parents[4]
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    pid = int(out.stdout)
    end = time.monotonic() + 10
    while time.monotonic() < end and alive(pid):
        threading.Event().wait(0.02)
    assert not alive(pid)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_pipe_says_when_it_was_closed():
    import io

    from backend.media.apart.wire import receive_header

    for data in (b"", b"\x05\0\0\0{}", b"\xff\xff\xff\xff", b"\x02\0\0\0[]", b"\x02\0\0\0x}"):
        with pytest.raises(Gone):
            receive_header(io.BytesIO(data))
