"""What holds for every trace: budgets, the bound, the optimum, the references, more memory."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from backend.plan.residency.bound import bound
from backend.plan.residency.machine import Machine
from backend.plan.residency.model import Budget, Course, Link, Piece, Trace, Use, lay_out
from backend.plan.residency.planner import Found, plan, search
from backend.plan.residency.reference import least_recent, least_recent_ahead, load_per_prompt
from tests.backend.plan.residency.audit import audit
from tests.backend.plan.residency.exact import least_waiting

ROUNDING = 1e-9


@st.composite
def problems(draw, pieces=6, steps=5, turns=3, extra=12, two_links=True):
    """A trace with budgets that run it, and links."""
    count = draw(st.integers(1, pieces))
    sizes = draw(st.lists(st.integers(1, 5), min_size=count, max_size=count))
    names = [f"p{n}" for n in range(count)]
    block = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True).map(tuple)
    uses = tuple(
        Use(
            f"u{n}",
            tuple(draw(st.lists(block, min_size=1, max_size=3))),
            draw(st.integers(0, 8)) / 2,
            draw(st.integers(0, 4)),
            draw(st.integers(0, 3)),
            str(draw(st.integers(0, 2))),
            draw(st.integers(1, turns)),
        )
        for n in range(draw(st.integers(1, steps)))
    )
    made = tuple(Piece(name, size) for name, size in zip(names, sizes, strict=True))
    there = tuple(names) if not two_links or draw(st.booleans()) else ()
    trace = Trace(made, uses, on_host=there)
    course = lay_out(trace)
    device = course.least_device + draw(st.integers(0, extra))
    host = course.least_host + draw(st.integers(0, extra)) * two_links
    disk = draw(st.sampled_from([0.5, 1.0, 3.0])) if two_links else float("inf")
    return trace, Budget(device, host), Link(draw(st.sampled_from([1.0, 2.0])), disk)


def found_for(course: Course, budget: Budget, link: Link) -> Found:
    return search(course, budget, link, bound(course, budget, link))


def run(policy, course, budget, link):
    machine = Machine(course, budget, link, record=True)
    policy(machine)
    return machine


@given(problems())
@settings(max_examples=100, deadline=None)
def test_no_policy_breaks_a_rule_and_peaks_are_counted_right(problem):
    trace, budget, link = problem
    course = lay_out(trace)
    found = found_for(course, budget, link)
    policies = [
        (found.drive, found.machine.budget),
        (least_recent, budget),
        (least_recent_ahead, budget),
        (load_per_prompt, budget),
    ]
    for policy, given_budget in policies:
        machine = run(policy, course, given_budget, link)
        device, host = audit(course, budget, link, machine.events)
        assert machine.done
        assert device <= machine.device_peak <= budget.device
        assert host <= machine.host_peak <= budget.host


@given(problems())
@settings(max_examples=100, deadline=None)
def test_nobody_beats_the_bound_and_the_plan_never_waits_longer_than_least_recently_used(problem):
    trace, budget, link = problem
    course = lay_out(trace)
    limit = bound(course, budget, link)
    found = found_for(course, budget, link).machine
    recent = run(least_recent, course, budget, link)
    assert found.waiting <= recent.waiting + ROUNDING
    for machine in (
        found,
        recent,
        run(least_recent_ahead, course, budget, link),
        run(load_per_prompt, course, budget, link),
    ):
        assert limit.waiting <= machine.waiting + ROUNDING
        assert limit.copied <= machine.copied
        assert limit.read <= machine.read_bytes


@given(problems(pieces=4, steps=3, turns=2, extra=4, two_links=False))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_the_optimum_lies_between_the_bound_and_the_plan(problem):
    least, exact, planned = waits(problem)
    assert least <= exact + ROUNDING
    assert exact <= planned + ROUNDING


@given(problems(pieces=3, steps=2, turns=1, extra=3))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_so_it_does_with_a_disk(problem):
    least, exact, planned = waits(problem)
    assert least <= exact + ROUNDING
    assert exact <= planned + ROUNDING


def waits(problem):
    """How long is waited by the bound, at the optimum, and by the plan, of a small problem."""
    trace, budget, link = problem
    course = lay_out(trace)
    assume(course.size <= 6)
    exact = least_waiting(course, budget, link)
    assume(exact is not None)
    planned = found_for(course, budget, link).machine.waiting
    return bound(course, budget, link).waiting, exact, planned


@given(problems(), st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=100, deadline=None)
def test_more_memory_never_costs_time(problem, device, host):
    trace, budget, link = problem
    course = lay_out(trace)
    larger = Budget(budget.device + device, budget.host + host)
    before = found_for(course, budget, link).machine.waiting
    assert found_for(course, larger, link).machine.waiting <= before * (1 + 2e-9) + ROUNDING


@given(problems())
@settings(max_examples=50, deadline=None)
def test_the_same_trace_gives_the_same_plan(problem):
    assert plan(*problem) == plan(*problem)
