"""Many jobs, each component loaded as seldom as the room for values allows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.plan.residency.order import OrderError, Room, Task, arrange

MIB = 1 << 20
SECONDS = {"text": 2.0, "denoiser": 5.0, "decoder": 0.2}


def prompts(count, priority=0, prefix=""):
    tasks = []
    for n in range(count):
        job = f"{prefix}{n}"
        text, sample = f"text {job}", f"sample {job}"
        tasks += [
            Task(text, job, frozenset({"text"}), (), 4 * MIB, 0.1, priority),
            Task(sample, job, frozenset({"denoiser"}), (text,), MIB, 8.0, priority),
            Task(f"decode {job}", job, frozenset({"decoder"}), (sample,), 3 * MIB, 0.5, priority),
        ]
    return tasks


def test_a_hundred_prompts_load_each_component_once():
    order = arrange(prompts(100), Room(1 << 30), SECONDS)
    assert order.loads == {"text": 1, "denoiser": 1, "decoder": 1}
    assert order.tasks[:2] == ("text 0", "text 1")
    assert order.peak <= 404 * MIB


def test_where_values_do_not_fit_the_jobs_go_in_groups():
    order = arrange(prompts(100), Room(100 * MIB), SECONDS)
    assert order.peak <= 100 * MIB
    assert max(order.loads.values()) <= 5  # 25 texts of 4 MiB fit, so four groups are the least
    assert not order.spilled


def test_values_go_to_disk_where_that_is_quicker_than_loading_again():
    order = arrange(prompts(100), Room(100 * MIB, disk=1e9), SECONDS)
    assert order.loads == {"text": 1, "denoiser": 1, "decoder": 1}
    assert order.peak <= 100 * MIB
    assert order.spilled
    slow = arrange(prompts(100), Room(100 * MIB, disk=1e5), SECONDS)
    assert len(slow.spilled) < len(order.spilled)


def test_a_job_of_higher_priority_goes_first_unless_patience_is_given():
    tasks = [*prompts(3, 0, "low "), *prompts(1, 1, "high ")]
    order = arrange(tasks, Room(1 << 30), SECONDS)
    assert [name for name in order.tasks if "high" in name] == list(order.tasks[:3])
    assert order.overtaken == 0
    patient = arrange(tasks, Room(1 << 30, patience=1.0), SECONDS)
    assert 0 < patient.overtaken <= 1.0
    assert patient.loads["text"] == 1 < order.loads["text"]


def test_a_component_that_is_loaded_is_used_up_before_it_goes():
    tasks = [
        Task("a1", "a", frozenset({"x"})),
        Task("b1", "b", frozenset({"y"})),
        Task("a2", "a", frozenset({"x"}), ("a1",)),
        Task("b2", "b", frozenset({"y"}), ("b1", "a2")),
    ]
    assert arrange(tasks, Room(0), {}).tasks == ("a1", "a2", "b1", "b2")


def test_a_chain_of_a_thousand_is_no_deeper_than_one_of_ten():
    tasks = [
        Task(f"{n}", "a", frozenset({f"{n % 2}"}), (f"{n - 1}",) if n else (), 1)
        for n in range(1000)
    ]
    assert arrange(tasks, Room(10), {}).tasks == tuple(str(n) for n in range(1000))


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([Task("a", "j", after=("b",))], "'a' reads 'b', which does not exist"),
        ([Task("a", "j"), Task("a", "j")], "same name"),
        ([Task("a", "j", after=("b",)), Task("b", "j", after=("a",))], "'a' waits for itself"),
    ],
)
def test_what_has_no_order_is_refused(tasks, words):
    with pytest.raises(OrderError, match=words):
        arrange(tasks, Room(1), {})


@st.composite
def graphs(draw):
    tasks = []
    for n in range(draw(st.integers(1, 14))):
        after = draw(st.sets(st.integers(0, n - 1), max_size=2)) if n else set()
        needs = draw(st.sets(st.sampled_from("xyz"), max_size=2))
        tasks.append(
            Task(
                str(n),
                "j",
                frozenset(needs),
                tuple(map(str, sorted(after))),
                draw(st.integers(0, 5)),
                draw(st.integers(0, 3)),
                draw(st.integers(0, 1)),
            )
        )
    return tasks


@given(graphs(), st.integers(0, 30), st.sampled_from([0.0, 1.0, 100.0]), st.integers(0, 4))
@settings(max_examples=200, deadline=None)
def test_every_task_runs_once_after_what_it_reads(tasks, values, disk, patience):
    order = arrange(tasks, Room(values, disk, patience), {"x": 1.0, "y": 3.0}, together=2)
    place = {name: n for n, name in enumerate(order.tasks)}
    assert len(place) == len(tasks) == len(order.tasks)
    for task in tasks:
        assert all(place[source] < place[task.id] for source in task.after)
    assert order.overtaken <= patience
    needed = {component for task in tasks for component in task.needs}
    assert set(order.loads) == needed
    assert arrange(tasks, Room(values, disk, patience), {"x": 1.0, "y": 3.0}, together=2) == order


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_with_disk_the_room_is_kept_wherever_one_task_alone_fits(tasks):
    sizes = {task.id: task.result for task in tasks}
    alone = max(task.result + sum(sizes[s] for s in task.after) for task in tasks)
    assert arrange(tasks, Room(alone, disk=1e9), {}).peak <= alone
