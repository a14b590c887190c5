"""Which steps of waiting jobs are taken ahead, counted by what is loaded how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from backend.plan.ahead import Turn, by_weights, turns_ahead
from backend.plan.needs import Block, Component, Loop, Need, Needs, Used
from backend.plan.residency.model import Budget
from backend.values import Weights

MIB = 2**20
SIZES = {"text": 3, "net": 8, "vae": 4, "other net": 9, "other vae": 2}
COMPONENTS = {
    name: Component(name, Weights("flux", name, name, ""), "f32", (Block("", 0, size * MIB),))
    for name, size in SIZES.items()
}
ROOMY = 2**30


def job(*names: str, result: int = 1000) -> Needs:
    """A job with a step for each component, one behind the other."""
    steps = [f"{place} {name}" for place, name in enumerate(names)]
    needs = (
        Need(step, name, (Used(name),), result=result, after=tuple(steps[:place][-1:]))
        for place, (step, name) in enumerate(zip(steps, names, strict=True))
    )
    return Needs(tuple(needs), {name: COMPONENTS[name] for name in names})


def told(jobs: Sequence[Needs], budget: int, values: int = ROOMY) -> tuple[Turn, ...]:
    return turns_ahead(jobs, Budget(budget * MIB, values), dict.fromkeys(COMPONENTS, 1.0))


def loads(jobs: Sequence[Needs], turns: Sequence[Turn], budget: int) -> Counter[str]:
    """How often each component is loaded: the turns, then job by job what they left, on a device
    that lets go of what was used longest ago."""
    done = {(turn.job, step) for turn in turns for step in turn.steps}
    order = [(turn.job, step) for turn in turns for step in turn.steps]
    order += [
        (number, need.step) for number, needs in enumerate(jobs) for need in needs.needs
        if (number, need.step) not in done
    ]  # fmt: skip
    held: list[str] = []
    found: Counter[str] = Counter()
    for number, step in order:
        name = next(need.type for need in jobs[number].needs if need.step == step)
        if name in held:
            held.remove(name)
        else:
            found[name] += 1
        held.append(name)
        while sum(SIZES[each] for each in held) > budget:
            held.pop(0)
    return found


def test_texts_of_all_come_first_then_all_samplings_and_each_model_is_loaded_once() -> None:
    jobs = [job("text", "net", "vae")] * 4
    turns = told(jobs, 9)
    assert [(turn.job, turn.steps) for turn in turns] == [
        *((number, ("0 text",)) for number in range(4)),
        *((number, ("1 net",)) for number in range(4)),
    ]
    assert loads(jobs, turns, 9) == {"text": 1, "net": 1, "vae": 1}
    assert loads(jobs, (), 9) == {"text": 4, "net": 4, "vae": 4}


def test_what_then_fits_together_is_left_to_the_jobs() -> None:
    """With room for network and VAE only the texts are taken ahead, so pictures come early."""
    jobs = [job("text", "net", "vae")] * 3
    turns = told(jobs, 13)
    assert [turn.steps for turn in turns] == [("0 text",)] * 3
    assert loads(jobs, turns, 13) == {"text": 1, "net": 1, "vae": 1}


def test_nothing_is_taken_ahead_where_all_fits_or_nobody_waits() -> None:
    assert told([job("text", "net", "vae")] * 4, 15) == ()
    assert told([job("text", "net", "vae")], 9) == ()
    assert told([job("text", "net", "vae"), Needs()], 9) == ()


def test_jobs_with_other_models_between_do_not_matter() -> None:
    one, other = job("text", "net", "vae"), job("text", "other net", "other vae")
    jobs = [one, other, one, other]
    turns = told(jobs, 9)
    found = loads(jobs, turns, 9)
    assert found["text"] == found["net"] == found["other net"] == 1
    assert sum(found.values()) < sum(loads(jobs, (), 9).values()) / 2


def test_models_of_one_name_are_told_apart_by_their_weights() -> None:
    def named(identity: str) -> Needs:
        weights = Weights("flux", "unet", identity, "")
        part = Component("mine/unet", weights, "f32", (Block("", 0, 6 * MIB),))
        needs = (
            Need("0 a", "a", (Used("mine/unet"),)),
            Need("1 b", "b", (Used("mine/unet"),), after=("0 a",)),
        )
        return by_weights(Needs(needs, {"mine/unet": part}))

    one, other = named("blake3:1"), named("blake3:2")
    assert {*one.components} != {*other.components}
    seconds = dict.fromkeys((*one.components, *other.components), 1.0)
    assert turns_ahead([one, one], Budget(8 * MIB, ROOMY), seconds) == ()
    turns = turns_ahead([one, other, one], Budget(8 * MIB, ROOMY), seconds)
    assert [turn.job for turn in turns] == [0, 2, 1]


def test_a_job_with_zones_waits_for_its_turn() -> None:
    plain = job("text", "net", "vae")
    looped = Needs(
        tuple(Need(n.step, n.type, n.uses, loops=(Loop("z", 4, False),)) for n in plain.needs),
        plain.components,
    )
    assert {turn.job for turn in told([plain, looped, plain], 9)} == {0, 2}


def test_results_that_wait_keep_to_their_room() -> None:
    jobs = [job("text", "net", "vae", result=MIB)] * 8
    turns = told(jobs, 9, values=3 * MIB)
    assert 0 < len({turn.job for turn in turns}) < 8


@given(st.data())
def test_whatever_the_jobs_no_step_comes_twice_or_before_what_it_needs(data: st.DataObject) -> None:
    """And with one ending for all, it is never loaded more often than job by job."""
    kinds = [("text", "net", "vae"), ("text", "other net", "other vae"), ("net", "vae"), ("vae",)]
    jobs = [job(*names) for names in data.draw(st.lists(st.sampled_from(kinds), max_size=6))]
    budget = data.draw(st.integers(9, 27))
    turns = told(jobs, budget)
    done: set[tuple[int, str]] = set()
    for turn in turns:
        for step in turn.steps:
            need = next(need for need in jobs[turn.job].needs if need.step == step)
            assert (turn.job, step) not in done
            assert all((turn.job, source) in done for source in need.after)
            assert step != jobs[turn.job].needs[-1].step
            done.add((turn.job, step))
    assert sum(loads(jobs, turns, budget).values()) <= sum(loads(jobs, (), budget).values())
