"""Plans of memory for whole runs, on components that were never made."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.plan.memory import MemoryPlan, Speeds, plan_memory
from backend.plan.needs import Block, Component, Loop, Need, Needs, Used, in_blocks
from backend.plan.residency.model import Budget
from backend.plan.sizes import Weight
from backend.values import Weights

M, G = 1 << 20, 1 << 30
SPEEDS = Speeds(2e9, 20e9)


def made(name: str, blocks: int, size: int, rest: int = 10 * M) -> Component:
    rows = (Block(f"block.{k}", size, size) for k in range(blocks))
    weights = Weights("family", name, f"fast:{name}", "/model")
    return Component(name, weights, "bfloat16", (Block("", rest, rest), *rows))


PARTS = {
    part.id: part
    for part in (made("clip", 4, 20 * M), made("t5", 12, 100 * M), made("net", 20, 100 * M),
                 made("vae", 4, 20 * M))
}  # fmt: skip
ALL = sum(part.held for part in PARTS.values())


def text_to_image(
    calls: int = 1, loops: tuple[Loop, ...] = (), name: str = "", steps: int = 28
) -> tuple[Need, ...]:
    common = {"calls": calls, "loops": loops}
    encode = Need(
        f"encode{name}", "encode_text", (Used("clip"), Used("t5")), 50 * M, M, 0.2, **common
    )
    sample = Need(
        f"sample{name}", "sample", (Used("net", steps),), 300 * M, M, steps * 1.0,
        after=(encode.step,), **common,
    )  # fmt: skip
    decode = Need(
        f"decode{name}", "vae_decode", (Used("vae"),), 500 * M, 4 * M, 0.5,
        after=(sample.step,), **common,
    )  # fmt: skip
    return encode, sample, decode


def planned(needs: tuple[Need, ...], device: int, host: int = 64 * G) -> MemoryPlan:
    return plan_memory(Needs(needs, PARTS), Budget(device, host), "cuda:0", SPEEDS)


def loaded(plan: MemoryPlan) -> dict[str, int]:
    found: dict[str, int] = {}
    for stage in plan.stages:
        for move in stage.moves:
            if move.kind in ("load", "stream"):
                found[move.component] = found.get(move.component, 0) + move.nbytes
    return found


def once() -> dict[str, int]:
    return {name: part.held for name, part in PARTS.items()}


def test_where_all_fits_each_component_is_loaded_once():
    plan = planned(text_to_image(), 16 * G)
    assert plan.fits
    assert loaded(plan) == once()
    assert plan.copied == plan.read == ALL == plan.bound.copied
    assert [stage.steps for stage in plan.stages] == [("encode",), ("sample",), ("decode",)]
    assert plan.compute == pytest.approx(28.7)
    assert plan.seconds == pytest.approx(plan.compute + plan.waiting)


@pytest.mark.parametrize("loops", [(), (Loop("each", 100, False),)], ids=["list", "for each"])
@pytest.mark.parametrize("device", [16 * G, 3 * G])
def test_a_batch_of_a_hundred_prompts_loads_each_component_once(loops, device):
    plan = planned(text_to_image(1 if loops else 100, loops), device)
    assert loaded(plan) == once()
    assert [(s.steps, s.calls) for s in plan.stages] == [
        (("encode",), 100), (("sample",), 100), (("decode",), 100),
    ]  # fmt: skip
    assert plan.compute == pytest.approx(2870)


def test_turns_that_need_one_another_stay_in_their_order():
    plan = planned(text_to_image(1, (Loop("again", 100, True),)), 3 * G)
    steps = [stage.steps[0] for stage in plan.stages]
    assert steps == ["encode", "sample", "decode"] * 3
    assert sum(stage.calls for stage in plan.stages) == 300
    assert plan.compute == pytest.approx(2870)
    assert not plan.whole
    assert plan.copied > ALL  # not all of it fits at once


def test_with_less_memory_it_streams_and_stays_within_it():
    whole = planned(text_to_image(), 16 * G)
    tight = planned(text_to_image(), G)
    assert tight.fits
    assert tight.device_peak <= G
    assert loaded(tight)["net"] > 10 * PARTS["net"].held
    assert loaded(tight)["t5"] == PARTS["t5"].held  # one pass
    assert tight.waiting >= whole.waiting
    assert tight.against.copied >= tight.bound.copied
    assert tight.against.waiting >= tight.bound.waiting * (1 - 1e-9)


@given(st.integers(0, 60).map(lambda k: (k + 10) * 50 * M), st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_plan_keeps_to_its_budget_and_no_bound_is_beaten(device, known):
    needs = text_to_image(3)
    plan = planned(needs if known else tuple(replace(n, seconds=None) for n in needs), device)
    assert plan.measured == known
    if not plan.fits:
        assert plan.misfit.needs.device > device
        return
    assert plan.device_peak <= device
    assert all(loaded(plan)[name] >= size for name, size in once().items())
    assert plan.against.copied >= plan.bound.copied
    assert plan.against.waiting >= plan.bound.waiting - 1e-6


def test_a_budget_below_one_block_is_a_sentence_with_its_cure():
    plan = planned(text_to_image(), 100 * M)
    assert not plan.fits
    assert plan.stages == ()
    assert "'decode'" in plan.misfit.sentence
    needs = plan.misfit.needs.device
    assert any("device budget" in cure for cure in plan.misfit.cures)
    assert planned(text_to_image(), needs).fits
    assert not planned(text_to_image(), needs - 1).fits


@pytest.mark.parametrize("device", [0, 1, 1 << 60])
def test_absurd_budgets(device):
    assert planned(text_to_image(), device).fits == (device > G)


def test_steps_without_models_need_nothing():
    assert planned((), G).copied == 0
    plan = planned((Need("view", "token_view"),), G)
    assert plan.fits
    assert plan.copied == 0


def test_times_are_told_only_where_all_was_measured():
    needs = Needs(text_to_image(), PARTS)
    budget = Budget(G, 64 * G)
    assert plan_memory(needs, budget, "cuda:0", SPEEDS).timed
    assert not plan_memory(needs, budget, "cuda:0").timed
    assert plan_memory(needs, budget, "cuda:0").moving is None
    assert not plan_memory(needs, budget, "cuda:0", Speeds(2e9, None)).timed
    guessed = replace(needs, needs=tuple(replace(n, seconds=None) for n in needs.needs))
    plan = plan_memory(guessed, budget, "cuda:0", SPEEDS)
    assert not plan.timed
    assert plan.moving == pytest.approx(max(plan.copied / 20e9, plan.read / 2e9))


def test_what_is_there_is_not_loaded_again():
    needs = Needs(text_to_image(), PARTS)
    plan = plan_memory(needs, Budget(16 * G, 64 * G), "cuda:0", SPEEDS, here=("net",))
    assert loaded(plan) == {name: size for name, size in once().items() if name != "net"}


def test_an_adapter_lies_beside_its_model():
    parts = {**PARTS, "ink": made("ink", 0, 0, rest=50 * M)}
    encode, sample, decode = text_to_image()
    sample = replace(sample, uses=(Used("net", 28, ("ink",)),))
    needs = Needs((encode, sample, decode), parts)
    plan = plan_memory(needs, Budget(16 * G, 64 * G), "cuda:0", SPEEDS)
    assert loaded(plan) == {**once(), "ink": 50 * M}
    least = plan_memory(needs, Budget(0, 64 * G), "cuda:0", SPEEDS).misfit.needs.device
    assert least == 520 * M + 10 * M  # decode's
    alone = plan_memory(Needs((sample,), parts), Budget(0, 64 * G), "cuda:0", SPEEDS)
    assert alone.misfit.needs.device == (300 + 10 + 100 + 50) * M


def test_a_decoder_leaves_the_encoder_where_it_is():
    sizes = {
        f"{half}.blocks.{k}.weight": Weight("F16", (1024, 1024), 2 * M)
        for half in ("encoder", "decoder")
        for k in range(4)
    }
    vae = in_blocks("vae", Weights("f", "vae", "i", "/m"), "float16", sizes)
    need = Need("decode", "vae_decode", (Used("vae", within="decoder"),))
    plan = plan_memory(Needs((need,), {"vae": vae}), Budget(G, G), "cuda:0", SPEEDS)
    assert plan.copied == 8 * M


@given(
    st.dictionaries(
        st.from_regex(r"\A(a|b|c)(\.[0-9]{1,2}){0,2}\.(w|bias)\Z"), st.integers(1, 10**6),
        min_size=1,
    )
)  # fmt: skip
def test_the_blocks_of_a_component_are_all_of_its_bytes(sizes):
    weights = {name: Weight("F16", (size,), 2 * size) for name, size in sizes.items()}
    component = in_blocks("c", Weights("f", "p", "i", "/m"), "float32", weights)
    assert component.stored == sum(w.nbytes for w in weights.values())
    assert component.held == sum(4 * size for size in sizes.values())
    assert sum(piece.host_bytes for piece in component.pieces) == component.stored
    passed = {piece for row in component.passing() for piece in row}
    assert passed == {piece.id for piece in component.pieces}


@pytest.mark.parametrize("device", [64 * G, G])
def test_many_steps_are_planned_quickly(device):
    """1500 steps of three models, in no order: in a moment, and each model once if it fits."""
    needs = [need for k in range(500) for need in text_to_image(name=str(k))]
    begin = time.perf_counter()
    plan = planned(tuple(needs), device)
    assert time.perf_counter() - begin < 10
    assert plan.fits
    assert {stage.steps[0].rstrip("0123456789") for stage in plan.stages} == {
        "encode", "sample", "decode",
    }  # fmt: skip
    assert sum(len(stage.steps) for stage in plan.stages) == 1500
    if device > ALL:
        assert loaded(plan) == once()


def test_different_sizes_of_one_step_share_its_model():
    encode, sample, decode = text_to_image()
    samples = [
        replace(sample, step=f"sample{k}", activation=(300 + k) * M, after=("encode",))
        for k in range(300)
    ]
    plan = planned((encode, *samples, decode), 16 * G)
    assert loaded(plan)["net"] == PARTS["net"].held


def test_what_is_moved_is_told_with_the_step_that_it_is_for():
    """The decoder comes while the sampler computes, and stands with the decoder's step."""
    plan = planned(text_to_image(), 16 * G)
    for stage in plan.stages:
        (need,) = (n for n in plan.needs.needs if n.step == stage.steps[0])
        comes = {m.component for m in stage.moves if m.kind in ("read", "load", "stream")}
        assert comes == {use.component for use in need.uses}
    decode = plan.stages[-1]
    assert all(move.start < decode.start for move in decode.moves if move.kind == "read")
    assert plan.device_peak >= PARTS["net"].held + 300 * M
    assert plan.host_peak > 0


@pytest.mark.parametrize("device", [G, 2 * G])
def test_a_batch_that_is_counted_on_is_nearly_what_it_is_laid_out(device, monkeypatch):
    short = planned(text_to_image(5), device)
    assert not short.whole
    assert short.compute == pytest.approx(5 * 28.7)
    monkeypatch.setattr("backend.plan.stretch.MOST_BLOCKS", 1 << 30)
    monkeypatch.setattr("backend.plan.parts.MOST_BLOCKS", 1 << 30)
    whole = planned(text_to_image(5), device)
    assert whole.whole
    assert whole.compute == pytest.approx(short.compute)
    assert short.copied == pytest.approx(whole.copied, rel=0.1)
    assert short.waiting == pytest.approx(whole.waiting, rel=0.25, abs=1.0)


@pytest.mark.parametrize("device", [800 * M, 2 * G, 16 * G])
@pytest.mark.parametrize("most", [40, 150])
def test_a_plan_in_parts_is_a_plan(device, most, monkeypatch):
    """What the part before left is there, and the bounds of the parts together are one."""
    monkeypatch.setattr("backend.plan.stretch.MOST_BLOCKS", 1 << 30)
    monkeypatch.setattr("backend.plan.parts.MOST_BLOCKS", 1 << 30)
    whole = planned(text_to_image(steps=12), device)
    monkeypatch.setattr("backend.plan.parts.MOST_BLOCKS", most)
    parts = planned(text_to_image(steps=12), device)
    assert parts.compute == pytest.approx(whole.compute)
    assert parts.device_peak <= device
    assert whole.copied <= parts.copied * 1.02
    assert parts.copied <= whole.copied * 1.15
    assert parts.read == whole.read == ALL  # the host has room for all of it
    assert parts.bound.copied <= whole.copied
    assert parts.bound.waiting <= whole.waiting + 1e-6
