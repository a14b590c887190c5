"""What goes wrong while weights come: blocks that the last pass did not call, a device that is
full, a reader that ends. Whoever waits hears of it; nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from backend.memory.course import Visit
from backend.memory.reader import Closed
from backend.memory.residency import Residency
from tests.backend.memory.networks import BLOCK, WIDTH, Kept, Stack

X = torch.linspace(-1, 1, 2 * WIDTH).reshape(2, WIDTH)


def ran(residency: Residency, key: str, net: Stack, order: list[int]) -> torch.Tensor:
    residency.enter(key)
    with torch.no_grad():
        return net(X, order)


def true(blocks: int, order: list[int], seed: int = 0) -> torch.Tensor:
    with torch.no_grad():
        return Stack(blocks, seed)(X, order)


def test_each_pass_may_call_other_blocks_than_the_last() -> None:
    """As a VAE does that encodes and then decodes, or a guidance that skips blocks."""
    residency = Residency(4 * BLOCK)
    net = Stack(6)
    residency.add("net", net, Kept(net))
    for order in ([0, 1, 2], [3, 4, 5], [5, 1, 3], [0], [4, 2, 0]):
        residency.expect([Visit("net", 2)])
        for _ in range(2):
            assert torch.equal(ran(residency, "net", net, order), true(6, order))
        residency.leave()
    residency.close()


def test_a_network_of_which_a_pass_calls_a_part_streams_outside_of_steps_too() -> None:
    residency = Residency(6 * BLOCK)
    net = Stack(6)
    residency.add("net", net, Kept(net))
    for order in ([0, 1], [0, 1, 2, 3, 4, 5]):
        assert torch.equal(ran(residency, "net", net, order), true(6, order))
        residency.leave()
    residency.close()


def test_networks_of_one_step_need_not_fit_together() -> None:
    residency = Residency(3 * BLOCK)
    one, two = Stack(3, 1), Stack(3, 2)
    residency.add("one", one, Kept(one))
    residency.add("two", two, Kept(two))
    residency.expect([Visit("one"), Visit("two")])
    for key, net, seed in (("one", one, 1), ("two", two, 2)):
        assert torch.equal(ran(residency, key, net, [0, 1, 2]), true(3, [0, 1, 2], seed))
    residency.leave()
    assert residency.peak <= 3 * BLOCK
    residency.close()


def test_what_is_set_aside_and_gives_way_is_not_counted_in_the_peak() -> None:
    residency = Residency(6 * BLOCK)
    one, two = Stack(3, 1), Stack(3, 2)
    residency.add("one", one, Kept(one))
    residency.add("two", two, Kept(two))
    residency.expect([Visit("one", 1, 3 * BLOCK), Visit("two", 1, 3 * BLOCK)])
    ran(residency, "one", one, [0, 1, 2])
    ran(residency, "two", two, [0, 1, 2])
    assert residency.peak == 6 * BLOCK
    residency.close()


class Full(Kept):
    """Weights of which some cannot be put on the device, for as long as it is full."""

    full = True

    def place(self, raws: Mapping[str, Any]) -> None:
        if self.full and "blocks.1.weight" in raws:
            self._set("blocks.1.weight", raws["blocks.1.weight"])
            self.there.add("blocks.1.weight")
            raise MemoryError("the device is full")
        super().place(raws)


def test_a_device_that_is_full_is_told_where_the_block_is_needed() -> None:
    residency = Residency(20 * BLOCK)
    net = Stack(3)
    kept = Full(net)
    residency.add("net", net, kept)
    residency.expect([Visit("net")])
    with pytest.raises(MemoryError, match="device is full"):
        ran(residency, "net", net, [0, 1, 2])
    residency.leave()
    assert "blocks.1.weight" not in kept.there
    kept.full = False
    residency.expect([Visit("net")])
    assert torch.equal(ran(residency, "net", net, [0, 1, 2]), true(3, [0, 1, 2]))
    residency.close()


def test_a_reader_that_ends_before_its_time_is_told_and_made_anew() -> None:
    """A fault in what counts, which the thread that waits must hear of."""
    told: list[int] = []

    def trim(nbytes: int) -> None:
        told.append(nbytes)
        if len(told) == 1:
            raise LookupError("a fault")

    residency = Residency(20 * BLOCK, trim)
    net = Stack(3)
    residency.add("net", net, Kept(net))
    residency.expect([Visit("net")])
    with pytest.raises(LookupError, match="a fault"):
        ran(residency, "net", net, [0, 1, 2])
    residency.close()


def test_nobody_waits_for_what_is_closed() -> None:
    residency = Residency(20 * BLOCK)
    net = Stack(3)
    residency.add("net", net, Kept(net))
    residency.close()
    with pytest.raises(Closed):
        ran(residency, "net", net, [0, 1, 2])


def test_reads_ahead_that_failed_are_tried_again_for_the_next_step() -> None:
    """A file that was away for a while, on a share that is back."""
    broken, failed = {"blocks.1.weight", "blocks.2.weight"}, threading.Event()

    def before(name: str) -> None:
        if name in broken:
            if name == "blocks.2.weight":
                failed.set()
            raise OSError("the share is gone")

    residency = Residency(4 * BLOCK)
    net = Stack(4)
    residency.add("net", net, Kept(net, before))
    residency.expect([Visit("net", 2)])
    ran(residency, "net", net, [0])
    assert failed.wait(30)
    residency.leave()
    broken.clear()
    residency.expect([Visit("net", 2)])
    assert torch.equal(ran(residency, "net", net, [0, 1, 2, 3]), true(4, [0, 1, 2, 3]))
    residency.close()


def test_blocks_that_the_last_pass_left_out_may_go_and_are_waited_for() -> None:
    residency = Residency(7 * BLOCK)
    net = Stack(4)
    residency.add("net", net, Kept(net))
    ran(residency, "net", net, [0, 1])  # outside of a step all of it is loaded
    residency.leave()
    residency.expect([Visit("net")])
    residency.enter("net")
    residency.make_room(3 * BLOCK)  # as for what is read ahead
    assert residency.resident()["net"] == 4 * BLOCK
    with torch.no_grad():
        assert torch.equal(net(X), true(4, [0, 1, 2, 3]))
    residency.close()
