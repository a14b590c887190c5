"""Plans of traces whose best plan can be told by hand."""

from __future__ import annotations

import math

import pytest

from backend.plan.residency.bound import bound
from backend.plan.residency.machine import Machine
from backend.plan.residency.model import (
    Budget,
    Link,
    Piece,
    Trace,
    TraceError,
    Use,
    lay_out,
)
from backend.plan.residency.planner import plan, search
from backend.plan.residency.reference import least_recent, load_per_prompt
from tests.backend.plan.residency.audit import audit
from tests.backend.plan.residency.traces import random_cases
from tests.backend.plan.residency.written import written

GIB = 1 << 30
MIB = 1 << 20


def blocks(name, count, nbytes):
    return tuple(Piece(f"{name}{n}", nbytes) for n in range(count))


def sampling(pieces, steps, seconds, activation=0, job=""):
    needs = tuple((piece.id,) for piece in pieces)
    return Use(f"sample {job}", needs, seconds, activation, 0, job, steps)


def loads(made, kind):
    return [action.what for action in made.actions if action.kind == kind]


def test_what_fits_is_loaded_once_and_computed_as_it_arrives():
    model = blocks("d", 10, 100)
    trace = Trace(model, (sampling(model, 20, 20.0),))
    made = plan(trace, Budget(2000, 2000), Link(100.0, math.inf))
    assert made.waiting == pytest.approx(1.0)  # for the first block; the others come meanwhile
    assert made.copied == made.read == 1000
    assert loads(made, "load") == [piece.id for piece in model]
    assert not loads(made, "stream")
    assert made.seconds == pytest.approx(made.compute + made.waiting)


def test_a_model_twice_the_card_keeps_a_part_and_streams_the_rest_behind_the_compute():
    """As EnergonAI (Du et al., 2022) does with a second GPU: what does not fit is fetched ahead."""
    model = blocks("d", 20, 100)
    trace = Trace(model, (sampling(model, 10, 20.0),), on_host=tuple(p.id for p in model))
    made = plan(trace, Budget(1000, 2000), Link(100.0, math.inf))
    transfer = made.copied / 100.0
    assert 1 - made.waiting / transfer >= 0.6
    assert made.waiting == pytest.approx(1.0)  # nothing but the first block
    assert made.device_peak <= 1000
    # Twice as slow a link: what stays lies between what streams, so that the link never rests.
    slow = plan(trace, Budget(1000, 2000), Link(50.0, math.inf))
    assert slow.waiting <= 1.6 * slow.bound.waiting
    streamed = {what for what in loads(slow, "stream")}
    kept = {action.what for action in slow.actions if action.kind == "keep"}
    assert len(kept - streamed) >= 5


def test_of_plans_that_wait_the_same_it_is_one_that_moves_little():
    """The denoiser fits once the text encoder has gone: each block is loaded once, though with
    less kept and more loaded ahead nobody would wait longer."""
    text, model = blocks("t", 6, 100), blocks("d", 12, 100)
    uses = (sampling(text, 1, 6.0, job="text"), sampling(model, 4, 12.0))
    made = plan(Trace((*text, *model), uses), Budget(1200, 4000), Link(200.0, math.inf))
    assert made.waiting == made.bound.waiting == 0.5
    assert made.copied == made.read == 1800


def test_the_next_model_is_read_while_the_current_one_computes():
    first, second = blocks("a", 4, 100), blocks("b", 4, 100)
    trace = Trace((*first, *second), (sampling(first, 10, 10.0), sampling(second, 10, 10.0)))
    made = plan(trace, Budget(700, 800), Link(1000.0, 100.0))
    assert made.waiting == pytest.approx(1.0)
    begun = {a.what: a.start for a in made.actions if a.kind == "read"}
    assert max(begun.values()) < 10.0


def test_an_adapter_is_changed_without_reloading_the_base():
    base = blocks("d", 5, 1000)
    adapters = [blocks(f"lora{n}.", 5, 20) for n in range(3)]
    uses = [
        Use(f"job {n}", tuple((a.id, b.id) for a, b in zip(base, lora, strict=True)), 5.0)
        for n, lora in enumerate([*adapters, *adapters])
    ]
    trace = Trace((*base, *adapters[0], *adapters[1], *adapters[2]), tuple(uses))
    made = plan(trace, Budget(5300, 6000), Link(1000.0, math.inf))
    assert made.read == 5 * 1000 + 3 * 100
    copies = loads(made, "load") + loads(made, "stream")
    assert all(copies.count(piece.id) == 1 for piece in base)


def test_a_batch_of_a_hundred_prompts_loads_each_component_once():
    text, denoiser, decoder = blocks("t", 4, 600), blocks("d", 10, 400), blocks("v", 1, 300)
    uses = [
        Use(f"{part[0].id} {job}", tuple((p.id,) for p in part), 1.0, 100, 50, str(job))
        for part in (text, denoiser, decoder)
        for job in range(100)
    ]
    trace = Trace((*text, *denoiser, *decoder), tuple(uses))
    made = plan(trace, Budget(5000, 8000), Link(1000.0, 500.0))
    assert made.copied == made.read == 2400 + 4000 + 300
    anew = Machine(lay_out(trace), Budget(5000, 8000), Link(1000.0, 500.0))
    load_per_prompt(anew)
    assert anew.read_bytes == 100 * (2400 + 4000 + 300)


def test_a_device_that_is_too_small_is_told_with_what_would_help():
    decode = Use("decode", (("vae",),), 1.0, 3 * GIB)
    made = plan(
        Trace((Piece("vae", 512 * MIB),), (decode,)), Budget(2 * GIB, 4 * GIB), Link(1e9, 1e9)
    )
    assert not made.fits
    assert not made.actions
    assert made.misfit.sentence == (
        "Step 'decode' needs 3.50 GiB on the device at once, 512.0 MiB for vae and 3.00 GiB to "
        "compute in; the budget is 2.00 GiB."
    )
    assert made.misfit.cures == (
        "compute in 1.50 GiB or less there (smaller tiles, a smaller batch or picture)",
        "a device budget of 3.50 GiB",
    )
    needs = made.misfit.needs
    assert plan(Trace((Piece("vae", 512 * MIB),), (decode,)), needs, Link(1e9, 1e9)).fits


def test_a_piece_larger_than_the_device_or_the_host_is_told():
    trace = Trace((Piece("d", 4 * GIB),), (Use("sample", (("d",),), 1.0, 0, GIB),))
    made = plan(trace, Budget(3 * GIB, 8 * GIB), Link(1e9))
    assert made.misfit.cures[0].startswith("pieces smaller by 1.00 GiB")
    made = plan(trace, Budget(4 * GIB, 4 * GIB), Link(1e9))
    assert made.misfit.sentence == (
        "Host memory must hold 1.00 GiB of values and 4.00 GiB of weights at once; the budget is "
        "4.00 GiB."
    )


@pytest.mark.parametrize(
    ("trace", "words"),
    [
        (Trace((Piece("a", 1), Piece("a", 2)), ()), "two pieces 'a'"),
        (Trace((), (Use("u", (("x",),), 1.0),)), "no piece 'x', which is named in step 'u'"),
        (Trace((Piece("a", -1),), ()), "negative size"),
        (Trace((), (Use("u", (), math.nan),)), "takes nan seconds"),
        (Trace((), (Use("u", (), 1.0, repeat=0),)), "repeated less than once"),
        (Trace((Piece("a", 1),), (), on_host=("a", "a")), "named twice on the host"),
    ],
)
def test_a_trace_that_contradicts_itself_is_refused(trace, words):
    with pytest.raises(TraceError, match=words):
        plan(trace, Budget(10, 10), Link(1.0))


def test_nothing_to_do_takes_no_time():
    made = plan(Trace((), ()), Budget(0, 0), Link(1.0))
    assert made.fits
    assert (made.seconds, made.actions) == (0.0, ())


def test_what_is_on_the_device_already_is_not_loaded_again():
    model = blocks("d", 4, 100)
    names = tuple(piece.id for piece in model)
    trace = Trace(model, (sampling(model, 2, 2.0),), on_device=names[:2], on_host=names[2:])
    made = plan(trace, Budget(400, 400), Link(100.0, 1.0))
    assert sorted(loads(made, "load")) == ["d2", "d3"]
    assert made.read == 0


def test_actions_agree_with_the_clock():
    model = blocks("d", 6, 100)
    trace = Trace(model, (sampling(model, 3, 3.0, 50, "a"), sampling(model, 2, 3.0, 80, "b")))
    made = plan(trace, Budget(450, 600), Link(300.0, 200.0))
    uses = [action for action in made.actions if action.kind == "use"]
    assert [action.what for action in uses] == ["sample a", "sample b"]
    assert uses[-1].end == pytest.approx(made.seconds)
    assert sum(a.nbytes for a in made.actions if a.kind in ("load", "stream")) == made.copied
    assert sum(a.nbytes for a in made.actions if a.kind == "read") == made.read
    keeps = [action for action in made.actions if action.kind == "keep"]
    assert all(action.end >= action.start for action in keeps)


@pytest.mark.parametrize("case", [*written(), *random_cases(3, 15)], ids=lambda case: case.name)
def test_real_sizes_stay_within_every_rule(case):
    course = lay_out(case.trace)
    limit = bound(course, case.budget, case.link)
    found = search(course, case.budget, case.link, limit)
    machine = Machine(course, found.machine.budget, case.link, record=True)
    found.drive(machine)
    audit(course, case.budget, case.link, machine.events)
    assert machine.waiting == found.machine.waiting >= limit.waiting * (1 - 1e-9)
    recent = Machine(course, case.budget, case.link)
    least_recent(recent)
    assert machine.waiting <= recent.waiting


def test_where_least_recently_used_waits_less_it_is_the_plan():
    sizes = {"a": 4, "b": 3, "c": 4}
    pieces = tuple(Piece(name, nbytes) for name, nbytes in sizes.items())
    steps = [("c", 0.0, 0), ("b", 0.0, 3), ("a", 0.0, 0), ("b", 1.0, 3)]
    uses = tuple(Use(f"{n}", ((name,),), s, a) for n, (name, s, a) in enumerate(steps))
    made = plan(Trace(pieces, uses, on_host=tuple(sizes)), Budget(7, 100), Link(1.0))
    assert (made.policy, made.waiting) == ("least recent", 11.0)
