"""Host memory for weights: whole pages from the system, given back at once or kept warm for reuse.

The memory that the system gives is touched first by the read that fills it, which takes a fault per
page; pages of 2 MiB, where the system has them, make that five hundred times fewer.
"""

from __future__ import annotations

import mmap
import sys
import threading
import weakref

import numpy as np
import torch
from torch import Tensor

HUGE = 2 * 2**20
"""Bytes of a huge page."""
SMALL = 2**20
"""Buffers below this come from the ordinary allocator."""
SLACK = 1.25
"""How much larger than asked for a kept buffer may be to be used again."""


class Buffers:
    """Gives buffers of bytes, and takes those back that nobody holds any more.

    Up to ``keep`` bytes of them stay for the next that asks: their pages are there already, and, if
    they are ``pinned``, a device can copy from them while it computes. Safe from several threads.
    """

    def __init__(self, keep: int = 0, pinned: bool = False) -> None:
        self.keep = keep
        self._pinned = pinned
        self._spare: list[mmap.mmap | Tensor] = []
        self._held = 0
        # A buffer may come back while another one is being given: the collector runs anywhere.
        self._lock = threading.RLock()

    @property
    def spare(self) -> int:
        """Bytes of the buffers that are kept and not in use."""
        with self._lock:
            return sum(_size(each) for each in self._spare)

    @property
    def held(self) -> int:
        """Bytes of the buffers in use."""
        return self._held

    def take(self, nbytes: int) -> Tensor:
        """A buffer of so many bytes, ``[nbytes]`` uint8, with whatever is in it. It comes back by
        itself when the last tensor that shares its memory is dropped.

        Raises:
            MemoryError: the system has no more memory.
        """
        if nbytes < SMALL and not self._pinned:
            return torch.empty(nbytes, dtype=torch.uint8)
        block = self._reused(nbytes) or self._new(-(-nbytes // HUGE) * HUGE)
        array = np.frombuffer(block, np.uint8) if isinstance(block, mmap.mmap) else block.numpy()
        with self._lock:
            self._held += array.nbytes
        weakref.finalize(array, self._back, block).atexit = False
        return torch.from_numpy(array)[:nbytes]

    def trim(self, keep: int = 0) -> None:
        """Give all but ``keep`` bytes of the spare buffers back to the system."""
        with self._lock:
            while self._spare and self.spare > keep:
                self._spare.pop(0)

    def _reused(self, nbytes: int) -> mmap.mmap | Tensor | None:
        with self._lock:
            fitting = [b for b in self._spare if nbytes <= _size(b) <= max(nbytes * SLACK, HUGE)]
            if not fitting:
                return None
            best = min(fitting, key=_size)
            self._spare = [b for b in self._spare if b is not best]
            return best

    def _new(self, nbytes: int) -> mmap.mmap | Tensor:
        if self._pinned:
            return torch.empty(nbytes, dtype=torch.uint8, pin_memory=True)
        try:
            if sys.platform == "win32":
                return mmap.mmap(-1, nbytes)
            block = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError as error:
            raise MemoryError(f"The system gives no {nbytes} bytes for weights.") from error
        if hasattr(mmap, "MADV_HUGEPAGE"):
            block.madvise(mmap.MADV_HUGEPAGE)
        return block

    def _back(self, block: mmap.mmap | Tensor) -> None:
        with self._lock:
            self._held -= _size(block)
            self._spare.append(block)
            self.trim(self.keep)


def _size(block: mmap.mmap | Tensor) -> int:
    return len(block) if isinstance(block, mmap.mmap) else block.nbytes
