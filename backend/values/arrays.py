"""Read-only arrays: the form in which every tensor travels on a link."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


def freeze(array: object, ndim: int | None = None) -> Float32:
    """Return ``array`` as contiguous, finite-agnostic float32 that nobody can write to.

    An array that already is such is returned as it is; anything else is copied, so that a caller
    who keeps the original cannot change a value behind a digest.

    Raises:
        ValueError: the array does not have ``ndim`` dimensions, or is not numeric.
    """
    given = np.asarray(array)
    if given.dtype.kind not in "fiub":
        raise ValueError(f"expected numbers, got an array of {given.dtype}")
    if ndim is not None and given.ndim != ndim:
        raise ValueError(f"expected {ndim} dimensions, got {given.ndim} (shape {given.shape})")
    if given.dtype == np.float32 and given.flags.c_contiguous and _nobody_writes(given):
        return given
    frozen = np.array(given, dtype=np.float32, order="C", copy=True)
    frozen.setflags(write=False)
    return frozen


def _nobody_writes(array: object) -> bool:
    """Whether neither an array nor whatever memory it is a view of can be written to."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base
    return array is None or isinstance(array, bytes)
