"""Call arguments out of signatures and docstrings, and values for them as text."""

from __future__ import annotations

import contextlib
import inspect
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.diffusion.errors import DiffusionError
from backend.models.pipelines.arguments import (
    INTERNAL,
    Argument,
    call_arguments,
    frame_rate,
    read_extra,
    task_of,
)
from backend.models.pipelines.classes import pipeline_class
from backend.models.pipelines.run import Wish, _called, call_of


def named(kind: Any) -> dict[str, Argument]:
    return {argument.name: argument for argument in call_arguments(kind)}


@pytest.fixture(scope="module")
def xl() -> Any:
    return pipeline_class("StableDiffusionXLPipeline", "here")


def test_arguments_have_kinds_defaults_and_help(xl: Any) -> None:
    found = named(xl)
    assert found["num_inference_steps"].kinds == ("whole number",)
    assert found["num_inference_steps"].default == 50
    assert "denoising steps" in found["num_inference_steps"].help
    assert found["guidance_scale"].kinds == ("number",)
    assert "text" in found["prompt_2"].kinds
    assert found["prompt_embeds"].kinds == ()
    assert found["original_size"].fixed
    assert not INTERNAL & set(found)
    assert found["guidance_scale"].line.startswith("guidance_scale (number, 5.0): ")


@pytest.mark.parametrize(
    ("name", "task", "rate"),
    [
        ("FluxPipeline", "image", 24),
        ("StableDiffusionImg2ImgPipeline", "image", 24),
        ("StableDiffusionUpscalePipeline", "image", 24),
        ("MarigoldDepthPipeline", "edit", 24),
        ("WanPipeline", "video", 16),
        ("StableVideoDiffusionPipeline", "video", 7),
        ("SanaVideoPipeline", "video", 16),
        ("LTXPipeline", "video", 25),
        ("AceStepPipeline", "audio", 24),
        ("AudioLDM2Pipeline", "audio", 24),
    ],
)
def test_the_task_and_rate_of_a_pipeline(name: str, task: str, rate: float) -> None:
    kind = pipeline_class(name, "here")
    assert task_of(kind) == task
    assert frame_rate(kind) == rate


def test_extra_is_read_line_by_line(xl: Any) -> None:
    text = """
    # sizes
    original_size = [1024, 768]
    guidance_rescale = 1
    clip_skip = 2
    prompt_2 = a kite = a bird
    denoising_end = 0.8
    """
    assert read_extra(text, call_arguments(xl), {}) == {
        "original_size": (1024, 768),
        "guidance_rescale": 1.0,
        "clip_skip": 2,
        "prompt_2": "a kite = a bird",
        "denoising_end": 0.8,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("guidance_rescal = 1", r"no argument 'guidance_rescal'\. It has guidance_rescale"),
        ("zzz = 1", "It has prompt"),
        ("clip_skip = two", "clip_skip takes whole number, not 'two'"),
        ("clip_skip = 1.5", "clip_skip takes whole number, not '1.5'"),
        ("latents = 1", "latents takes no value"),
        ("generator = 1", "no argument 'generator'"),
        ("return_dict = false", "no argument 'return_dict'"),
        ("clip_skip = 1\nclip_skip = 2", "sets clip_skip twice"),
        ("clip_skip", "one `name = value` a line"),
        ("= 3", "one `name = value` a line"),
        ("guidance_rescale = NaN", "takes number, not 'NaN'"),
        ("guidance_rescale = 1e400", "takes number, not '1e400'"),
        ("guidance_rescale = " + "[" * 100_000, "takes number"),
        ("width = 64", "width is set by width here"),
    ],
)
def test_what_a_pipeline_does_not_take_is_a_sentence(text: str, said: str, xl: Any) -> None:
    with pytest.raises(DiffusionError, match=said):
        read_extra(text, call_arguments(xl), {"width": "width"})


@given(st.text(max_size=60), st.sampled_from(["", "clip_skip = ", "prompt_2 =", "eta="]))
def test_any_text_is_values_or_a_sentence(text: str, before: str) -> None:
    arguments = call_arguments(pipeline_class("StableDiffusionXLPipeline", "here"))
    with contextlib.suppress(DiffusionError):
        found = read_extra(before + text, arguments, {})
        assert set(found) <= {argument.name for argument in arguments}
        assert pickle.loads(pickle.dumps(found)) == found or "nan" in text.lower()


def test_a_wish_becomes_a_call(xl: Any) -> None:
    wish = Wish("a kite", "dull", width=64, steps=5, cfg=2.0, extra="clip_skip = 1")
    assert call_of(xl, wish) == {
        "prompt": "a kite", "negative_prompt": "dull", "width": 64, "num_inference_steps": 5,
        "guidance_scale": 2.0, "clip_skip": 1,
    }  # fmt: skip
    qwen = pipeline_class("QwenImagePipeline", "here")
    assert call_of(qwen, Wish("x", cfg=4.0)) == {"prompt": "x", "true_cfg_scale": 4.0}
    flux = pipeline_class("FluxPipeline", "here")
    assert call_of(flux, Wish("x", cfg=4.0, extra="true_cfg_scale = 2")) == {
        "prompt": "x", "guidance_scale": 4.0, "true_cfg_scale": 2.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "wish", "said"),
    [
        ("StableVideoDiffusionPipeline", Wish("a kite"), "takes no prompt"),
        ("StableVideoDiffusionPipeline", Wish(cfg=2.0), "max_guidance_scale, which extra can set"),
        ("StableVideoDiffusionPipeline", Wish(), "also needs image.*Connect a picture"),
        ("FluxPipeline", Wish(frames=9), "takes no frames"),
        ("AuraFlowPipeline", Wish(strength=0.5), "takes no strength"),
        ("FluxPipeline", Wish(steps=4, extra="num_inference_steps = 5"), "is set by steps here"),
    ],
)
def test_a_wish_that_cannot_be_is_a_sentence(name: str, wish: Wish, said: str) -> None:
    with pytest.raises(DiffusionError, match=said):
        call_of(pipeline_class(name, "here"), wish)


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), RuntimeError("cannot reshape")])
def test_what_breaks_inside_a_pipeline_is_a_sentence(error: Exception) -> None:
    def pipeline() -> None:
        raise error

    with pytest.raises(
        DiffusionError, match=r"function cannot run with these settings: (by zero|cannot)"
    ):
        _called(pipeline, {})


@pytest.mark.slow
def test_every_pipeline_of_diffusers_is_understood() -> None:
    import diffusers

    tasks: dict[str, int] = {}
    for name in dir(diffusers):
        found = getattr(diffusers, name, None) if "Pipeline" in name else None
        if not inspect.isclass(found) or not issubclass(found, diffusers.DiffusionPipeline):
            continue
        if found is diffusers.DiffusionPipeline or hasattr(found, "_backends"):
            continue
        arguments = call_arguments(found)
        assert all(argument.line for argument in arguments)
        tasks[task_of(found)] = tasks.get(task_of(found), 0) + 1
        assert frame_rate(found) > 0
    assert sum(tasks.values()) > 280
    assert tasks["video"] > 60
    assert tasks["audio"] >= 10
