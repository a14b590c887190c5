"""Fewer bytes at the same waiting: by hand, and what holds for every trace."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.plan.residency.lookahead import both, write
from backend.plan.residency.machine import Machine
from backend.plan.residency.model import Budget, Link, Piece, Trace, Use, lay_out
from backend.plan.residency.sparing import Run, late_copies, late_reads, spare
from tests.backend.plan.residency.audit import audit
from tests.backend.plan.residency.test_laws import problems


def model(count, passes, on_host=False):
    """A course of blocks of 100 bytes and a second each."""
    pieces = tuple(Piece(f"d{n}", 100) for n in range(count))
    sample = Use("sample", tuple((p.id,) for p in pieces), float(count), repeat=passes)
    there = tuple(p.id for p in pieces) if on_host else ()
    return lay_out(Trace(pieces, (sample,), on_host=there))


def run(course, budget, link, device_bytes, host_bytes):
    """What comes of a choice for so many bytes."""
    choice = both(course, device_bytes, host_bytes)
    machine = Machine(course, budget, link, record=True)
    write(machine, choice)
    return Run(choice, machine)


def test_what_fits_stays_though_the_choice_was_made_for_less():
    """Twelve blocks fit; the choice keeps six of them and streams the others."""
    course = model(12, passes=4, on_host=True)
    before = run(course, Budget(1200, 1200), Link(200.0), 700, 1200)
    after = spare(before.choice, before.machine, 0.0)
    assert before.machine.copied == 2700
    assert after.machine.copied == 1200
    assert after.machine.waiting == before.machine.waiting == 0.5


def test_what_the_host_has_room_for_is_read_once():
    course = model(12, passes=4)
    before = run(course, Budget(500, 1200), Link(400.0, 200.0), 400, 500)
    after = spare(before.choice, before.machine, 0.0)
    assert before.machine.read_bytes > 1500
    assert after.machine.read_bytes == 1200
    assert after.machine.waiting == before.machine.waiting == 0.5


def test_how_late_copies_and_reads_could_be():
    """A copy takes half a second and a read a quarter, and each block computes for a second."""
    course = model(3, passes=1)
    found = run(course, Budget(300, 300), Link(200.0, 400.0), 300, 300)
    copies = late_copies(found)
    assert copies.begin == (0.0, 1.0, 2.0)
    assert copies.end == (0.5, 1.5, 2.5)
    assert copies.after == (0, 0, 1)  # the first block computes from 0.5 to 1.5
    reads = late_reads(found, copies)
    # A copy begins no sooner than its read; all copies have in fact ended by 1.5 seconds.
    assert reads.begin == (0.0, 1.0, 2.0)
    assert reads.after == (0, 1, 2)


def test_what_would_wait_less_is_only_taken_where_that_is_asked_for():
    course = model(12, passes=4, on_host=True)
    before = run(course, Budget(800, 1200), Link(50.0), 400, 1200)
    waited = before.machine.waiting
    assert spare(before.choice, before.machine, waited).choice is before.choice
    less = spare(before.choice, before.machine, 0.0).machine
    assert less.waiting <= waited - 5
    assert less.copied < before.machine.copied == 3600


@given(problems(), st.integers(0, 30), st.integers(0, 30))
@settings(max_examples=100, deadline=None)
def test_nothing_gets_worse_and_no_rule_is_broken(problem, device, host):
    trace, budget, link = problem
    course = lay_out(trace)
    before = run(course, budget, link, min(device, budget.device), min(host, budget.host))
    after = spare(before.choice, before.machine, 0.0).machine
    assert after.waiting <= before.machine.waiting
    assert after.copied <= before.machine.copied
    assert after.read_bytes <= before.machine.read_bytes
    audit(course, budget, link, after.events)


@pytest.mark.parametrize("speed", [100.0, math.inf])
def test_nothing_to_spare_leaves_the_choice(speed):
    course = model(4, passes=1)
    before = run(course, Budget(400, 400), Link(speed, speed), 400, 400)
    assert spare(before.choice, before.machine, 0.0).choice is before.choice
