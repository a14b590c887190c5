"""Nodes that write weights to files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from backend.media.metadata import dump_provenance
from backend.models.agree import runs_in_steps
from backend.models.experts import experts_of
from backend.models.explain import explained
from backend.models.export import merge, metadata_of, write_network
from backend.models.pipelines.reference import refuse_whole
from backend.sdk import Context, Facts, Model, NameTemplate, Peak, Range, UserError, facts_of, node


@node(
    category="Model",
    effect=True,
    lane="device",
    aliases=("merge lora", "bake", "save checkpoint", "safetensors", "export model"),
)
def save_model_part(
    ctx: Context,
    model: Model,
    name: NameTemplate = "{node}-{counter:4}",
    precision: Literal["bf16", "fp16", "fp32"] = "bf16",
    expert: Annotated[int, Range(1, 8, 1)] = 1,
    title: str = "",
    overwrite: Literal["number", "replace", "refuse"] = "number",
) -> Model:
    """Write a model's denoiser to one safetensors file, with its LoRAs merged into the weights.

    The file has diffusers' names and goes back in with Load model files, or into a model folder as
    `diffusion_pytorch_model.safetensors`. It carries its `title`, the LoRAs and their strengths,
    and the workflow that made it. Of a model with several experts the one of number `expert` is
    written, counted from high noise. Weights are computed in float32 and stored in `precision`.
    What is no part of weights is refused by name: a LoRA for some steps only, other patches.

    Example: load_model -> lora(file="ink.safetensors", strength=0.8) -> save_model_part(
    name="ink-model"), then load_model_files(denoiser="ink-model.safetensors", ...).
    """
    with explained():
        refuse_whole(model)
        experts = experts_of(model)
        if expert > len(experts):
            raise UserError(
                f"This model has {len(experts)} network{'s' if len(experts) > 1 else ''}, and "
                f"expert is {expert}. Choose a number up to {len(experts)}."
            )
        chosen = experts[expert - 1].model
        merged = merge(chosen, ctx.load)

        def write(path: Path, provenance: Mapping[str, Any]) -> None:
            told = dump_provenance(provenance) if provenance else ""
            said = metadata_of(chosen, merged, title, told)
            write_network(path, merged, precision, said, ctx.progress)

        ctx.save(name, ".safetensors", write, overwrite=overwrite)
    return model


@save_model_part.facts
def _(p: Any, model: Facts | None) -> Facts:
    runs_in_steps(model)
    return model or facts_of("Model")


@save_model_part.peak
def _(p: Any, model: Facts | None) -> Peak:
    return Peak(None, (("model", 1),))
