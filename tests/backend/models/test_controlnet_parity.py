"""ControlNets against diffusers' pipelines on tiny models: the same latents in and out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    ControlNetModel,
    ControlNetUnionModel,
    FluxControlNetModel,
    FluxControlNetPipeline,
    FluxMultiControlNetModel,
    StableDiffusionControlNetPipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLControlNetUnionPipeline,
)
from diffusers.models.autoencoders import vae as diffusers_vae

from backend.catalog.controlnets import read_controlnet
from backend.models import patches2x2
from backend.models.controlnet.file import facts_of_net, reference
from backend.models.controlnet.patch import PICTURE, controlnet_patch
from backend.models.family import families
from backend.models.loaders import loaders
from backend.models.patches import controlnet
from backend.models.store import Store
from backend.values import Image, Patch
from tests.backend.models import tiny, tiny_controlnet, tiny_sdxl
from tests.backend.models.parity import (
    CFG,
    HEIGHT,
    MARGIN,
    NEGATIVE,
    PROMPTS,
    TOLERANCE,
    WIDTH,
    Weft,
    difference,
    pipeline,
)
from tests.backend.models.test_sd15_parity import write as write_sd15

FAR = MARGIN * TOLERANCE
SCALES = (0.8, 0.5)


def pictures(seed: int = 5) -> Image:
    rng = np.random.default_rng(seed)
    return Image(rng.random((2, HEIGHT, WIDTH, 3), dtype=np.float32))


def shown(seed: int = 5) -> torch.Tensor:
    return torch.from_numpy(pictures(seed).pixels.copy()).permute(0, 3, 1, 2)


@dataclass
class Bench:
    """A tiny model, two nets for it, and diffusers' pipeline with one of them or both."""

    write: Callable[[Path], Path]
    net: Callable[..., Path]
    kind: Any
    pipe: Any
    second: dict[str, Any] = field(default_factory=dict)
    steps: int = 4
    weft: Weft = field(init=False)
    nets: tuple[Path, Path] = field(init=False)

    def ready(self, home: Path) -> Bench:
        torch.set_num_threads(1)
        self.write(home / "model")
        first = self.net(home / "model", home / "first")
        self.nets = first, self.net(home / "model", home / "second", seed=11, **self.second)
        self.weft = Weft.of(home / "model", steps=self.steps)
        self.weft.store = Store(families(), 2**30, loaders())
        return self

    @property
    def flux(self) -> bool:
        return self.kind is FluxControlNetModel

    def patch(self, which: int = 0, image: Image | None = None, **changes: Any) -> Patch:
        told = {"strength": SCALES[which], "span": (0.0, 1.0), "mode": 0, **changes}
        net = reference(read_controlnet(self.nets[which]))
        image = image or pictures(5 + which)
        seen = self.weft.encode(image).samples if self.flux else image.pixels
        return controlnet_patch(net, tensors={PICTURE: seen}, **told)

    def ours(self, *patches: Patch, **changes: Any) -> torch.Tensor:
        model = self.weft.refs.model
        for patch in patches:
            model = model.with_(patch)
        weft = replace(self.weft, refs=self.weft.refs._replace(model=model))
        return weft.run(weft.empty(), **changes)

    def theirs(self, *nets: int, cfg: float = CFG, **changes: Any) -> torch.Tensor:
        loaded = [self.kind.from_pretrained(self.nets[n]) for n in nets]
        given: Any = loaded[0] if len(nets) == 1 else loaded
        if self.flux and len(nets) > 1:
            given = FluxMultiControlNetModel(loaded)
        pipe = pipeline(self.pipe, self.weft.path, controlnet=given)
        images: Any = [shown(5 + n) for n in nets]
        if self.flux:  # where this pipeline is given a tensor it takes it for -1 to 1
            images = [2 * image - 1 for image in images]
        scales: Any = [SCALES[n] for n in nets]
        if len(nets) == 1:
            images, scales = images[0], scales[0]
        told: dict[str, Any] = {
            "prompt": [*PROMPTS],
            "negative_prompt": [*NEGATIVE],
            "width": WIDTH,
            "height": HEIGHT,
            "num_inference_steps": self.steps,
            "output_type": "latent",
            "controlnet_conditioning_scale": scales,
            ("control_image" if self.flux else "image"): images,
            ("true_cfg_scale" if self.flux else "guidance_scale"): cfg,
            **changes,
        }
        if not self.flux:
            return pipe(**told, latents=self.weft.noise())[0]
        with pytest.MonkeyPatch.context() as patch:  # the posterior's mean, as Weft encodes
            kind = diffusers_vae.DiagonalGaussianDistribution
            patch.setattr(kind, "sample", lambda found, generator=None: found.mode())
            _own_text(pipe, patch)
            noise = patches2x2.pack(self.weft.noise())
            more = {"guidance_scale": 3.5, "max_sequence_length": tiny.TOKENS}
            made = pipe(**told, latents=noise, **more)[0]
        return patches2x2.unpack(made, HEIGHT // 2, WIDTH // 2)


def _own_text(pipe: Any, patch: pytest.MonkeyPatch) -> None:
    """The pipeline gives the negative text what the net said of the positive one; Weft asks the net
    with the text of each, as the pipelines of Stable Diffusion do. So does this."""
    base, net = pipe.transformer.forward, pipe.controlnet.forward
    asked: dict[str, Any] = {}

    def remember(**told: Any) -> Any:
        asked.update(told)
        return net(**told)

    def call(**told: Any) -> Any:
        names = ("encoder_hidden_states", "pooled_projections")
        double, single = net(**{**asked, **{name: told[name] for name in names}})
        return base(
            **{
                **told,
                "controlnet_block_samples": double,
                "controlnet_single_block_samples": single,
            }
        )

    patch.setattr(pipe.controlnet, "forward", remember)
    patch.setattr(pipe.transformer, "forward", call)


BENCHES: dict[str, Callable[[], Bench]] = {
    "sd15": lambda: Bench(
        write_sd15, tiny_controlnet.for_unet, ControlNetModel, StableDiffusionControlNetPipeline
    ),
    "sdxl": lambda: Bench(
        tiny_sdxl.write,
        tiny_controlnet.for_unet,
        ControlNetModel,
        StableDiffusionXLControlNetPipeline,
    ),
    "flux": lambda: Bench(
        tiny.write,
        tiny_controlnet.for_flux,
        FluxControlNetModel,
        FluxControlNetPipeline,
        second={"num_layers": 1, "num_single_layers": 1},
    ),
}


@pytest.fixture(scope="module", params=BENCHES)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return BENCHES[request.param]().ready(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def guided(bench: Bench) -> torch.Tensor:
    return bench.theirs(0)


def test_one_net_equals_diffusers(bench: Bench, guided: torch.Tensor) -> None:
    assert difference(bench.ours(bench.patch()), guided) < TOLERANCE
    assert difference(bench.ours(), guided) > FAR


def test_unguided_equals_the_pipeline_as_it_is(bench: Bench) -> None:
    theirs = bench.theirs(0, cfg=1.0, negative_prompt=None)
    assert difference(bench.ours(bench.patch(), cfg=1.0), theirs) < TOLERANCE


def test_two_nets_equal_diffusers_in_either_order(bench: Bench) -> None:
    theirs = bench.theirs(0, 1)
    first, second = bench.patch(0), bench.patch(1)
    assert difference(bench.ours(first, second), theirs) < TOLERANCE
    assert difference(bench.ours(second, first), theirs) < TOLERANCE
    assert difference(bench.ours(first), theirs) > FAR
    assert difference(bench.ours(second), theirs) > FAR


@pytest.mark.parametrize("span", [(0.25, 0.75), (0.0, 0.5), (0.5, 1.0)])
def test_a_range_of_steps_equals_diffusers(bench: Bench, span: tuple[float, float]) -> None:
    theirs = bench.theirs(0, control_guidance_start=span[0], control_guidance_end=span[1])
    assert difference(bench.ours(bench.patch(span=span)), theirs) < TOLERANCE
    assert difference(bench.ours(bench.patch()), theirs) > FAR


WRONG: dict[str, Callable[[Bench], torch.Tensor]] = {
    "another strength": lambda b: b.ours(b.patch(strength=0.9)),
    "another picture": lambda b: b.ours(b.patch(image=pictures(9))),
    "pictures swapped": lambda b: b.ours(b.patch(image=Image(pictures().pixels[::-1].copy()))),
    "the first picture for both": lambda b: b.ours(b.patch(image=Image(pictures().pixels[:1]))),
    "-1 to 1 for 0 to 1": lambda b: b.ours(b.patch(image=Image(pictures().pixels * 2 - 1))),
    "another net": lambda b: b.ours(b.patch(1, image=pictures(), strength=SCALES[0])),
    "laid on twice": lambda b: b.ours(b.patch(), b.patch()),
    "one step less": lambda b: b.ours(b.patch(span=(0.25, 1.0))),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_done_otherwise_shows(
    wrong: Callable[[Bench], torch.Tensor], bench: Bench, guided: torch.Tensor
) -> None:
    assert difference(wrong(bench), guided) > FAR


def _without_middle(right: Any) -> Any:
    def wrong(given: Any, found: Any, weigh: Any) -> Any:
        return right(given, (found[0], found[1] * 0), weigh)

    return wrong


def _shifted(right: Any) -> Any:
    def wrong(*given: Any) -> Any:
        *rest, found, weigh = given
        moved = tuple(m[1:] + m[:1] if isinstance(m, list) and len(m) > 1 else m for m in found)
        return right(*rest, moved, weigh)

    return wrong


def test_mistakes_in_the_code_show(
    bench: Bench, guided: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    if bench.flux:
        right = controlnet._to_flux
        for part in (0, 1):

            def one_only(base: Any, given: Any, found: Any, weigh: Any, part: int = part) -> Any:
                kept = tuple(each if n == part else None for n, each in enumerate(found))
                return right(base, given, kept, weigh)

            monkeypatch.setattr(controlnet, "_to_flux", one_only)
            assert difference(bench.ours(bench.patch()), guided) > FAR
        return
    monkeypatch.setattr(controlnet, "_to_unet", _without_middle(controlnet._to_unet))
    assert difference(bench.ours(bench.patch()), guided) > FAR


def test_negative_texts_of_their_own_show_in_a_flux(tmp_path: Path) -> None:
    """The one thing that is done otherwise than by diffusers' pipeline; see ``_own_text``."""
    bench = BENCHES["flux"]().ready(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}._own_text", lambda pipe, patch: None)
        assert difference(bench.ours(bench.patch()), bench.theirs(0)) > FAR


def test_unlike_depths_of_a_flux_add_up(tmp_path: Path) -> None:
    """Nets of two blocks and of one, the second without single blocks: each as if alone."""
    bench = BENCHES["flux"]()
    bench.second = {"num_layers": 2, "num_single_layers": 0}
    bench.ready(tmp_path)
    alone = bench.ours(bench.patch(1))
    assert difference(alone, bench.theirs(1)) < TOLERANCE
    both = bench.ours(bench.patch(0), bench.patch(1))
    assert difference(both, bench.ours(bench.patch(1), bench.patch(0))) < TOLERANCE
    assert min(difference(both, alone), difference(both, bench.ours(bench.patch(0)))) > FAR


def test_a_union_net_equals_diffusers(tmp_path: Path) -> None:
    bench = Bench(
        tiny_sdxl.write,
        tiny_controlnet.union,
        ControlNetUnionModel,
        StableDiffusionXLControlNetUnionPipeline,
    ).ready(tmp_path)
    assert facts_of_net(reference(read_controlnet(bench.nets[0]))).modes == 3
    loaded = ControlNetUnionModel.from_pretrained(bench.nets[0])
    pipe = pipeline(bench.pipe, bench.weft.path, controlnet=loaded)
    theirs = pipe(
        prompt=[*PROMPTS],
        negative_prompt=[*NEGATIVE],
        width=WIDTH,
        height=HEIGHT,
        num_inference_steps=bench.steps,
        output_type="latent",
        controlnet_conditioning_scale=SCALES[0],
        control_image=[shown()],
        control_mode=[2],
        guidance_scale=CFG,
        latents=bench.weft.noise(),
    )[0]
    assert difference(bench.ours(bench.patch(mode=2)), theirs) < TOLERANCE
    assert difference(bench.ours(bench.patch(mode=1)), theirs) > FAR


def test_a_flux_union_net_equals_diffusers(tmp_path: Path) -> None:
    bench = Bench(
        tiny.write,
        lambda model, folder, **told: tiny_controlnet.for_flux(model, folder, num_mode=4, **told),
        FluxControlNetModel,
        FluxControlNetPipeline,
    ).ready(tmp_path)
    theirs = bench.theirs(0, control_mode=3)
    assert difference(bench.ours(bench.patch(mode=3)), theirs) < TOLERANCE
    assert difference(bench.ours(bench.patch(mode=0)), theirs) > FAR


@pytest.mark.parametrize("on", [(True, False), (False, True)])
def test_embedded_guidance_of_one_alone(on: tuple[bool, bool], tmp_path: Path) -> None:
    """The denoiser is told a guidance and the net is not, or the other way round."""
    bench = Bench(
        lambda path: tiny.write(path, guidance=on[0]),
        lambda m, f, **told: tiny_controlnet.for_flux(m, f, guidance_embeds=on[1], **told),
        FluxControlNetModel,
        FluxControlNetPipeline,
    ).ready(tmp_path)
    assert difference(bench.ours(bench.patch()), bench.theirs(0)) < TOLERANCE
