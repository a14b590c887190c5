"""What work takes at its peak, measured on this process."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from backend.memory.gauge import HostGauge

MIB = 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process its peak")
def test_the_peak_between_counts_and_what_was_before_does_not() -> None:
    before = np.ones(64 * MIB, np.uint8)
    gauge = HostGauge()
    gauge.begin()
    del before
    for _ in range(3):
        np.ones(200 * MIB, np.uint8)
    peak = gauge.peak()
    assert peak is not None
    assert 130 * MIB < peak < 300 * MIB
    gauge.begin()
    assert gauge.peak() < 40 * MIB
