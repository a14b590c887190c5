from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backend.media.spool import Spool
from backend.models.preview import SpaceColours
from backend.sdk import Cancelled, FrameDepth, Image, Latent, Peak, UserError, Video, facts_of
from nodes.conditioning import encode_text
from nodes.latents import empty_latent, vae_decode, vae_encode
from nodes.loaders import LoadedModel, link_facts, load_model
from nodes.sampling import sample
from nodes.video_latents import empty_video_latent, vae_decode_video, vae_encode_video
from tests.backend.models import tiny, tiny_wan
from tests.nodes.fake_device import FakeDevice


class Studio(FakeDevice):
    """A context that also keeps videos."""

    def __init__(self, folders: dict[str, Path], cache: Path) -> None:
        super().__init__(folders)
        self.kept = Spool(cache)

    def spool(self, frames: Iterable[Image], rate: float, depth: FrameDepth = "16") -> Video:
        return self.kept.video(frames, rate, depth, self.check)


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    folders = {
        "wan": tiny_wan.write(tmp_path_factory.mktemp("wan")),
        "flux": tiny.write(tmp_path_factory.mktemp("flux")),
    }
    return Studio(folders, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def loaded(ctx: Studio) -> LoadedModel:
    return load_model(ctx, "wan")


def film(ctx: Studio, frames: int = 9, width: int = 48) -> Video:
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 257, (frames, 32, width, 3)) / 256
    return ctx.spool([Image(codes.astype(np.float32))], 12.0, "float")


def test_empty_video_latents_have_the_models_shape(ctx: Studio, loaded: LoadedModel) -> None:
    latent = empty_video_latent(ctx, loaded.model, 48, 32, 9, 2)
    assert latent.samples.shape == (2, 4, 3, 4, 6)
    assert (latent.space, latent.samples.any()) == (loaded.vae.space, False)
    assert empty_video_latent(ctx, loaded.model).samples.shape == (1, 4, 21, 60, 104)
    picture = empty_latent(ctx, loaded.model, 48, 32)
    assert picture.samples.shape == (1, 4, 1, 4, 6)


@pytest.mark.parametrize(
    ("size", "says"),
    [((48, 32, 8), "1 \\+ a multiple of 4 frames, not 8"), ((40, 32, 9), "multiples of 16 pixels")],
)
def test_sizes_that_cannot_be_are_refused(
    size: tuple[int, ...], says: str, ctx: Studio, loaded: LoadedModel
) -> None:
    with pytest.raises(UserError, match=says):
        empty_video_latent(ctx, loaded.model, *size)


def test_a_model_of_pictures_makes_no_videos(ctx: Studio) -> None:
    flux = load_model(ctx, "flux")
    with pytest.raises(UserError, match="Flux models make pictures"):
        empty_video_latent(ctx, flux.model)
    with pytest.raises(UserError, match="Flux models make pictures"):
        vae_encode_video(ctx, flux.vae, film(ctx))


def test_a_model_of_pictures_is_refused_while_editing(ctx: Studio) -> None:
    flux, settings = (
        link_facts(ctx, "flux"),
        SimpleNamespace(width=32, height=32, frames=9, count=1),
    )
    for hook, inputs in (
        (empty_video_latent, {"model": flux["model"]}),
        (vae_encode_video, {"vae": flux["vae"], "video": None}),
        (vae_decode_video, {"vae": flux["vae"], "latent": None}),
    ):
        with pytest.raises(UserError, match="Flux models make pictures, not videos"):
            hook.hooks["facts"](settings, **inputs)


def test_a_video_is_sampled_and_decoded(ctx: Studio, loaded: LoadedModel) -> None:
    texts = [encode_text(ctx, loaded.text_encoder, text) for text in ("a cat", "")]
    start = empty_video_latent(ctx, loaded.model, 48, 32, 9, 2)
    ctx.previews.clear()
    latent = sample(ctx, loaded.model, texts[0], start, texts[1], steps=2, solver="unipc", seed=3)
    assert {p.pixels.shape for p in ctx.previews} == {(2, 4, 6, 3)}
    ctx.done.clear()
    videos = vae_decode_video(ctx, loaded.vae, latent, depth="float")
    assert [(v.frames, v.width, v.height, v.rate) for v in videos] == [(9, 48, 32, 16.0)] * 2
    assert ctx.done == [(n, 6) for n in range(6)]
    one = latent.but(samples=latent.samples[1:])
    (alone,) = vae_decode_video(ctx, loaded.vae, one, rate=30.0, depth="float")
    assert alone.rate == 30
    assert np.array_equal(alone.read().pixels, videos[1].read().pixels)
    assert not np.array_equal(alone.read().pixels, videos[0].read().pixels)


def test_previews_learn_from_one_frame_of_each_latent_frame(
    ctx: Studio, loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, Image]] = []
    monkeypatch.setattr(
        SpaceColours, "learn", lambda self, vae, samples, image: seen.append((samples, image))
    )
    video = film(ctx)
    latent = vae_encode_video(ctx, loaded.vae, video)
    (decoded,) = vae_decode_video(ctx, loaded.vae, latent, depth="float")
    frames = [video.read(2, 3), decoded.read(0, 1), decoded.read(2, 3), decoded.read(6, 7)]
    for (cells, image), index, frame in zip(seen, [1, 0, 1, 2], frames, strict=True):
        assert np.array_equal(cells, latent.samples[:, :, index])
        assert np.allclose(image.pixels, frame.pixels, atol=1e-3)  # a file keeps half floats


def test_encoding_reads_the_video_and_keeps_its_size(ctx: Studio, loaded: LoadedModel) -> None:
    video = film(ctx)
    latent = vae_encode_video(ctx, loaded.vae, video)
    assert latent.samples.shape == (1, 4, 3, 4, 6)
    assert (latent.space, latent.sigma) == (loaded.vae.space, 0.0)
    drawn = [vae_encode_video(ctx, loaded.vae, video, "sample", seed) for seed in (1, 1, 2)]
    assert np.array_equal(drawn[0].samples, drawn[1].samples)
    assert not np.allclose(drawn[0].samples, drawn[2].samples)
    first = vae_encode(ctx, loaded.vae, video.read(0, 1))
    assert np.allclose(first.samples[:, :, 0], latent.samples[:, :, 0], atol=1e-5)
    with pytest.raises(UserError, match="frames, not 8"):
        vae_encode_video(ctx, loaded.vae, film(ctx, 8))
    with pytest.raises(UserError, match="nearest is 32x32"):
        vae_encode_video(ctx, loaded.vae, film(ctx, 9, 40))


def test_pictures_and_videos_have_their_own_decoder(ctx: Studio, loaded: LoadedModel) -> None:
    still = vae_encode(ctx, loaded.vae, film(ctx).read(0, 2))
    assert vae_decode(ctx, loaded.vae, still).pixels.shape == (2, 32, 48, 3)
    moving = vae_encode_video(ctx, loaded.vae, film(ctx))
    with pytest.raises(UserError, match="VAE decode video"):
        vae_decode(ctx, loaded.vae, moving)
    flux = load_model(ctx, "flux")
    picture = Latent(np.zeros((1, 4, 8, 8), np.float32), flux.vae.space)
    with pytest.raises(UserError, match="holds pictures"):
        vae_decode_video(ctx, flux.vae, picture)
    with pytest.raises(UserError, match="in the space"):
        vae_decode_video(ctx, flux.vae, moving)


def test_tiles_give_nearly_the_same(ctx: Studio, loaded: LoadedModel) -> None:
    codes = np.random.default_rng(3).integers(0, 257, (5, 16, 24, 3)) / 256
    large = np.kron(codes, np.ones((1, 8, 8, 1))).astype(np.float32)
    video = ctx.spool([Image(large)], 12.0, "float")
    whole, tiled = (
        vae_encode_video(ctx, loaded.vae, video, tile=tile, overlap=48) for tile in (0, 96)
    )
    assert whole.samples.shape == tiled.samples.shape == (1, 4, 2, 16, 24)
    assert 0 < np.abs(whole.samples - tiled.samples).mean() < 0.03 * np.abs(whole.samples).mean()
    (straight,), (pieces,) = (
        vae_decode_video(ctx, loaded.vae, whole, depth="float", tile=tile, overlap=48)
        for tile in (0, 96)
    )
    away = np.abs(straight.read().pixels - pieces.read().pixels)
    assert 0 < away.mean() < 0.008
    with pytest.raises(UserError, match="cannot overlap"):
        vae_decode_video(ctx, loaded.vae, whole, tile=64, overlap=64)


def test_decoding_can_be_cancelled_between_frames(ctx: Studio, loaded: LoadedModel) -> None:
    latent = empty_video_latent(ctx, loaded.model, 48, 32, 33)
    held = ctx.kept.nbytes
    ctx.cancel_at, ctx.checks = 3, 0
    with pytest.raises(Cancelled):
        vae_decode_video(ctx, loaded.vae, latent)
    ctx.cancel_at = -1
    assert ctx.kept.nbytes == held


def test_a_number_of_frames_that_the_vae_cannot_take_is_refused_while_editing(
    ctx: Studio,
) -> None:
    settings, vae = SimpleNamespace(tile=0, overlap=0), link_facts(ctx, "wan")["vae"]
    hook = vae_encode_video.hooks["facts"]
    assert hook(settings, vae=vae, video=facts_of("Video", frames=9)).frames == 3
    with pytest.raises(UserError, match=r"not 10\. The nearest are 9 and 13"):
        hook(settings, vae=vae, video=facts_of("Video", frames=10))


def test_every_number_of_frames_can_be_set() -> None:
    """The model says which it takes; steps of 4 from 0 would never meet 1 more than a multiple."""
    (frames,) = (p for p in empty_video_latent.spec.params if p.name == "frames")
    assert (frames.minimum, frames.step) == (0, 1)


def test_older_documents_keep_their_overlap() -> None:
    for coder in (vae_encode, vae_decode, vae_encode_video, vae_decode_video):
        assert coder.migrations[1]({"tile": 512}, {})[0] == {"tile": 512, "overlap": 64}
        assert coder.migrations[1]({"overlap": 32}, {})[0] == {"overlap": 32}


def test_facts_are_known_before_a_run(ctx: Studio, loaded: LoadedModel) -> None:
    links = link_facts(ctx, "wan")
    settings = SimpleNamespace(width=48, height=32, frames=9, count=2, rate=0.0, tile=0, overlap=0)
    empty = empty_video_latent.hooks["facts"](settings, model=links["model"])
    assert (empty.width, empty.height, empty.frames, empty.count) == (6, 4, 3, 2)
    assert empty.space == loaded.vae.space
    films = vae_decode_video.hooks["facts"](settings, vae=links["vae"], latent=empty)
    assert (films.is_list, films.length) == (True, 2)
    assert (films.width, films.height, films.frames, films.rate) == (48, 32, 9, None)
    video = facts_of("Video", width=48, height=32, frames=9, rate=12.0)
    coded = vae_encode_video.hooks["facts"](settings, vae=links["vae"], video=video)
    assert (coded.width, coded.height, coded.frames, coded.count) == (6, 4, 3, 1)
    for hook, inputs in (
        (empty_video_latent, {"model": None}),
        (vae_decode_video, {"vae": None, "latent": None}),
        (vae_encode_video, {"vae": None, "video": None}),
    ):
        assert hook.hooks["facts"](settings, **inputs).width is None
    vae = links["vae"]
    need = vae_decode_video.hooks["peak"](settings, vae=vae, latent=empty)
    assert need == Peak(vae.pixel_bytes * 48 * 32, (("vae.decoder", 3 * 2),))
    need = vae_encode_video.hooks["peak"](settings, vae=vae, video=video)
    assert need == Peak(vae.pixel_bytes * 48 * 32, (("vae.encoder", 3),))
    settings.tile = 32
    small = vae_decode_video.hooks["peak"](settings, vae=vae, latent=empty)
    assert small == Peak(vae.pixel_bytes * 32 * 32, (("vae.decoder", 3 * 2 * 2),))
    assert vae_encode_video.hooks["peak"](settings, vae=vae, video=video) == Peak(
        vae.pixel_bytes * 32 * 32, (("vae.encoder", 3 * 2),)
    )
