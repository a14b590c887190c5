"""Host memory for weights: whole pages from the system, given back at once or kept warm for reuse.

The memory that the system gives is touched first by the read that fills it, which takes a fault per
page; pages of 2 MiB, where the system has them, make that five hundred times fewer. Memory that is
pinned, so that a device can copy from it while it computes, is bounded.
"""

from __future__ import annotations

import logging
import mmap
import sys
import threading
import weakref
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

HUGE = 2 * 2**20
"""Bytes of a huge page."""
SMALL = 2**20
"""Buffers below this come from the ordinary allocator."""
LEAST = 64 * 2**10
"""Bytes of the smallest buffer that is pinned."""
SLACK = 1.25
"""How much larger than asked for a kept buffer may be to be used again."""


Pin = Callable[[int], Tensor]
"""Gives pinned memory, ``[nbytes]`` uint8; raises a RuntimeError where the system has none."""


def pinned(nbytes: int) -> Tensor:
    """Memory that the present accelerator can copy from by itself."""
    return torch.empty(nbytes, dtype=torch.uint8, pin_memory=True)


def unpinned() -> None:
    """Have the system get back what was pinned and nobody has any more; torch keeps it else."""
    if hasattr(torch.accelerator, "empty_host_cache"):  # not in every torch
        torch.accelerator.empty_host_cache()


def back_already() -> None:
    """The system has what was let go of."""


def _nothing_comes() -> bool:
    """Nobody has buffers that come back by waiting."""
    return False


class Buffers:
    """Gives buffers of bytes, and takes those back that nobody holds any more.

    Up to ``keep`` bytes of them stay for the next that asks: their pages are there already. Safe
    from several threads.
    """

    def __init__(
        self,
        keep: int = 0,
        pin: Pin | None = None,
        limit: int = sys.maxsize,
        wait: Callable[[], bool] = _nothing_comes,
        freed: Callable[[], None] = back_already,
    ) -> None:
        """With ``pin`` they are pinned, at most ``limit`` bytes of them together. Where that is
        reached, ``wait`` is called: it lets a buffer come back and is true, or there is none to
        wait for. Then, and if pinning fails, what is given is ordinary memory. ``freed`` is
        called after buffers were let go of."""
        self.keep = keep
        self.most = sys.maxsize
        """Bytes up to which spare buffers are kept beside all that are in use."""
        self.peak = 0
        """The most bytes that were in use or kept at once."""
        self._pin, self._limit, self._wait, self._freed = pin, limit, wait, freed
        self._spare: list[mmap.mmap | Tensor] = []
        self._held = self._beside = 0
        self._told = False
        # A buffer may come back while another one is being given: the collector runs anywhere.
        self._lock = threading.RLock()

    @property
    def spare(self) -> int:
        """Bytes of the buffers that are kept and not in use."""
        with self._lock:
            return sum(_size(each) for each in self._spare)

    @property
    def held(self) -> int:
        """Bytes of the buffers in use; of pinned ones, if they are to be."""
        return self._held

    @property
    def used(self) -> int:
        """Bytes of the buffers in use, and of what was given where nothing could be pinned."""
        with self._lock:
            return self._held + self._beside

    def cost(self, nbytes: int) -> int:
        """Bytes that a buffer of so many takes at the most."""
        if self._pin is None:
            return nbytes if nbytes < SMALL else _whole_pages(nbytes)
        return _rounded(nbytes) if nbytes < SMALL else max(_rounded(nbytes), _whole_pages(nbytes))

    def take(self, nbytes: int) -> Tensor:
        """A buffer of so many bytes, ``[nbytes]`` uint8, with whatever is in it. It comes back by
        itself when the last tensor that shares its memory is dropped.

        Raises:
            MemoryError: the system has no more memory.
        """
        if nbytes < SMALL and self._pin is None:
            return torch.empty(nbytes, dtype=torch.uint8)
        block = self._reused(nbytes)
        if block is None:
            self._make_way(nbytes)
            block = self._new(nbytes) if self._pin is None else self._pinned(nbytes, self._pin)
        if block is None:
            return self._ordinary(nbytes)
        self._note()
        array = np.frombuffer(block, np.uint8) if isinstance(block, mmap.mmap) else block.numpy()
        weakref.finalize(array, self._back, block).atexit = False
        return torch.from_numpy(array)[:nbytes]

    def trim(self, keep: int = 0) -> None:
        """Give all but ``keep`` bytes of the spare buffers back to the system."""
        with self._lock:
            before = len(self._spare)
            while self._spare and self.spare > keep:
                self._spare.pop(0)
            if len(self._spare) < before:
                self._freed()

    def _reused(self, nbytes: int) -> mmap.mmap | Tensor | None:
        with self._lock:
            most = max(nbytes * SLACK, HUGE) if self._pin is None else _rounded(nbytes)
            fitting = [b for b in self._spare if nbytes <= _size(b) <= most]
            if not fitting:
                return None
            best = min(fitting, key=_size)
            self._spare = [b for b in self._spare if b is not best]
            self._held += _size(best)
            return best

    def _ordinary(self, nbytes: int) -> Tensor:
        """Memory that is not used again, where pinned memory was asked for."""
        if nbytes < SMALL:
            array = np.empty(nbytes, np.uint8)
        else:
            array = np.frombuffer(_pages(nbytes), np.uint8)
        with self._lock:
            self._beside += array.nbytes
            self._note()
        weakref.finalize(array, self._gone, array.nbytes).atexit = False
        return torch.from_numpy(array)[:nbytes]

    def _gone(self, nbytes: int) -> None:
        with self._lock:
            self._beside -= nbytes

    def _make_way(self, nbytes: int) -> None:
        """Give spare buffers back where a new one takes more than the bound beside them."""
        with self._lock:
            self.trim(max(0, self.most - self.used - self.cost(nbytes)))

    def _note(self) -> None:
        with self._lock:
            self.peak = max(self.peak, self.used + self.spare)

    def _new(self, nbytes: int) -> mmap.mmap:
        block = _pages(nbytes)
        with self._lock:
            self._held += len(block)
        return block

    def _pinned(self, nbytes: int, pin: Pin) -> mmap.mmap | Tensor | None:
        size = _rounded(nbytes)
        while not self._counted(size):
            if not self._wait():
                return None
            if (block := self._reused(nbytes)) is not None:
                return block
        try:
            return pin(size)
        except RuntimeError as error:
            with self._lock:
                self._held -= size
            self._tell(size, error)
            return None

    def _counted(self, size: int) -> bool:
        """Count so many bytes as held, if the limit allows; spare buffers make way."""
        with self._lock:
            self.trim(max(0, self._limit - self._held - size))
            allowed = self._held + size <= self._limit
            self._held += size if allowed else 0
            return allowed

    def _tell(self, size: int, error: RuntimeError) -> None:
        if not self._told:
            self._told = True
            logging.getLogger(__name__).warning(
                "No %d bytes of host memory can be pinned, so weights come from ordinary memory, "
                "which takes longer (%s).", size, str(error).partition("\n")[0],
            )  # fmt: skip

    def _back(self, block: mmap.mmap | Tensor) -> None:
        with self._lock:
            self._held -= _size(block)
            self._spare.append(block)
            self.trim(self.keep)


def _rounded(nbytes: int) -> int:
    """What torch takes for so many bytes of pinned memory: the next power of two."""
    return max(LEAST, 1 << (nbytes - 1).bit_length())


def _whole_pages(nbytes: int) -> int:
    return max(1, -(-nbytes // HUGE)) * HUGE


def _pages(nbytes: int) -> mmap.mmap:
    nbytes = _whole_pages(nbytes)
    try:
        if sys.platform == "win32":
            return mmap.mmap(-1, nbytes)
        block = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"The system gives no {nbytes} bytes for weights.") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    return block


def _size(block: mmap.mmap | Tensor) -> int:
    return len(block) if isinstance(block, mmap.mmap) else block.nbytes
