"""What is loaded when, with real networks, real threads, and budgets from ample to one block."""

from __future__ import annotations

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.memory.course import Visit
from backend.memory.errors import NoRoom
from backend.memory.residency import Residency
from tests.backend.memory.networks import BLOCK, WIDTH, Kept, Stack


def make(residency: Residency, key: str, blocks: int, seed: int = 0) -> tuple[Stack, Kept]:
    net = Stack(blocks, seed)
    kept = Kept(net)
    residency.add(key, net, kept)
    return net, kept


def expected(blocks: int, seed: int, x: torch.Tensor, passes: int) -> torch.Tensor:
    """What a network gives that was never taken apart."""
    net = Stack(blocks, seed)
    with torch.no_grad():
        for _ in range(passes):
            x = net(x)
    return x


def run(net: Stack, x: torch.Tensor, passes: int) -> torch.Tensor:
    with torch.no_grad():
        for _ in range(passes):
            x = net(x)
    return x


X = torch.linspace(-1, 1, 2 * WIDTH).reshape(2, WIDTH)


@pytest.mark.parametrize("room", [3, 4, 5, 8, 12, 20])
def test_a_network_larger_than_the_budget_gives_the_same_bits(room: int) -> None:
    residency = Residency(room * BLOCK)
    net, kept = make(residency, "big", 10)
    residency.expect([Visit("big", 5)])
    residency.enter("big")
    made = run(net, X, 5)
    residency.leave()
    assert torch.equal(made, expected(10, 0, X, 5))
    assert kept.most <= room * BLOCK
    assert residency.peak <= room * BLOCK
    residency.close()
    assert residency.taken == 0


def test_what_fits_is_read_once_and_leaves_no_hook() -> None:
    residency = Residency(100 * BLOCK)
    net, kept = make(residency, "small", 6)
    for _ in range(3):
        residency.expect([Visit("small", 4)])
        residency.enter("small")
        run(net, X, 4)
        residency.leave()
    assert sorted(kept.reads) == sorted(kept.sizes)
    residency.expect([Visit("small", 4)])
    residency.enter("small")
    assert not any(block._forward_pre_hooks for block in net.blocks)
    residency.close()


def test_a_part_of_what_does_not_fit_stays_from_pass_to_pass() -> None:
    residency = Residency(8 * BLOCK)
    net, kept = make(residency, "big", 10)
    residency.expect([Visit("big", 20)])
    residency.enter("big")
    run(net, X, 20)
    residency.close()
    assert len(kept.reads) < 0.75 * 20 * 10


def test_the_next_network_is_read_while_this_one_computes() -> None:
    residency = Residency(100 * BLOCK)
    one, _ = make(residency, "one", 4)
    _, two = make(residency, "two", 4)
    residency.expect([Visit("one", 1)], [Visit("two", 1)])
    residency.enter("one")
    run(one, X, 1)
    deadline = threading.Event()
    for _ in range(200):
        if len(two.reads) == len(two.sizes):
            break
        deadline.wait(0.02)
    assert sorted(two.reads) == sorted(two.sizes)
    residency.close()


def test_what_is_needed_next_stays_and_what_nobody_needs_goes() -> None:
    residency = Residency(16 * BLOCK)
    for key in ("one", "two", "three"):
        net, _ = make(residency, key, 4)
        residency.expect([Visit(key, 1)], [Visit("one", 1)])
        residency.enter(key)
        run(net, X, 1)
        residency.leave()
    assert residency.resident()["one"] == 6 * BLOCK
    assert residency.taken <= 16 * BLOCK
    residency.close()


@settings(max_examples=40, deadline=None)
@given(
    room=st.integers(3, 30),
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.integers(0, 3)),
        min_size=1,
        max_size=6,
    ),
    told=st.booleans(),
    order=st.permutations(list(range(7))),
)
def test_any_steps_under_any_budget_give_the_same_bits_and_stay_within_it(
    room: int, steps: list[tuple[str, int, int]], told: bool, order: list[int]
) -> None:
    residency = Residency(room * BLOCK)
    nets = {key: make(residency, key, 7, n) for n, key in enumerate("abc")}
    for i, (key, passes, aside) in enumerate(steps):
        later = [Visit(k, p) for k, p, _ in steps[i + 1 :]]
        if told:
            residency.expect([Visit(key, passes, aside * BLOCK)], later)
        residency.enter(key)
        net, x = nets[key][0], X
        true = Stack(7, "abc".index(key))
        with torch.no_grad():
            for _ in range(passes + 1):  # once more than told
                assert torch.equal(net(x, order), true(x, order))
        residency.leave()
        assert sum(kept.nbytes for _, kept in nets.values()) <= room * BLOCK
    assert residency.peak <= room * BLOCK
    residency.close()
    assert residency.taken == 0


def test_a_budget_below_one_block_is_refused_in_words() -> None:
    residency = Residency(2 * BLOCK)
    make(residency, "big", 3)
    residency.expect([Visit("big", 1)])
    with pytest.raises(NoRoom, match=r"big needs 48 KiB at once .* budget is 32 KiB. Raise it"):
        residency.enter("big")
    residency.close()


def test_a_file_that_fails_is_told_where_its_block_is_needed_and_can_be_tried_again() -> None:
    residency = Residency(20 * BLOCK)
    net = Stack(4)
    broken = {"blocks.2.weight"}

    def before(name: str) -> None:
        if name in broken:
            raise OSError("the disk is gone")

    residency.add("net", net, Kept(net, before))
    residency.expect([Visit("net", 1)])
    residency.enter("net")
    with pytest.raises(OSError, match="disk is gone"):
        run(net, X, 1)
    residency.leave()
    broken.clear()
    residency.expect([Visit("net", 1)])
    residency.enter("net")
    assert torch.equal(run(net, X, 1), expected(4, 0, X, 1))
    residency.close()


def test_a_cancel_is_heard_while_a_block_is_waited_for() -> None:
    class Cancel(Exception):
        """Raised by the check."""

    residency = Residency(20 * BLOCK)
    net, go = Stack(4), threading.Event()
    cancelled = threading.Event()

    def before(name: str) -> None:
        if name == "blocks.1.weight":
            cancelled.set()
            go.wait(30)

    def check() -> None:
        if cancelled.is_set():
            raise Cancel

    residency.add("net", net, Kept(net, before))
    residency.expect([Visit("net", 1)])

    def step() -> None:
        residency.enter("net", check)
        run(net, X, 1)

    with pytest.raises(Cancel):
        step()
    residency.leave()
    go.set()
    residency.expect([Visit("net", 1)])
    residency.enter("net")
    assert torch.equal(run(net, X, 1), expected(4, 0, X, 1))
    residency.close()


def test_what_is_loaded_as_a_whole_goes_when_room_is_needed() -> None:
    residency = Residency(10 * BLOCK)
    gone: list[str] = []
    residency.add_whole("old", 3 * BLOCK, lambda: gone.append("old"))
    residency.add_whole("older", 2 * BLOCK, lambda: gone.append("older"))
    net, _ = make(residency, "net", 6)
    residency.expect([Visit("net", 1)])
    residency.enter("net")
    run(net, X, 1)
    assert gone == ["old"]
    assert residency.knows("older")
    assert not residency.knows("old")
    residency.close()


def test_what_is_being_read_is_let_go_of_too() -> None:
    residency = Residency(20 * BLOCK)
    net, begun, go = Stack(4), threading.Event(), threading.Event()

    def before(name: str) -> None:
        if name == "blocks.3.weight":
            begun.set()
            go.wait(30)

    kept = Kept(net, before)
    residency.add("net", net, kept)
    residency.expect([Visit("net", 1)])
    residency.enter("net")
    assert begun.wait(30)
    residency.leave()
    clearing = threading.Thread(target=residency.clear)
    clearing.start()
    go.set()
    clearing.join(30)
    assert not clearing.is_alive()
    read = len(kept.reads)
    assert residency.taken == 0
    assert kept.nbytes == 0
    residency.close()
    assert len(kept.reads) == read
