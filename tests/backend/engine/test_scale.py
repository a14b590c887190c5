"""Large graphs: depth, memory and linear time, with wide margins; figures: docs/performance.md."""

from __future__ import annotations

import gc
import time
import tracemalloc
from types import MappingProxyType

from backend.graph.document import Graph, Node, Ref, Workflow


def chain(size):
    nodes = {"n0": Node("number")}
    for i in range(1, size):
        link = Ref(f"n{i - 1}", "number")
        nodes[f"n{i}"] = Node("add", params={"by": 1.0}, inputs={"left": link})
    return Workflow(graph=Graph(nodes=MappingProxyType(nodes)))


def test_a_hundred_thousand_deep_works(bench):
    workflow = chain(100_000)
    result = bench.engine.run(workflow)
    assert result.values == {"n99999": {"number": 99_999.0}}
    again = bench.engine.run(workflow.with_param("n99998", "by", 5.0))
    assert again.values == {"n99999": {"number": 100_003.0}}


def test_five_thousand_steps_hold_less_than_a_hundred_megabytes(bench):
    workflow = chain(5000)
    bench.engine.run(chain(10))
    gc.collect()
    tracemalloc.start()
    try:
        bench.engine.run(workflow)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * 2**20


def test_time_grows_with_the_size_and_not_faster(bench):
    """Eight times the steps may take at most twenty times the processor time, best of three."""

    def best(size):
        took = []
        for _ in range(3):
            bench.engine.cache.clear()
            workflow = chain(size)
            begin = time.process_time()
            bench.engine.run(workflow)
            took.append(time.process_time() - begin)
        return min(took)

    assert best(4000) < 20 * best(500)


def test_intermediate_results_are_let_go_of(new_bench):
    """Without a cache only the ends stay: 200 pictures of 3 MB do not pile up."""
    bench = new_bench(use_cache=False)
    nodes = {"p": {"type": "paint", "params": {"size": 500}}}
    for i in range(200):
        source = f"s{i - 1}.image" if i else "p.image"
        nodes[f"s{i}"] = {"type": "copy", "inputs": {"image": source}}
    tracemalloc.start()
    try:
        result = bench.run(nodes)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.status == "done"
    assert peak < 30 * 2**20
