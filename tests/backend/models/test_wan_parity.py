"""Wan against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.wan import pipeline_wan, pipeline_wan_video2video

from backend.catalog.folder import read_folder
from backend.diffusion import sample
from backend.diffusion.noise import gaussian, sample_seed
from backend.diffusion.shift import Shift
from backend.media.spool import Spool
from backend.models import causal_video, experts, wan
from backend.models.codec import Scaling
from backend.models.family import References, families, recognise, references
from backend.models.flow_schedulers import FlowTimes
from backend.models.store import Store
from backend.values import Guider, Image, Latent, Noise, Params, Schedule, Solver, Term
from tests.backend.models import tiny_wan
from tests.backend.models.parity import (
    MARGIN,
    NEGATIVE,
    PROMPTS,
    STEPS,
    TOLERANCE,
    difference,
    injected,
    pipeline,
)
from tests.backend.models.tiny import TOKENS

FRAMES = 9
COMMON: dict[str, Any] = {
    "prompt": PROMPTS,
    "negative_prompt": NEGATIVE,
    "guidance_scale": 3.0,
    "num_inference_steps": STEPS,
    "output_type": "latent",
    "max_sequence_length": TOKENS,
}
DIRTY = ["a  red\n circle &amp;amp; a &lt;blue&gt; square ", "the kingâ€™s dogs"]


@dataclass
class Weft:
    """Weft's own path from texts to latents, on one model folder."""

    refs: References
    store: Store
    geometry: Any
    solver: str
    size: tuple[int, int]

    @classmethod
    def of(cls, path: Path, size: tuple[int, int] = (48, 32)) -> Weft:
        folder = read_folder(path)
        refs = references(folder, recognise(folder, families()))
        facts = wan.FAMILY.facts(folder)
        store = Store(families(), 2**30)
        return cls(refs, store, facts.geometry, facts.defaults.solver, size)

    def load(self, weights: Any) -> Any:
        return self.store.get(weights, "cpu")

    def noise(self, seed: int = 3, count: int = 2, frames: int = FRAMES) -> torch.Tensor:
        return gaussian(seed, self.geometry.shape(*self.size, count, frames))

    def run(self, latent: Latent | None = None, seed: int = 3, start: float = 0.0,
            kind: str = "cfg", prompts: list[str] = PROMPTS, negative: list[str] = NEGATIVE,
            solver: str = "", params: Params | None = None) -> torch.Tensor:  # fmt: skip
        told = (("positive", prompts), ("negative", negative))
        terms = [
            Term(role, wan.FAMILY.encode_text(self.refs.text, texts, {}, self.load, "cpu"))
            for role, texts in told
        ]
        model = self.refs.model
        denoiser, around = experts.assemble(model, self.load, "cpu", lambda stage: ())
        result = sample.sample(
            denoiser,
            Guider(kind, params or {"cfg": 3.0}, model, tuple(terms)),
            Solver(solver or self.solver),
            Schedule("native", steps=STEPS, start=start),
            Noise("gaussian", seed=seed),
            latent or Latent(self.noise(count=len(prompts)).numpy() * 0, "any"),
            around=around,
        )
        return torch.from_numpy(result.samples.copy())

    def decode(self, samples: torch.Tensor) -> torch.Tensor:
        """The frames of one sample, ``[n, h, w, 3]``."""
        latent = Latent(samples.numpy(), "any")
        pieces = wan.FAMILY.decode_video(self.refs.vae, latent, self.load, "cpu")
        return torch.from_numpy(np.concatenate(list(pieces)))


def theirs(weft: Weft, path: Path, **changes: Any) -> torch.Tensor:
    """What the pipeline makes of the same noise: latents, or videos ``[b, n, h, w, 3]``."""
    pipe = pipeline(pipeline_wan.WanPipeline, path)
    width, height = weft.size
    size = {"width": width, "height": height, "num_frames": FRAMES}
    result = pipe(**{**COMMON, **size, **changes}, latents=weft.noise()).frames
    return torch.as_tensor(result)


def written(factory: pytest.TempPathFactory, **options: Any) -> Path:
    return tiny_wan.write(factory.mktemp("wan"), **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory)


@pytest.fixture(scope="module")
def weft(folder: Path) -> Weft:
    return Weft.of(folder)


@pytest.fixture(scope="module")
def text_to_video(weft: Weft, folder: Path) -> torch.Tensor:
    return theirs(weft, folder)


@pytest.fixture(scope="module")
def eulers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory, scheduler=tiny_wan.euler())


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory, boundary=0.8)


@pytest.fixture(scope="module")
def two_experts(pair: Path) -> torch.Tensor:
    return theirs(Weft.of(pair), pair, guidance_scale_2=2.0)


def test_unipc_equals_the_pipeline(weft: Weft, text_to_video: torch.Tensor) -> None:
    assert weft.solver == "unipc"
    assert difference(weft.run(), text_to_video) < TOLERANCE


@pytest.mark.parametrize(
    "settings", [{"flow_shift": 1.0}, {"flow_shift": 5.0, "shift_terminal": 0.05}]
)
def test_other_shifts_equal_the_pipeline(
    settings: dict[str, float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = written(tmp_path_factory, scheduler=tiny_wan.unipc(**settings))
    other = Weft.of(path)
    assert difference(other.run(), theirs(other, path)) < TOLERANCE


def test_euler_equals_the_pipeline(eulers: Path) -> None:
    other = Weft.of(eulers)
    assert other.solver == "euler"
    assert difference(other.run(), theirs(other, eulers)) < TOLERANCE


def test_two_experts_with_their_own_scales_equal_the_pipeline(
    pair: Path, two_experts: torch.Tensor
) -> None:
    ours = Weft.of(pair).run(kind="cfg_experts", params={"scales": (3.0, 2.0)})
    assert difference(ours, two_experts) < TOLERANCE


def test_two_experts_with_one_scale_equal_the_pipeline(pair: Path) -> None:
    both = Weft.of(pair)
    assert difference(both.run(), theirs(both, pair)) < TOLERANCE


def test_the_coarse_model_with_times_for_each_token_equals_the_pipeline(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = written(tmp_path_factory, coarse=True, scheduler=tiny_wan.unipc(flow_shift=5.0))
    coarse = Weft.of(path, (96, 64))
    pipe = pipeline(pipeline_wan.WanPipeline, path)
    assert pipe.config.expand_timesteps
    latents = theirs(coarse, path)
    assert difference(coarse.run(), latents) < TOLERANCE
    films = theirs(coarse, path, output_type="np")
    assert films.shape == (2, FRAMES, 64, 96, 3)
    for film, latent in zip(films, latents, strict=True):
        assert difference(coarse.decode(latent[None]), film) < TOLERANCE


def test_decoding_equals_the_pipeline(
    weft: Weft, folder: Path, text_to_video: torch.Tensor
) -> None:
    films = theirs(weft, folder, output_type="np")
    for film, latent in zip(films, text_to_video, strict=True):
        assert difference(weft.decode(latent[None]), film) < TOLERANCE


def test_text_encoding_equals_the_pipeline(weft: Weft, folder: Path) -> None:
    pipe = pipeline(pipeline_wan.WanPipeline, folder)
    for texts in (PROMPTS, DIRTY, ["", "x" * 100]):
        with torch.no_grad():
            wanted = pipe.encode_prompt(texts, max_sequence_length=TOKENS)[0]
        ours = wan.FAMILY.encode_text(weft.refs.text, texts, {}, weft.load, "cpu")
        found = torch.from_numpy(ours.tensors["sequence"].copy())
        assert difference(found, wanted) < TOLERANCE


def film() -> Image:
    """Frames in whole 256ths, which the half floats of a frame file hold exactly."""
    codes = np.random.default_rng(5).integers(0, 257, (FRAMES, 32, 48, 3))
    return Image((codes / 256).astype(np.float32))


def test_video_to_video_equals_the_pipeline(
    weft: Weft, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = pipeline(pipeline_wan_video2video.WanVideoToVideoPipeline, folder)
    pixels = torch.from_numpy(film().pixels.copy()).permute(0, 3, 1, 2)
    with injected(pipeline_wan_video2video):
        wanted = pipe(
            **{**COMMON, "prompt": PROMPTS[:1], "negative_prompt": NEGATIVE[:1]},
            video=pixels[None], width=48, height=32, strength=5.5 / STEPS,
        ).frames  # fmt: skip
    video = Spool(tmp_path).video([film()], 16.0, "float")
    texts = {"prompts": PROMPTS[:1], "negative": NEGATIVE[:1]}

    def ours() -> torch.Tensor:
        latent = wan.FAMILY.encode_video(weft.refs.vae, video, weft.load, "cpu")
        return weft.run(latent, 12, start=2 / STEPS, **texts)

    assert difference(ours(), wanted) < TOLERANCE
    right = causal_video.channel_scaling
    for wrong in (
        lambda config: Scaling(1.0, right(config).shift),
        lambda config: Scaling(1.0 / right(config).scale, right(config).shift),
        lambda config: Scaling(right(config).scale, 0.0),
    ):
        monkeypatch.setattr(causal_video, "channel_scaling", wrong)
        assert difference(ours(), wanted) > MARGIN * TOLERANCE


def test_encoding_equals_the_networks_own(weft: Weft) -> None:
    """``encode_video`` reads pieces; the network's own method takes the video whole."""
    net, frames = weft.load(weft.refs.vae), film()
    pixels = torch.from_numpy(frames.pixels.copy()).permute(3, 0, 1, 2)[None] * 2 - 1
    with torch.no_grad():
        posterior = net.encode(pixels).latent_dist
    scaling = causal_video.channel_scaling(net.config)
    pieces = [pixels[0].transpose(0, 1)[part] for part in (slice(0, 1), slice(1, 5), slice(5, 9))]
    shape = tuple(posterior.mean.shape)
    mean = causal_video.encode_pieces(net, [pieces], shape, 8, "cpu")
    assert difference(mean, (posterior.mean - scaling.shift) * scaling.scale) < TOLERANCE
    drawn = causal_video.encode_pieces(net, [pieces], shape, 8, "cpu", seed=7)
    wanted = posterior.mean + posterior.std * gaussian(7, shape)
    assert difference(drawn, (wanted - scaling.shift) * scaling.scale) < TOLERANCE


def test_a_picture_is_a_video_of_one_frame(weft: Weft, tmp_path: Path) -> None:
    image = Image(film().pixels[:2])
    latent = wan.FAMILY.encode_image(weft.refs.vae, image, weft.load, "cpu")
    assert latent.samples.shape == (2, 4, 1, 4, 6)
    video = Spool(tmp_path).video([Image(image.pixels[1:])], 16.0, "float")
    alone = wan.FAMILY.encode_video(weft.refs.vae, video, weft.load, "cpu").samples
    assert np.allclose(latent.samples[1:], alone, atol=1e-5)
    pictures = wan.FAMILY.decode_latent(weft.refs.vae, latent, weft.load, "cpu")
    frames = weft.decode(torch.from_numpy(latent.samples[1:].copy()))
    assert difference(torch.from_numpy(pictures.pixels[1:].copy()), frames) < TOLERANCE


def test_a_batch_equals_its_samples_alone(weft: Weft) -> None:
    both = weft.run()
    for index in range(2):
        one = slice(index, index + 1)
        seed = sample_seed(3, index)
        alone = weft.run(seed=seed, prompts=PROMPTS[one], negative=NEGATIVE[one])
        assert difference(alone, both[one]) < TOLERANCE


Patch = Callable[[pytest.MonkeyPatch], None]


def _fractional_times(patch: pytest.MonkeyPatch) -> None:
    """Noise levels themselves as times, not thousandths."""
    patch.setattr(FlowTimes, "time", lambda self, sigma: sigma)


def _wrong_grid(patch: pytest.MonkeyPatch) -> None:
    """Even levels down to 1/steps, as image models have them."""
    patch.setattr(FlowTimes, "grid", lambda self, n: [1 - i / n for i in range(n)])


def _no_shift(patch: pytest.MonkeyPatch) -> None:
    right = wan.flow_times
    patch.setattr(wan, "flow_times", lambda *a: replace(right(*a), shift=Shift()))


def _unmasked_text(patch: pytest.MonkeyPatch) -> None:
    """Padding left as the encoder makes it."""
    right = wan.tokenise
    patch.setattr(wan, "tokenise", lambda *a: (right(*a)[0], torch.ones_like(right(*a)[1])))


def _late_end(patch: pytest.MonkeyPatch) -> None:
    right = sample.sigmas
    patch.setattr(sample, "sigmas", lambda *a: [*right(*a)[:-1], 0.02])


def _swapped_sides(patch: pytest.MonkeyPatch) -> None:
    right = wan.WanDenoiser.__call__

    def call(self: Any, x: torch.Tensor, sigma: float, prepared: Any) -> torch.Tensor:
        return right(self, x.transpose(3, 4), sigma, prepared).transpose(3, 4)

    patch.setattr(wan.WanDenoiser, "__call__", call)


def _frames_backwards(patch: pytest.MonkeyPatch) -> None:
    right = wan.WanDenoiser.__call__
    patch.setattr(
        wan.WanDenoiser, "__call__", lambda self, x, *rest: right(self, x.flip(2), *rest).flip(2)
    )


MISTAKES: dict[str, Patch] = {
    "times in 0..1": _fractional_times,
    "levels down to 1/steps": _wrong_grid,
    "no shift": _no_shift,
    "padding not set to zero": _unmasked_text,
    "last level not 0": _late_end,
    "height and width swapped": _swapped_sides,
    "frames in reverse": _frames_backwards,
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_far_off(
    name: str, weft: Weft, text_to_video: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[name](monkeypatch)
    assert difference(weft.run(), text_to_video) > MARGIN * TOLERANCE


@pytest.mark.parametrize(
    "changed",
    [{"params": {"cfg": 3.3}}, {"solver": "euler"}, {"seed": 4}, {"prompts": PROMPTS[::-1]},
     {"negative": ["", ""]}],
)  # fmt: skip
def test_wrong_settings_are_far_off(
    changed: dict[str, Any], weft: Weft, text_to_video: torch.Tensor
) -> None:
    assert difference(weft.run(**changed), text_to_video) > MARGIN * TOLERANCE


def test_an_unshifted_last_level_of_euler_is_far_off(
    eulers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Weft.of(eulers)
    wanted, right = theirs(other, eulers), wan.flow_times
    monkeypatch.setattr(wan, "flow_times", lambda *a: replace(right(*a), lowest=0.05))
    assert difference(other.run(), wanted) > MARGIN * TOLERANCE


def test_wrong_experts_are_far_off(
    pair: Path, two_experts: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, right = Weft.of(pair), experts.experts_of
    scales: dict[str, Any] = {"kind": "cfg_experts", "params": {"scales": (3.0, 2.0)}}
    first, second = right(both.refs.model)
    wrong = {
        "only the first": (first,),
        "swapped": (replace(first, model=second.model), replace(second, model=first.model)),
        "another boundary": (first, replace(second, below=0.6)),
    }
    for found in wrong.values():
        monkeypatch.setattr(experts, "experts_of", lambda model, found=found: found)
        told = scales if len(found) > 1 else {}
        assert difference(both.run(**told), two_experts) > MARGIN * TOLERANCE
    monkeypatch.setattr(experts, "experts_of", right)
    for guidance in ({}, {"kind": "cfg_experts", "params": {"scales": (2.0, 3.0)}}):
        assert difference(both.run(**guidance), two_experts) > MARGIN * TOLERANCE


def test_decoding_without_memory_of_the_frames_before_is_far_off(
    weft: Weft, text_to_video: torch.Tensor
) -> None:
    whole = weft.decode(text_to_video[:1])
    second = weft.decode(text_to_video[:1, :, 1:2])
    assert whole.shape[0] == FRAMES
    assert difference(second[0], whole[1]) > MARGIN * TOLERANCE


def test_decoding_holds_no_more_for_longer_videos(weft: Weft) -> None:
    """Pieces come one by one, and an unfinished decoding leaves nothing in the network."""
    latent = Latent(weft.noise(count=1, frames=33).numpy(), "any")
    pieces = wan.FAMILY.decode_video(weft.refs.vae, latent, weft.load, "cpu")
    first = next(pieces)
    other = weft.decode(weft.noise(seed=8, count=1))
    again = weft.decode(weft.noise(seed=8, count=1))
    assert torch.equal(other, again)
    rest = list(pieces)
    assert (len(first), [len(piece) for piece in rest]) == (1, [4] * 8)
    straight = weft.decode(torch.from_numpy(latent.samples.copy()))
    assert np.array_equal(np.concatenate([first, *rest]), straight.numpy())
