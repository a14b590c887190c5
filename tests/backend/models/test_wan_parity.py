"""Wan against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.wan import WanPipeline, WanVideoToVideoPipeline

from backend.catalog.folder import read_folder
from backend.diffusion import sample
from backend.diffusion.noise import gaussian
from backend.diffusion.shift import Shift
from backend.media.spool import Spool
from backend.models import causal_video, experts, wan
from backend.models.flow_schedulers import FlowTimes
from backend.models.wan import WanDenoiser
from backend.values import Image, Latent
from tests.backend.models import tiny_wan
from tests.backend.models.battery import Case, Parity, Variant
from tests.backend.models.mistakes import (
    altered,
    called,
    instead,
    padding_seen,
    sides_swapped,
)
from tests.backend.models.parity import (
    MARGIN,
    NEGATIVE,
    PROMPTS,
    STEPS,
    TOLERANCE,
    Weft,
    difference,
    injected,
)
from tests.backend.models.tiny import TOKENS

FRAMES = 9
DIRTY = ["a  red\n circle &amp;amp; a &lt;blue&gt; square ", "the kingâ€™s dogs"]
SCALES = {"guidance": "cfg_experts", "params": {"scales": (3.0, 2.0)}}
"""A strength of guidance for each of two experts."""


class Videos(Weft):
    """Weft's path to videos."""

    def decode(self, samples: torch.Tensor) -> torch.Tensor:
        """Videos ``[b, n, h, w, 3]``, each decoded by itself."""
        return torch.stack([self.film(sample[None]) for sample in samples])

    def film(self, samples: torch.Tensor) -> torch.Tensor:
        """The frames of one sample, ``[n, h, w, 3]``."""
        latent = Latent(samples.numpy(), "any")
        pieces = wan.FAMILY.decode_video(self.refs.vae, latent, self.load, "cpu")
        return torch.from_numpy(np.concatenate(list(pieces)))


def film() -> Image:
    """Frames in whole 256ths, which the half floats of a frame file hold exactly."""
    codes = np.random.default_rng(5).integers(0, 257, (FRAMES, 32, 48, 3))
    return Image((codes / 256).astype(np.float32))


def _late_end(right: Any) -> Any:
    return lambda *given: [*right(*given)[:-1], 0.02]


class TestWan(Parity):
    case = Case(
        tiny_wan.write,
        WanPipeline,
        told={"num_frames": FRAMES, "max_sequence_length": TOKENS},
        weft={"size": (48, 32), "frames": FRAMES, "solver": "unipc"},
        variants={
            "no shift": Variant(partial(tiny_wan.write, scheduler=tiny_wan.unipc(flow_shift=1.0))),
            "a larger shift with a last level": Variant(
                partial(
                    tiny_wan.write,
                    scheduler=tiny_wan.unipc(flow_shift=5.0, shift_terminal=0.05),
                )
            ),
            "euler": Variant(
                partial(tiny_wan.write, scheduler=tiny_wan.euler()), weft={"solver": "euler"}
            ),
            "two experts": Variant(partial(tiny_wan.write, boundary=0.8)),
        },
        mistakes={
            # Noise levels themselves as times, not thousandths.
            "times in 0..1": instead(FlowTimes, "time", lambda _: lambda self, sigma: sigma),
            # As image models have them.
            "levels down to 1/steps": instead(
                FlowTimes, "grid", lambda _: lambda self, n: [1 - i / n for i in range(n)]
            ),
            "no shift": altered(wan, "flow_times", shift=Shift()),
            "padding not set to zero": padding_seen(wan),
            "last level not 0": instead(sample, "sigmas", _late_end),
            "height and width swapped": sides_swapped(WanDenoiser),
            "frames in reverse": called(
                WanDenoiser, lambda right, x, *rest: right(x.flip(2), *rest).flip(2)
            ),
        },
        changed={"another solver": {"solver": "euler"}},
    )

    @classmethod
    def ours(cls, folder: Path, **settings: Any) -> Videos:
        return Videos.of(folder, **{**cls.case.weft, **settings})

    @pytest.fixture(scope="class")
    @classmethod
    def pair(cls, tmp_path_factory: pytest.TempPathFactory) -> Videos:
        return cls.ours(tiny_wan.write(tmp_path_factory.mktemp("pair"), boundary=0.8))

    @pytest.fixture(scope="class")
    @classmethod
    def two_experts(cls, pair: Videos) -> torch.Tensor:
        pipe = cls.pipeline(WanPipeline, pair.path)
        return cls.latents(cls.made(pipe, pair, guidance_scale_2=2.0))

    def test_the_default_solver_is_the_schedulers(self, weft: Videos, tmp_path: Path) -> None:
        other = tiny_wan.write(tmp_path, scheduler=tiny_wan.euler())
        for path, solver in ((weft.path, "unipc"), (other, "euler")):
            assert wan.FAMILY.facts(read_folder(path)).defaults.solver == solver

    def test_two_experts_with_their_own_scales_equal_the_pipeline(
        self, pair: Videos, two_experts: torch.Tensor
    ) -> None:
        assert difference(pair.run(pair.empty(), **SCALES), two_experts) < TOLERANCE

    def test_the_coarse_model_with_times_for_each_token_equals_the_pipeline(
        self, tmp_path: Path
    ) -> None:
        path = tiny_wan.write(tmp_path, coarse=True, scheduler=tiny_wan.unipc(flow_shift=5.0))
        coarse, pipe = self.ours(path, size=(96, 64)), self.pipeline(WanPipeline, path)
        assert pipe.config.expand_timesteps
        latents = self.latents(self.made(pipe, coarse))
        assert difference(coarse.run(coarse.empty()), latents) < TOLERANCE
        films = self.made(pipe, coarse, output_type="np")[0]
        assert films.shape == (2, FRAMES, 64, 96, 3)
        assert difference(coarse.decode(latents), torch.from_numpy(films)) < TOLERANCE

    def test_text_encoding_equals_the_pipeline(self, weft: Videos, pipe: Any) -> None:
        for texts in (PROMPTS, DIRTY, ["", "x" * 100]):
            with torch.no_grad():
                wanted = pipe.encode_prompt(texts, max_sequence_length=TOKENS)[0]
            found = torch.from_numpy(weft.text(texts).tensors["sequence"].copy())
            assert difference(found, wanted) < TOLERANCE

    def test_video_to_video_equals_the_pipeline(
        self, weft: Videos, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pipe = self.pipeline(WanVideoToVideoPipeline, folder)
        pixels = torch.from_numpy(film().pixels.copy()).permute(0, 3, 1, 2)
        told = {**self.told(pipe, weft), "prompt": PROMPTS[:1], "negative_prompt": NEGATIVE[:1]}
        del told["num_frames"]
        with injected(WanVideoToVideoPipeline):
            wanted = self.latents(pipe(**told, video=pixels[None], strength=5.5 / STEPS))
        video = Spool(tmp_path).video([film()], 16.0, "float")

        def ours() -> torch.Tensor:
            latent = wan.FAMILY.encode_video(weft.refs.vae, video, weft.load, "cpu")
            texts = {"prompts": PROMPTS[:1], "negative": NEGATIVE[:1]}
            return weft.run(latent, 12, 2 / STEPS, **texts)

        assert difference(ours(), wanted) < TOLERANCE
        right = causal_video.channel_scaling
        for wrong in (
            lambda scaling: replace(scaling, scale=1.0),
            lambda scaling: replace(scaling, scale=1.0 / scaling.scale),
            lambda scaling: replace(scaling, shift=0.0),
        ):
            monkeypatch.setattr(
                causal_video, "channel_scaling", lambda config, wrong=wrong: wrong(right(config))
            )
            assert difference(ours(), wanted) > MARGIN * TOLERANCE

    def test_encoding_equals_the_networks_own(self, weft: Videos) -> None:
        """``encode_video`` reads pieces; the network's own method takes the video whole."""
        net, frames = weft.load(weft.refs.vae), film()
        pixels = torch.from_numpy(frames.pixels.copy()).permute(3, 0, 1, 2)[None] * 2 - 1
        with torch.no_grad():
            posterior = net.encode(pixels).latent_dist
        scaling = causal_video.channel_scaling(net.config)
        parts = (slice(0, 1), slice(1, 5), slice(5, 9))
        pieces = [pixels[0].transpose(0, 1)[part] for part in parts]
        shape = tuple(posterior.mean.shape)
        mean = causal_video.encode_pieces(net, [pieces], shape, 8, "cpu")
        assert difference(mean, (posterior.mean - scaling.shift) * scaling.scale) < TOLERANCE
        drawn = causal_video.encode_pieces(net, [pieces], shape, 8, "cpu", seed=7)
        wanted = posterior.mean + posterior.std * gaussian(7, shape)
        assert difference(drawn, (wanted - scaling.shift) * scaling.scale) < TOLERANCE

    def test_a_picture_is_a_video_of_one_frame(self, weft: Videos, tmp_path: Path) -> None:
        image = Image(film().pixels[:2])
        latent = weft.encode(image)
        assert latent.samples.shape == (2, 4, 1, 4, 6)
        video = Spool(tmp_path).video([Image(image.pixels[1:])], 16.0, "float")
        alone = wan.FAMILY.encode_video(weft.refs.vae, video, weft.load, "cpu").samples
        assert np.allclose(latent.samples[1:], alone, atol=1e-5)
        pictures = wan.FAMILY.decode_latent(weft.refs.vae, latent, weft.load, "cpu")
        frames = weft.film(torch.from_numpy(latent.samples[1:].copy()))
        assert difference(torch.from_numpy(pictures.pixels[1:].copy()), frames) < TOLERANCE

    def test_an_unshifted_last_level_of_euler_is_far_off(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tiny_wan.write(tmp_path, scheduler=tiny_wan.euler())
        other = self.ours(path, solver="euler")
        wanted = self.latents(self.made(self.pipeline(WanPipeline, path), other))
        altered(wan, "flow_times", lowest=0.05)(monkeypatch)
        assert difference(other.run(other.empty()), wanted) > MARGIN * TOLERANCE

    def test_wrong_experts_are_far_off(
        self, pair: Videos, two_experts: torch.Tensor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = experts.experts_of
        first, second = right(pair.refs.model)
        wrong = {
            "only the first": (first,),
            "swapped": (replace(first, model=second.model), replace(second, model=first.model)),
            "another boundary": (first, replace(second, below=0.6)),
        }
        for found in wrong.values():
            monkeypatch.setattr(experts, "experts_of", lambda model, found=found: found)
            ours = pair.run(pair.empty(), **(SCALES if len(found) > 1 else {}))
            assert difference(ours, two_experts) > MARGIN * TOLERANCE
        monkeypatch.setattr(experts, "experts_of", right)
        for guidance in ({}, {**SCALES, "params": {"scales": (2.0, 3.0)}}):
            assert difference(pair.run(pair.empty(), **guidance), two_experts) > MARGIN * TOLERANCE

    def test_decoding_without_memory_of_the_frames_before_is_far_off(
        self, weft: Videos, from_texts: torch.Tensor
    ) -> None:
        whole = weft.film(from_texts[:1])
        second = weft.film(from_texts[:1, :, 1:2])
        assert whole.shape[0] == FRAMES
        assert difference(second[0], whole[1]) > MARGIN * TOLERANCE

    def test_decoding_holds_no_more_for_longer_videos(self, weft: Videos) -> None:
        """Pieces come one by one, and an unfinished decoding leaves nothing in the network."""
        latent = Latent(replace(weft, frames=33).noise()[:1].numpy(), "any")
        pieces = wan.FAMILY.decode_video(weft.refs.vae, latent, weft.load, "cpu")
        first = next(pieces)
        other = weft.film(weft.noise(seed=8)[:1])
        again = weft.film(weft.noise(seed=8)[:1])
        assert torch.equal(other, again)
        rest = list(pieces)
        assert (len(first), [len(piece) for piece in rest]) == (1, [4] * 8)
        straight = weft.film(torch.from_numpy(latent.samples.copy()))
        assert np.array_equal(np.concatenate([first, *rest]), straight.numpy())
