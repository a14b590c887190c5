"""Where modules stand while a pipeline runs, and what decides it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.models.pipelines.load import assemble
from backend.models.pipelines.placement import RESERVE, Placement, choose, module_sizes
from nodes.pipelines import load_pipeline
from tests.backend.models.pipelines.bench import Bench, directly
from tests.backend.models.pipelines.zoo import ZOO

GB = 2**30
SIZES = {"transformer": 10 * GB, "text_encoder": 8 * GB, "vae": GB}


@pytest.mark.parametrize(
    ("device", "free", "means"),
    [
        ("cpu", 0, "none"),
        ("cuda:0", 19 * GB + RESERVE, "none"),
        ("cuda:0", 19 * GB, "model"),
        ("cuda:0", 10 * GB + RESERVE, "model"),
        ("cuda:0", 10 * GB, "group"),
    ],
)
def test_the_quickest_that_leaves_room_is_chosen(device: str, free: int, means: str) -> None:
    assert choose(device, SIZES, free) == Placement(means, device)  # type: ignore[arg-type]


def laid(part: Any) -> bool:
    """Whether any hook of accelerate or diffusers lies on a module."""
    registries = [getattr(module, "_diffusers_hook", None) for module in part.modules()]
    accelerate = any(hasattr(module, "_hf_hook") for module in part.modules())
    return accelerate or any(r.hooks for r in registries if r is not None)


@pytest.mark.parametrize("means", ["none", "model", "group"])
def test_a_placement_changes_no_bit_and_leaves_nothing(means: str, tmp_path: Path) -> None:
    """On the CPU these means have nothing to move, but all their hooks are laid and taken away."""
    animal = ZOO["AuraFlowPipeline"]
    folder = animal.write(tmp_path / "model")
    bench = Bench(folder, tmp_path)
    pipeline = assemble(load_pipeline(bench, "model"), bench.load)
    assert set(module_sizes(pipeline)) == {"text_encoder", "transformer", "vae"}
    for _ in range(2):
        with Placement(means, "cpu").of(pipeline), torch.no_grad():  # type: ignore[arg-type]
            assert laid(pipeline.transformer) == (means != "none")
            generator = torch.Generator().manual_seed(7)
            made = pipeline(**animal.call, generator=generator, output_type="np").images
        assert np.array_equal(made, directly(animal, folder))
        for part in (pipeline.transformer, pipeline.vae, pipeline.text_encoder):
            assert not laid(part)
