"""Reading: the bytes of the file, in chunks, or a sentence."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from backend.catalog.errors import CatalogError
from backend.memory import source as reading
from backend.memory.buffers import Buffers
from backend.memory.source import Source, faces_of
from backend.memory.stored import Stored, stored_in

SIZE = 300_000


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 50_000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(1)
    path = tmp_path / "weights.safetensors"
    weights = {
        f"w{k}": torch.randint(0, 256, (SIZE,), dtype=torch.uint8, generator=generator)
        for k in range(4)
    }
    save_file(weights, path)
    return path


def opened(file: Path) -> tuple[Source, dict[str, Stored]]:
    return Source(faces_of([file])), stored_in(file)


def bytes_of(stored: Stored) -> bytes:
    raw = stored.file.read_bytes()
    return b"".join(raw[start : start + length] for start, length in stored.ranges)


def test_weights_are_the_bytes_of_the_file(file: Path, small_chunks: None) -> None:
    source, stored = opened(file)
    found = source.read(stored)
    assert found.keys() == stored.keys()
    assert all(found[name].numpy().tobytes() == bytes_of(stored[name]) for name in stored)


def test_neighbours_share_a_buffer_and_far_ones_do_not(file: Path) -> None:
    source, stored = opened(file)
    found = source.read(stored)
    assert len({t.untyped_storage().data_ptr() for t in found.values()}) == 1
    apart = source.read({name: stored[name] for name in ("w0", "w3")})
    assert len({t.untyped_storage().data_ptr() for t in apart.values()}) == 2


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=8))
def test_ranges_anywhere_in_a_file_are_joined(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("ranges") / "x"
    path.write_bytes(bytes(range(200)))
    ranges = tuple((start, length) for start, length in cuts)
    size = sum(length for _, length in ranges)
    stored = Stored(path, "U8", (size,), ranges)
    assert Source(faces_of([path])).one(stored).numpy().tobytes() == bytes_of(stored)


def test_several_threads_read_at_once(file: Path, small_chunks: None) -> None:
    source, stored = opened(file)
    wrong: list[str] = []

    def read(name: str) -> None:
        for _ in range(20):
            if source.one(stored[name]).numpy().tobytes() != bytes_of(stored[name]):
                wrong.append(name)

    threads = [threading.Thread(target=read, args=(name,)) for name in stored]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


class Stop(Exception):
    """What a cancel raises."""


def test_a_cancel_between_chunks_ends_it_and_leaves_nothing(
    file: Path, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.memory.buffers.SMALL", 0)
    source, stored = opened(file)
    before, calls = open_files(), []

    def check() -> None:
        calls.append(source.buffers.held)
        if len(calls) == 5:
            raise Stop

    with pytest.raises(Stop):
        source.read(stored, check)
    assert len(calls) == 5
    assert calls[0] >= 4 * SIZE  # it had begun
    assert source.buffers.held == 0
    assert open_files() == before


def open_files() -> int:
    place = Path("/proc/self/fd")
    return len(list(place.iterdir())) if place.is_dir() else 0


def truncate(file: Path) -> None:
    os.truncate(file, 400_000)


def replace(file: Path) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_bytes(file.read_bytes())
    os.replace(fresh, file)


def remove(file: Path) -> None:
    file.unlink()


def overwrite(file: Path) -> None:
    about = file.stat()
    with file.open("r+b") as handle:
        handle.seek(about.st_size // 2)
        handle.write(b"other")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns + 1))


@pytest.mark.parametrize(("harm", "said"), [
    (truncate, "was cut short while .* Download or copy the file again"),
    (replace, "was changed or replaced while .* run again"),
    (overwrite, "was changed or replaced while .* run again"),
    (remove, "cannot be read .* Check that the file exists"),
])  # fmt: skip
def test_a_file_that_changes_while_it_is_read_is_named(
    file: Path, small_chunks: None, harm: Callable[[Path], None], said: str
) -> None:
    """Another thread harms it, in the midst of reading."""
    source, stored = opened(file)
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            thread = threading.Thread(target=harm, args=(file,))
            thread.start()
            thread.join()

    with pytest.raises(CatalogError, match=said) as caught:
        source.read(stored, check)
    assert str(file) in str(caught.value)
    assert len(calls) >= 3


@pytest.mark.parametrize("harm", [truncate, replace, overwrite])
def test_a_file_that_changed_since_its_header_was_read_is_named(
    file: Path, harm: Callable[[Path], None]
) -> None:
    source, stored = opened(file)
    harm(file)
    with pytest.raises(CatalogError, match=str(file)):
        source.read(stored, lambda: pytest.fail("it was read nevertheless"))


def test_a_range_beyond_the_end_is_no_dead_process(tmp_path: Path) -> None:
    """What a header that lies would lead to, had it not been refused before."""
    path = tmp_path / "x"
    path.write_bytes(b"short")
    with pytest.raises(CatalogError, match="cut short"):
        Source(faces_of([path])).one(Stored(path, "U8", (99,), ((0, 99),)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"gone.safetensors cannot be read"):
        faces_of([tmp_path / "gone.safetensors"])


def test_buffers_come_back_when_the_last_weight_in_them_is_dropped(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.memory.buffers.SMALL", 0)
    buffers = Buffers(keep=2**30)
    source, stored = opened(file)
    found = source.read(stored, buffers=buffers)
    held, place = buffers.held, found["w0"].untyped_storage().data_ptr()
    kept = found["w1"][5:9]
    del found
    assert (buffers.held, buffers.spare) == (held, 0)
    assert kept.numpy().tobytes() == bytes_of(stored["w1"])[5:9]
    del kept
    assert (buffers.held, buffers.spare) == (0, held)
    again = source.read(stored, buffers=buffers)
    assert again["w0"].untyped_storage().data_ptr() == place
    del again
    buffers.trim()
    assert buffers.spare == 0


def test_buffers_keep_no_more_than_they_are_told() -> None:
    buffers = Buffers(keep=5 * 2**20)
    taken = [buffers.take(4 * 2**20) for _ in range(3)]
    assert buffers.held == 12 * 2**20
    del taken
    assert buffers.held == 0
    assert buffers.spare == 4 * 2**20


def test_a_much_larger_buffer_is_not_used_for_a_small_one() -> None:
    buffers = Buffers(keep=2**30)
    del [buffers.take(64 * 2**20)][:]
    small = buffers.take(8 * 2**20)
    assert (buffers.held, buffers.spare) == (small.nbytes, 64 * 2**20)
