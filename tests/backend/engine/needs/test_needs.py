"""What graphs of real models need, told from headers before anything runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.catalog.errors import CatalogError
from backend.catalog.pack import packs_folder, read_pack
from backend.catalog.source import open_files, read_source
from backend.engine.engine import Engine
from backend.engine.needs.components import Components, weights_of
from backend.engine.registry import NodeRegistry, scan_nodes
from backend.graph.format import parse
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.models.family import families
from backend.models.store import Store
from backend.plan.measured import Measured
from backend.plan.memory import MemoryPlan
from backend.plan.needs import Need, Used
from backend.plan.residency.model import Budget
from backend.sdk import Context, Image, Model, Peak, facts_of, node
from tests.backend.catalog.headers import filled, gguf, safetensors
from tests.backend.models import tiny, tiny_wan

ROOT = Path(__file__).resolve().parents[4]
PRIMER = ROOT / "resources" / "models" / "primer"
MUCH = Budget(1 << 40, 1 << 40)

MODEL = {"type": "load_model", "params": {"model": "primer"}}
TEXT = {"type": "encode_text", "version": 2, "params": {"text": "a red circle"},
        "inputs": {"text_encoder": "model.text_encoder"}}  # fmt: skip
EMPTY = {"type": "empty_latent", "params": {"width": 64, "height": 64},
         "inputs": {"model": "model.model"}}  # fmt: skip
SAMPLE = {"type": "sample", "params": {"steps": 8},
          "inputs": {"model": "model.model", "positive": "text.conditioning",
                     "latent": "empty.latent"}}  # fmt: skip
DECODE = {"type": "vae_decode", "version": 2,
          "inputs": {"vae": "model.vae", "latent": "sample.latent"}}  # fmt: skip
GRAPH = {"model": MODEL, "text": TEXT, "empty": EMPTY, "sample": SAMPLE, "decode": DECODE}


class Bench:
    """An engine over the shipped nodes, with models in a folder of its own."""

    def __init__(self, folder: Path, registry: NodeRegistry) -> None:
        self.folder, self.registry = folder, registry
        self.engine = Engine(
            registry, grants=Grants(folder, (folder,)), output=OutputFolder(folder / "out")
        )

    def plan(self, nodes: dict[str, Any], device: str = "cpu", **how: Any) -> MemoryPlan:
        full = {name: {"version": 1, **one} for name, one in nodes.items()}
        workflow = parse(json.dumps({"weft": 1, "nodes": full}), "test")
        return self.engine.memory_plan(workflow, budget=MUCH, device=device, **how)

    def needs(self, nodes: dict[str, Any], **how: Any) -> dict[str, Need]:
        return {need.step: need for need in self.plan(nodes, **how).needs.needs}

    def run(self, nodes: dict[str, Any]) -> None:
        full = {name: {"version": 1, **one} for name, one in nodes.items()}
        workflow = parse(json.dumps({"weft": 1, "nodes": full}), "test")
        done = self.engine.run(workflow)
        assert done.status == "done", (done.failures, done.diagnostics)


REGISTRY = scan_nodes()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, REGISTRY)
    yield made
    made.engine.close()


def linked(node_: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    return {**node_, "inputs": {**node_["inputs"], **inputs}}


def out(name: str, kind: str = "split_text") -> str:
    """The only output of a step of this type."""
    (socket,) = REGISTRY.specs[kind].outputs
    return f"{name}.{socket.name}"


def lines(texts: Iterable[str]) -> dict[str, Any]:
    """Steps that give a list of texts, the last of them ``prompts``."""
    return {
        "lines": {"type": "text", "params": {"value": "\n".join(texts)}},
        "prompts": {"type": "split_text", "inputs": {"text": out("lines", "text")}},
    }


def test_text_to_image_uses_the_components_of_primer(bench):
    needs = bench.needs(GRAPH)
    assert {name: need.uses for name, need in needs.items()} == {
        "text": (Used("primer/text_encoder"), Used("primer/text_encoder_2")),
        "sample": (Used("primer/transformer", 8),),
        "decode": (Used("primer/vae", within="decoder"),),
    }
    assert needs["sample"].after == ("text",)
    assert needs["decode"].after == ("sample",)
    assert needs["decode"].result == 64 * 64 * 3 * 4
    assert all(need.activation and not need.unknown for need in needs.values())


def test_components_are_named_as_the_store_knows_them(bench):
    """Each is got from the store by its own reference, which has then loaded nothing twice."""
    plan = bench.plan(GRAPH)
    store = Store(families(), 1 << 30)
    try:
        for component in plan.needs.components.values():
            weights = component.weights
            net = store.get(weights, "cpu")
            assert store.get(weights, "cpu") is net
            assert sum(p.numel() for p in net.parameters()) * 4 == component.held
    finally:
        store.close()


@pytest.mark.parametrize("write", [tiny.write, tiny_wan.write])
def test_all_bytes_of_the_headers_are_in_the_blocks(bench, write):
    folder = write(bench.folder / "model")
    source = read_source(str(folder))
    for part in source.components.values():
        assert sum(w.nbytes for w in weights_of(source, part).values()) == part.nbytes
    model = {"type": "load_model", "params": {"model": "model"}}
    save = {"type": "save_model_part", "inputs": {"model": "model.model"}}
    (component,) = bench.plan({"model": model, "save": save}).needs.components.values()
    assert component.stored == source.components["transformer"].nbytes
    assert len(component.blocks) > 2


def test_a_quantised_file_is_held_as_it_is_stored(bench):
    """FLUX.1-dev in the blocks of a GGUF that holds no bytes."""
    part = next(p for p in read_pack(packs_folder() / "flux-dev").parts if p.kind == "denoiser")
    told, shapes = filled(part.forms[0]), {}
    for block, count in (("double_blocks", 19), ("single_blocks", 38)):
        last = {n: s for n, s in told.items() if n.startswith(f"{block}.{count - 1}.")}
        for k in range(count):
            shapes |= {n.replace(f".{count - 1}.", f".{k}.", 1): s for n, s in last.items()}
    gguf(bench.folder / "flux.gguf", told | shapes, "Q4_K", "flux")
    model = {"type": "load_model_files", "params": {"denoiser": "flux.gguf", "config": "flux-dev"}}
    save = {"type": "save_model_part", "inputs": {"model": "model.model"}}
    plan = bench.plan({"model": model, "save": save}, device="cuda:0")
    (component,) = plan.needs.components.values()
    assert component.id == "flux/transformer"
    assert len(component.blocks) == 1 + 19 + 38
    source = open_files([bench.folder / "flux.gguf"], "flux-dev")
    assert component.stored == source.components["transformer"].nbytes > 10**9
    assert 0.99 < component.held / component.stored < 1.01  # single rows are in bfloat16


def test_a_list_of_a_hundred_prompts_loads_each_component_once(bench):
    prompts = lines(f"picture {k}" for k in range(100))
    text = {**TEXT, "params": {}, "inputs": {**TEXT["inputs"], "text": out("prompts")}}
    plan = bench.plan({**GRAPH, **prompts, "text": text})
    assert {need.step: need.calls for need in plan.needs.needs} == dict.fromkeys(
        ("text", "sample", "decode"), 100
    )
    assert plan.copied == sum(
        block.held
        for component in plan.needs.components.values()
        for block in component.blocks
        if not block.name.startswith("encoder.") or component.id != "primer/vae"
    )


def test_a_zone_multiplies_what_is_in_it(bench):
    body = {
        "text": linked({**TEXT, "version": 2}, text_encoder="model.text_encoder", text="$.prompt"),
        "sample": linked({**SAMPLE, "version": 1}, positive="text.conditioning"),
        "decode": {**DECODE, "version": 2},
    }
    prompts = lines("abc")
    zone = {
        "type": "for_each",
        "inputs": {"items": {"prompt": out("prompts")}},
        "body": {
            "nodes": {name: {"version": 1, **one} for name, one in body.items()},
            "outputs": {"image": "decode.image"},
        },
    }
    plan = bench.plan({"model": MODEL, "empty": EMPTY, **prompts, "each": zone})
    needs = {need.step.rpartition("/")[2]: need for need in plan.needs.needs}
    assert {name: (n.turns, n.calls) for name, n in needs.items()} == dict.fromkeys(body, (3, 1))
    assert needs["sample"].uses == (Used("primer/transformer", 8),)
    assert [stage.calls for stage in plan.stages] == [3, 3, 3]  # all texts, then all pictures
    assert not any(need.unknown for need in needs.values())


def test_turns_with_a_carried_value_follow_one_another(bench):
    zone = {
        "type": "repeat",
        "params": {"times": 5},
        "inputs": {"carry": {"latent": "empty.latent"}},
        "body": {
            "nodes": {"again": {**linked(SAMPLE, latent="$.latent"), "version": 1}},
            "outputs": {"latent": "again.latent"},
        },
    }
    plan = bench.plan({"model": MODEL, "text": TEXT, "empty": EMPTY, "more": zone})
    again = next(n for n in plan.needs.needs if n.step.endswith("again"))
    assert again.turns == 5
    assert again.loops[0].chained
    assert again.activation == bench.needs(GRAPH)["sample"].activation


@pytest.mark.parametrize(
    ("inputs", "outputs", "more", "chained"),
    [
        ({}, {"latent": "again.latent"}, {}, False),
        ({"carry": {"latent": "empty.latent"}}, {"latent": "again.latent"}, {}, True),
        ({}, {"latent": "again.latent"}, {"save": {"type": "save_text", "version": 1,
         "inputs": {"text": "$.prompt"}}}, True),
    ],
    ids=["free", "carry", "effect"],
)  # fmt: skip
def test_turns_of_a_for_each_wait_only_where_they_must(bench, inputs, outputs, more, chained):
    source = "$.latent" if "carry" in inputs else "empty.latent"
    zone = {
        "type": "for_each",
        "inputs": {"items": {"prompt": out("prompts")}, **inputs},
        "body": {
            "nodes": {"again": {**linked(SAMPLE, latent=source), "version": 1}, **more},
            "outputs": outputs,
        },
    }
    graph = {"model": MODEL, "text": TEXT, "empty": EMPTY, **lines("abc"), "each": zone}
    needs = {need.step: need for need in bench.plan(graph).needs.needs}
    again = next(need for step, need in needs.items() if step.endswith("again"))
    assert (again.turns, again.loops[0].chained) == (3, chained)


def test_two_models_in_one_graph(bench):
    tiny.write(bench.folder / "other")
    graph = {
        **GRAPH,
        "model2": {"type": "load_model", "params": {"model": "other"}},
        "text2": linked(TEXT, text_encoder="model2.text_encoder"),
        "empty2": linked(EMPTY, model="model2.model"),
        "sample2": linked(SAMPLE, model="model2.model", positive="text2.conditioning",
                          latent="empty2.latent"),
    }  # fmt: skip
    plan = bench.plan(graph)
    assert {c.split("/")[0] for c in plan.needs.components} == {"primer", "other"}
    assert next(n for n in plan.needs.needs if n.step == "sample2").uses[0] == Used(
        "other/transformer", 8
    )


def test_models_of_one_name_are_told_apart(bench):
    for place in ("a", "b"):
        tiny.write(bench.folder / place / "same", guidance=place == "a")
    graph = {
        **GRAPH,
        "model": {"type": "load_model", "params": {"model": "a/same"}},
        "model2": {"type": "load_model", "params": {"model": "b/same"}},
        "sample2": linked(SAMPLE, model="model2.model"),
    }
    needs = bench.needs(graph)
    assert needs["sample"].uses[0].component == "same/transformer"
    assert needs["sample2"].uses[0].component == "same/transformer (2)"


def test_an_adapter_is_a_component_beside_its_model(bench):
    layer = "transformer.single_transformer_blocks.0.attn.to_v"
    shapes = {f"{layer}.lora_A.weight": (2, 128), f"{layer}.lora_B.weight": (128, 2)}
    safetensors(bench.folder / "ink.safetensors", shapes)
    lora = {"type": "lora", "params": {"file": "ink.safetensors", "strength": 0.5},
            "inputs": {"model": "model.model"}}  # fmt: skip
    graph = {**GRAPH, "lora": lora, "sample": linked(SAMPLE, model="lora.model")}
    plan = bench.plan(graph)
    sample = next(n for n in plan.needs.needs if n.step == "sample")
    assert sample.uses == (Used("primer/transformer", 8, ("ink",)),)
    assert plan.needs.components["ink"].stored == 4 * 128 * 2
    graph["lora"] = {**lora, "params": {"file": "ink.safetensors", "strength": 0.0}}
    assert bench.needs(graph)["sample"].uses == (Used("primer/transformer", 8),)


def test_experts_share_the_steps(bench):
    tiny_wan.write(bench.folder / "wan", boundary=0.875)
    graph = {
        "model": {"type": "load_model", "params": {"model": "wan"}},
        "text": TEXT,
        "empty": {"type": "empty_video_latent", "params": {"width": 48, "height": 32, "frames": 9},
                  "inputs": {"model": "model.model"}},
        "sample": SAMPLE,
    }  # fmt: skip
    sample = bench.needs(graph)["sample"]
    assert sample.uses == (Used("wan/transformer", 4), Used("wan/transformer_2", 4))


def test_a_guider_stands_for_its_model(bench):
    graph = {
        **{name: GRAPH[name] for name in ("model", "text", "empty")},
        "guider": {"type": "guider", "params": {"cfg": 3},
                   "inputs": {"model": "model.model", "positive": "text.conditioning",
                              "negative": "text.conditioning"}},
        "solver": {"type": "solver", "params": {"kind": "heun"}},
        "schedule": {"type": "schedule", "params": {"steps": 10}},
        "noise": {"type": "noise"},
        "sample": {"type": "sample_with_parts",
                   "inputs": {"guider": "guider.guider", "solver": "solver.solver",
                              "schedule": "schedule.schedule", "noise": "noise.noise",
                              "latent": "empty.latent"}},
    }  # fmt: skip
    needs = bench.needs(graph)
    assert needs["sample"].uses == (Used("primer/transformer", 19),)
    assert needs["sample"].activation == 2 * bench.needs(GRAPH)["sample"].activation


def test_a_switch_passes_the_model_that_its_setting_chooses(bench):
    tiny.write(bench.folder / "other")
    graph = {
        **GRAPH,
        "other": {"type": "load_model", "params": {"model": "other"}},
        "switch": {"type": "switch", "params": {"which": False},
                   "inputs": {"yes": "other.model", "no": "model.model"}},
        "sample": linked(SAMPLE, model=out("switch", "switch")),
    }  # fmt: skip
    assert bench.needs(graph)["sample"].uses == (Used("primer/transformer", 8),)


def test_a_list_of_models_shares_the_calls(bench):
    tiny.write(bench.folder / "other")
    graph = {
        **GRAPH,
        "other": {"type": "load_model", "params": {"model": "other"}},
        "both": {"type": "make_list", "inputs": {"items": ["model.model", "other.model"]}},
        "sample": linked(SAMPLE, model=out("both", "make_list")),
    }
    sample = bench.needs(graph)["sample"]
    assert sample.calls == 2
    assert sample.uses == (Used("primer/transformer", 4), Used("other/transformer", 4))


def test_cached_steps_need_nothing(bench):
    bench.run(GRAPH)
    assert bench.plan(GRAPH).needs.needs == ()
    other = {**GRAPH, "decode": {**DECODE, "params": {"tile": 64}}}
    assert set(bench.needs(other)) == {"decode"}


def test_what_a_run_took_is_known_to_the_next_plan(bench, tmp_path):
    bench.engine.measured = Measured(tmp_path / "measured.sqlite")
    first = bench.plan(GRAPH)
    assert (first.measured, first.timed) == (False, False)
    for need in first.needs.needs:
        need.learn(bench.engine.measured, 5 * need.activation, 3.0)
    bench.engine.measured.moved("disk", 10**9, 1.0)
    plan = bench.plan(GRAPH)
    assert (plan.measured, plan.timed) == (True, True)
    assert plan.compute == pytest.approx(9.0)
    assert [n.activation for n in plan.needs.needs] == [5 * n.activation for n in first.needs.needs]
    larger = {**GRAPH, "empty": {**EMPTY, "params": {"width": 128, "height": 64}}}
    sample = bench.needs(larger)["sample"]
    assert sample.activation == 2 * 5 * first.needs.needs[1].activation
    assert (sample.seconds, sample.measured) == (None, False)


def test_on_a_gpu_half_the_bytes_are_told_and_torch_is_not_asked(bench):
    cpu, gpu = bench.plan(GRAPH), bench.plan(GRAPH, device="cuda:0")
    for one, other in zip(cpu.needs.needs, gpu.needs.needs, strict=True):
        assert other.activation == one.activation // 2
    assert {c.dtype for c in gpu.needs.components.values()} == {"bfloat16"}


def break_header(folder: Path) -> None:
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").write_bytes(b"nonsense")


def cut_short(folder: Path) -> None:
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize("harm", [break_header, cut_short])
def test_a_broken_file_of_a_stranger_is_said_by_its_steps(bench, harm):
    """The reference is cached; the file behind it is no longer what it was."""
    shutil.copytree(PRIMER, bench.folder / "mine")
    graph = {**GRAPH, "model": {"type": "load_model", "params": {"model": "mine"}}}
    weights = bench.plan(graph).needs.components
    harm(bench.folder / "mine")
    denoiser = weights["mine/transformer"].weights
    with pytest.raises(CatalogError, match="mine"):
        Components("cpu").used(Model("flux", denoiser.part, "new", denoiser.source), 1)


def test_what_cannot_be_read_costs_only_its_own_steps(bench, monkeypatch):
    def refused(path):
        raise CatalogError(f"{path} is cut short. Get the file again.")

    monkeypatch.setattr("backend.engine.needs.components.read_weights", refused)
    needs = bench.needs(GRAPH)
    assert set(needs) == {"text", "sample", "decode"}
    for need in needs.values():
        assert "cut short. Get the file again." in need.unknown
        assert need.uses == ()


def test_a_strangers_hook_that_fails_costs_only_what_it_would_have_told(tmp_path):
    @node(category="x", lane="device")
    def odd(ctx: Context, model: Model) -> Image:
        """Odd."""

    @odd.peak
    def _(p, model):
        raise RuntimeError("no idea")

    @node(category="x", lane="device")
    def wrong(ctx: Context, model: Model) -> Image:
        """Wrong."""

    @wrong.peak
    def _(p, model):
        return 100

    types = [REGISTRY.type(name) for name in REGISTRY.specs]
    bench = Bench(tmp_path, NodeRegistry([*types, odd, wrong]))
    graph = {
        **GRAPH,
        "odd": {"type": "odd", "inputs": {"model": "model.model"}},
        "wrong": {"type": "wrong", "inputs": {"model": "model.model"}},
    }
    needs = bench.needs(graph)
    bench.engine.close()
    assert "no idea" in needs["odd"].unknown
    assert "not Peak" in needs["wrong"].unknown
    assert needs["sample"].uses


def test_a_model_that_a_step_makes_is_said_to_be_unknown(tmp_path):
    @node(category="x", lane="device")
    def trained(ctx: Context) -> Model:
        """Train a model."""

    @trained.facts
    def _(p):
        return facts_of("Model", family="flux")

    @trained.peak
    def _(p):
        return Peak()

    types = [REGISTRY.type(name) for name in REGISTRY.specs]
    bench = Bench(tmp_path, NodeRegistry([*types, trained]))
    needs = bench.needs({
        **GRAPH, "own": {"type": "trained"}, "sample": linked(SAMPLE, model="own.model"),
    })  # fmt: skip
    bench.engine.close()
    assert needs["sample"].uses == ()
    assert "own has run" in needs["sample"].unknown


def test_a_long_chain_of_patches(bench):
    """As deep as a person would never build it, and no recursion is too deep."""
    chain = {
        f"patch{k}": {
            "type": "share_attention",
            "inputs": {"model": f"patch{k - 1}.model" if k else "model.model"},
        }
        for k in range(500)
    }
    graph = {**GRAPH, **chain, "sample": linked(SAMPLE, model="patch499.model")}
    assert bench.needs(graph)["sample"].uses == (Used("primer/transformer", 8),)


def test_a_plan_imports_no_library_of_models(tmp_path):
    """In a process of its own, with an adapter, whose node looks at the model when it runs."""
    layer = "transformer.x_embedder"
    shapes = {f"{layer}.lora_A.weight": (2, 64), f"{layer}.lora_B.weight": (128, 2)}
    safetensors(tmp_path / "ink.safetensors", shapes)
    lora = {"type": "lora", "params": {"file": "ink.safetensors"},
            "inputs": {"model": "model.model"}}  # fmt: skip
    graph = {**GRAPH, "lora": lora, "sample": linked(SAMPLE, model="lora.model")}
    full = {name: {"version": 1, **one} for name, one in graph.items()}
    (tmp_path / "flow.weft.json").write_text(json.dumps({"weft": 1, "nodes": full}))
    script = (
        "import sys\nfrom backend.cli import main\n"
        "try:\n    main(['plan', 'flow.weft.json'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(sorted({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "primer/transformer with ink 8 times" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
