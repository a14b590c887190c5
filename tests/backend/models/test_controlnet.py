"""ControlNets as patches: what they leave alone and what they refuse, and the files they are in."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, FluxControlNetModel
from safetensors.torch import load_file, save_file

from backend.catalog.controlnet_config import transformer_config, unet_config
from backend.catalog.controlnets import is_controlnet, read_controlnet
from backend.catalog.errors import CatalogError
from backend.catalog.source import open_model
from backend.diffusion.around import Moment, Window
from backend.diffusion.errors import DiffusionError
from backend.diffusion.sample import Hooks, sample
from backend.models import fill
from backend.models import reference as references_of_pictures
from backend.models.controlnet.file import facts_of_net, reference
from backend.models.controlnet.patch import MASK, PICTURE, controlnet_patch, reference_of
from backend.models.family import families
from backend.models.loaders import loaders
from backend.models.lora.adapter import lora_patch
from backend.models.patch import surround
from backend.models.patches.controlnet import CONTROLNET
from backend.models.store import Store
from backend.values import ControlNet, Guider, Latent, Noise, Patch, Schedule, Solver, Term
from tests.backend.models import tiny, tiny_controlnet, tiny_sd15, tiny_sdxl
from tests.backend.models.test_seams import STEPS, Bench, far

MODELS = {
    "sd15": (tiny_sd15.write, tiny_controlnet.for_unet),
    "sdxl": (tiny_sdxl.write, tiny_controlnet.for_unet),
    "flux": (tiny.write, tiny_controlnet.for_flux),
}


class Control(Bench):
    """A tiny model with a ControlNet."""

    def __init__(self, name: str, home: Path) -> None:
        write, net = MODELS[name]
        super().__init__(write(home / "model"))
        self.name, self.home = name, home
        self.store = Store(families(), 2**30, loaders())
        self.net = reference(read_controlnet(net(home / "model", home / "net")))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.shape[-2] * 2, self.shape[-1] * 2

    def picture(self, count: int = 1, seed: int = 5, scale: int = 1) -> np.ndarray:
        rng = np.random.default_rng(seed)
        if self.name == "flux":
            return rng.standard_normal((count, *self.shape[1:]), np.float32)
        small = rng.random((count, *self.size, 3), dtype=np.float32)
        return small.repeat(scale, 1).repeat(scale, 2)

    def patch(self, strength: float = 0.7, mask: np.ndarray | None = None, **more: Any) -> Patch:
        told = {"span": (0.0, 1.0), "mode": 0, "net": self.net, "picture": self.picture(), **more}
        tensors = {PICTURE: told.pop("picture")} | ({} if mask is None else {MASK: mask})
        return controlnet_patch(told.pop("net"), strength, tensors=tensors, **told)


@pytest.fixture(scope="module", params=MODELS)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Control:
    torch.set_num_threads(1)
    return Control(request.param, tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def sd15(tmp_path_factory: pytest.TempPathFactory) -> Control:
    return Control("sd15", tmp_path_factory.mktemp("sd15"))


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Control:
    return Control("flux", tmp_path_factory.mktemp("flux"))


@pytest.fixture(scope="module")
def plain(bench: Control) -> np.ndarray:
    return bench.run()


@pytest.fixture(scope="module")
def laid(bench: Control) -> np.ndarray:
    return bench.run((bench.patch(),))


def test_no_strength_and_no_steps_change_no_bit(bench: Control, plain: np.ndarray) -> None:
    for patch in (bench.patch(0.0), bench.patch(span=(0.3, 0.3))):
        assert np.array_equal(bench.run((patch,)), plain)


def test_nothing_stays_behind(bench: Control, plain: np.ndarray, laid: np.ndarray) -> None:
    assert far(laid, plain) > 1e-2
    with pytest.raises(DiffusionError, match="Give one, or as many"):
        bench.run((bench.patch(picture=bench.picture(3)),))
    assert np.array_equal(bench.run(), plain)
    assert not bench.stage().net._forward_pre_hooks


def test_a_mask_of_ones_is_none_and_one_of_zeros_is_no_control(
    bench: Control, plain: np.ndarray, laid: np.ndarray
) -> None:
    high, wide = bench.size
    assert far(bench.run((bench.patch(mask=np.ones((1, high, wide), np.float32)),)), laid) < 1e-6
    none = bench.run((bench.patch(mask=np.zeros((1, high, wide), np.float32)),))
    assert np.array_equal(none, plain)


def test_a_mask_keeps_it_to_a_side_and_grey_is_half(bench: Control) -> None:
    """In one call, so that attention has not carried it on for long."""
    high, wide = bench.size
    left = np.zeros((1, high, wide), np.float32)
    left[:, :, : wide // 2] = 1
    once = {"span": (0.75, 1.0)}
    plain, whole = bench.run(), bench.run((bench.patch(**once),))
    half = bench.run((bench.patch(mask=left, **once),))
    moved = np.abs(half - plain)
    cells = bench.shape[-1] // 2
    assert moved[..., : cells - 1].mean() > 2 * moved[..., cells + 1 :].mean()
    grey = bench.run((bench.patch(mask=np.full((1, high, wide), 0.5, np.float32), **once),))
    weaker = bench.run((bench.patch(0.35, **once),))
    assert far(grey, weaker) < 1e-5 < far(grey, whole)


def test_each_picture_of_a_batch_has_its_own(bench: Control, laid: np.ndarray) -> None:
    """Masks too; one after the other they have the same."""
    several = bench.picture(2)
    assert np.array_equal(several[:1], bench.picture())
    made = bench.run((bench.patch(picture=several),))
    assert far(made[:1], laid[:1]) < 1e-5
    assert far(made[1:], laid[1:]) > 1e-3
    masks = np.ones((2, *bench.size), np.float32)
    masks[1] = 0
    masked = bench.run((bench.patch(mask=masks),))
    assert far(masked[:1], laid[:1]) < 1e-5
    assert far(masked[1:], bench.run()[1:]) < 1e-5


def test_one_after_the_other_each_sees_its_own(bench: Control) -> None:
    """As when memory ran out."""
    masks = np.random.default_rng(3).random((2, *bench.size), dtype=np.float32)
    patch = bench.patch(picture=bench.picture(2), mask=masks)
    model = bench.refs.model.with_(patch)
    guider = Guider("cfg", {"cfg": 3.0}, model, bench.terms())
    stage = bench.stage(model)
    alone = sample(
        stage.denoiser, guider, Solver("euler"), Schedule("native", steps=STEPS),
        Noise("gaussian", seed=1), Latent(np.zeros(bench.shape), "any"),
        hooks=Hooks(apart=True), around=surround(stage, guider.terms),
    ).samples  # fmt: skip
    assert far(alone, bench.run((patch,))) < 1e-5


def test_a_patch_on_one_term_is_for_that_term_alone(
    bench: Control, plain: np.ndarray, laid: np.ndarray
) -> None:
    positive, negative = bench.terms()

    def run(*terms: Term) -> np.ndarray:
        return bench.run((), guider=Guider("cfg", {"cfg": 3.0}, bench.refs.model, terms))

    one = run(replace(positive, patches=(bench.patch(),)), negative)
    both = run(*(replace(term, patches=(bench.patch(),)) for term in (positive, negative)))
    assert far(both, laid) < 1e-5
    assert min(far(one, plain), far(one, laid)) > 1e-3


def test_a_larger_picture_of_the_same_proportions_is_brought_to_size(sd15: Control) -> None:
    whole = sd15.run((sd15.patch(),))
    assert far(sd15.run((sd15.patch(picture=sd15.picture(scale=4)),)), whole) < 0.05
    with pytest.raises(DiffusionError, match="other proportions"):
        sd15.run((sd15.patch(picture=sd15.picture()[:, :, :9]),))


def test_a_latent_of_another_size_is_refused(flux: Control) -> None:
    with pytest.raises(DiffusionError, match="Resize the picture to the size that is made"):
        flux.run((flux.patch(picture=flux.picture()[:, :, :2]),))


def test_tiles_see_their_part_of_picture_and_mask(bench: Control) -> None:
    """One tile that is all of it, and two calls: the same latents, cut, with the same pictures."""
    stage, terms = bench.stage(), bench.terms()

    mask = np.random.default_rng(3).random((1, *bench.size), dtype=np.float32)
    height, width = bench.shape[-2:]
    x = torch.randn(2, *bench.shape[1:], generator=torch.Generator().manual_seed(1))
    given = [term.conditioning.row(0) for term in terms]
    part = slice(2, 2 + height // 2 * 2 - 2), slice(4, 4 + (width - 4) // 2 * 2)
    tile = x[..., part[0], part[1]]
    window = Window((height, width), *(tuple(range(side.start, side.stop)) for side in part))

    def call(x: torch.Tensor, patch: Patch, window: Window | None) -> torch.Tensor:
        around = CONTROLNET.make(stage, patch, lambda moment: moment.rows(None))
        tokens = stage.denoiser.tokens(tuple(x.shape))
        moment = Moment(0.5, 0, 4, tuple(x.shape), terms, 1, tokens, 0, window)
        with torch.no_grad(), around(moment):
            return stage.denoiser(x, 0.5, stage.denoiser.prepare(given, 1))

    picture = bench.picture()
    if bench.name == "flux":
        cut = picture[:, :, part[0], part[1]]
    else:
        rows, columns = (slice(2 * side.start, 2 * side.stop) for side in part)
        cut = picture[:, rows, columns]
    small = mask[:, 2 * part[0].start : 2 * part[0].stop, 2 * part[1].start : 2 * part[1].stop]
    tiled = call(tile, bench.patch(picture=picture), window)
    alone = call(tile, bench.patch(picture=cut), None)
    assert torch.allclose(tiled, alone, atol=1e-5)
    masked = call(tile, bench.patch(picture=picture, mask=mask), window)
    # The border of a mask's part knows what lies beyond it, so it agrees but for the resizing.
    assert (masked - call(tile, bench.patch(picture=cut, mask=small), None)).abs().mean() < 1e-2
    assert not torch.allclose(masked, tiled, atol=1e-3)


def test_references_behind_the_picture_are_left_alone(flux: Control) -> None:
    """Kontext's tokens: the same as without the net where the mask keeps it from the image."""
    rng = np.random.default_rng(2)
    others = rng.standard_normal((1, flux.shape[1], 4, 6)).astype(np.float32)

    terms = tuple(
        replace(
            term, conditioning=references_of_pictures.add(term.conditioning, Latent(others, ""))
        )
        for term in flux.terms()
    )
    guider = Guider("cfg", {"cfg": 3.0}, flux.refs.model, terms)

    def run(*patches: Patch) -> np.ndarray:
        model = flux.refs.model
        for patch in patches:
            model = model.with_(patch)
        return flux.run(patches, guider=replace(guider, model=model))

    none = run(flux.patch(mask=np.zeros((1, *flux.size), np.float32)))
    assert np.array_equal(none, run())
    assert far(run(flux.patch()), none) > 1e-2


def test_residuals_take_what_is_told_of_them(sd15: Control) -> None:
    net = sd15.load(sd15.net)
    with torch.no_grad():
        down, middle = net(
            torch.zeros(1, 4, 8, 8), 1, torch.zeros(1, 3, 32), torch.zeros(1, 3, 16, 16),
            return_dict=False,
        )  # fmt: skip
    taken = 4 * sum(each.numel() for each in (*down, middle))
    assert 0 <= facts_of_net(sd15.net).token_bytes * 64 - taken <= 4 * 64


def test_a_net_that_says_the_same_everywhere(tmp_path: Path) -> None:
    """As the ControlNet for shuffled pictures: for the positive text alone, and without a mask."""
    bench = Control("sd15", tmp_path)
    path = tiny_controlnet.for_unet(tmp_path / "model", tmp_path / "p", global_pool_conditions=True)
    net = reference(read_controlnet(path))
    made = bench.run((bench.patch(net=net),))
    positive, negative = bench.terms()
    term = replace(positive, patches=(bench.patch(net=net),))
    guider = Guider("cfg", {"cfg": 3.0}, bench.refs.model, (term, negative))
    assert far(made, bench.run(guider=guider)) < 1e-6
    with pytest.raises(DiffusionError, match="Leave the mask out"):
        bench.run((bench.patch(net=net, mask=np.ones((1, *bench.size), np.float32)),))


def test_an_in_paint_model_follows_one_too(tmp_path: Path) -> None:
    tiny_sd15.write(tmp_path / "model", in_channels=9)
    plain = tiny_sd15.write(tmp_path / "plain")
    net = reference(read_controlnet(tiny_controlnet.for_unet(plain, tmp_path / "net")))
    bench = Control.__new__(Control)
    Bench.__init__(bench, tmp_path / "model")
    bench.name, bench.net = "sd15", net
    bench.store = Store(families(), 2**30, loaders())

    rng = np.random.default_rng(1)
    held = Latent(rng.standard_normal((1, *bench.shape[1:])).astype(np.float32), "any")
    hole = np.ones((1, *bench.size), np.float32)
    terms = tuple(replace(t, conditioning=fill.add(t.conditioning, held, hole))
                  for t in bench.terms())  # fmt: skip
    model = bench.refs.model.with_(bench.patch())
    made = bench.run((bench.patch(),), guider=Guider("cfg", {"cfg": 3.0}, model, terms))
    assert far(made, bench.run((), guider=Guider("cfg", {"cfg": 3.0}, model, terms))) > 1e-3


@pytest.mark.parametrize(
    ("strength", "more", "said"),
    [
        (-1.0, {}, "from 0 on"),
        (float("nan"), {}, "from 0 on"),
        (1.0, {"span": (0.8, 0.2)}, "range of steps"),
    ],
)
def test_settings_that_are_none(
    strength: float, more: dict[str, Any], said: str, sd15: Control
) -> None:
    with pytest.raises(DiffusionError, match=said):
        sd15.run((sd15.patch(strength, **more),))


def test_nets_of_other_models_are_refused(sd15: Control, flux: Control, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"is for FLUX.1 models, and the model is of the family"):
        sd15.run((sd15.patch(net=flux.net),))
    second = tiny_sd15.write_v(tmp_path / "v")
    wide = tiny_controlnet.for_unet(second, tmp_path / "n", block_out_channels=(32, 96))
    with pytest.raises(CatalogError, match="blocks of 32, 96, and this model has 32, 64"):
        sd15.run((sd15.patch(net=reference(read_controlnet(wide))),))


# Files


def bare(bench: Control, path: Path, form: str) -> Path:
    """The net in one file, under diffusers' names or those of its authors."""
    tensors = load_file(bench.home / "net" / "diffusion_pytorch_model.safetensors")
    save_file(tensors if form == "diffusers" else original(tensors), path)
    return path


def original(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of the tiny net of Stable Diffusion 1 as its authors call them: input blocks are
    the first convolution, a layer, the one that shrinks, and a layer with attention."""
    blocks = {
        "down_blocks.0.resnets.0": "input_blocks.1.0",
        "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
        "down_blocks.1.resnets.0": "input_blocks.3.0",
        "down_blocks.1.attentions.0": "input_blocks.3.1",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "controlnet_mid_block": "middle_block_out.0",
        "controlnet_cond_embedding.conv_in": "input_hint_block.0",
        "controlnet_cond_embedding.conv_out": "input_hint_block.14",
    }
    inside = {
        "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
    }  # fmt: skip
    found = {}
    for name, tensor in tensors.items():
        start = next((each for each in blocks if name.startswith(f"{each}.")), "")
        rest = name.removeprefix(f"{start}.") if start else name
        if "resnets" in start:
            inner, _, end = rest.partition(".")
            rest = f"{inside[inner]}.{end}"
        elif name.startswith("controlnet_down_blocks."):
            _, number, end = name.split(".")
            found[f"zero_convs.{number}.0.{end}"] = tensor
            continue
        elif name.startswith("controlnet_cond_embedding.blocks."):
            number, end = name.split(".")[2:]
            found[f"input_hint_block.{2 + 2 * int(number)}.{end}"] = tensor
            continue
        found[f"{blocks[start]}.{rest}"] = tensor
    return found


@pytest.mark.parametrize("form", ["diffusers", "original"])
def test_a_bare_file_is_the_same_net(form: str, tmp_path: Path) -> None:
    bench = Control.__new__(Control)
    write, _ = MODELS["sd15"]
    usual = {"attention_head_dim": 8, "norm_num_groups": 32}
    Bench.__init__(bench, write(tmp_path / "model", **usual))
    bench.name, bench.home = "sd15", tmp_path
    bench.store = Store(families(), 2**30, loaders())
    folder = tiny_controlnet.for_unet(tmp_path / "model", tmp_path / "net")
    bench.net = reference(read_controlnet(folder))
    file = bare(bench, tmp_path / f"{form}.safetensors", form)
    assert is_controlnet(file)
    net = reference(open_model(file))
    said, known = facts_of_net(net).config, facts_of_net(bench.net).config
    wanted = {name: said[name] for name in said if name in known}
    usual_heads = {"attention_head_dim": 8}
    assert {**wanted, **usual_heads} == {
        **{name: _listed(known[name]) for name in wanted}, **usual_heads
    }  # fmt: skip
    assert far(bench.run((bench.patch(net=net),)), bench.run((bench.patch(),))) < 1e-6


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def shapes_of(net: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


PUBLISHED: dict[str, tuple[dict[str, Any], float]] = {
    "sd15": ({"cross_attention_dim": 768, "attention_head_dim": 8}, 361.3),
    "sd2": ({"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20],
             "use_linear_projection": True}, 364.2),
    "sdxl": ({"cross_attention_dim": 2048, "attention_head_dim": [5, 10, 20],
              "block_out_channels": [320, 640, 1280], "use_linear_projection": True,
              "down_block_types": ["DownBlock2D", *["CrossAttnDownBlock2D"] * 2],
              "transformer_layers_per_block": [1, 2, 10], "addition_embed_type": "text_time",
              "addition_time_embed_dim": 256,
              "projection_class_embeddings_input_dim": 2816}, 1251.0),
    "sdxl without attention": ({"cross_attention_dim": 2048, "attention_head_dim": [5, 10, 20],
                    "block_out_channels": [320, 640, 1280], "use_linear_projection": True,
                    "down_block_types": ["DownBlock2D"] * 3, "mid_block_type": "UNetMidBlock2D",
                    "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
                    "projection_class_embeddings_input_dim": 2816}, 125.7),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_config_of_published_nets_follows_from_their_tensors(name: str) -> None:
    given, millions = PUBLISHED[name]
    with torch.device("meta"):
        net = ControlNetModel(**given)
        found = unet_config(shapes_of(net), "diffusers")
        again = ControlNetModel(**found)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, rel=2e-3)
    assert shapes_of(again) == shapes_of(net)
    heads = [getattr(m, "heads", 0) for m in net.modules() if hasattr(m, "to_q")]
    assert [m.heads for m in again.modules() if hasattr(m, "to_q")] == heads


@pytest.mark.parametrize(
    "given",
    [
        {"num_layers": 5, "num_single_layers": 10, "num_mode": 10, "guidance_embeds": True},
        {"num_layers": 6, "num_single_layers": 0},
    ],
)
def test_the_config_of_a_flux_net_follows_from_its_tensors(given: dict[str, Any]) -> None:

    with torch.device("meta"):
        net = FluxControlNetModel(**given)
        again = FluxControlNetModel(**transformer_config(shapes_of(net)))
    assert shapes_of(again) == shapes_of(net)
    names = ("guidance_embeds", "num_mode", "attention_head_dim", "axes_dims_rope")
    assert [again.config[n] for n in names] == [net.config[n] for n in names]


def test_what_is_no_controlnet_is_told(sd15: Control, tmp_path: Path) -> None:
    file = tmp_path / "lora.safetensors"
    save_file({"unet.mid_block.to_q.lora_A.weight": torch.zeros(2, 8),
               "unet.mid_block.to_q.lora_B.weight": torch.zeros(8, 2)}, file)  # fmt: skip
    with pytest.raises(CatalogError, match=r"is no ControlNet.*with the node LoRA"):
        read_controlnet(file)
    save_file({"x.weight": torch.zeros(2)}, file)
    with pytest.raises(CatalogError, match="is no ControlNet: Unknown"):
        read_controlnet(file)
    (tmp_path / "net.pth").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(CatalogError, match="pickle"):
        read_controlnet(tmp_path / "net.pth")
    with pytest.raises(CatalogError, match="is not there"):
        read_controlnet(tmp_path / "nowhere")
    with pytest.raises(CatalogError, match=r"no config.json"):
        read_controlnet(tmp_path)
    (tmp_path / "config.json").write_text('{"_class_name": "SD3ControlNetModel"}')
    with pytest.raises(CatalogError, match="SD3ControlNetModel, which is no ControlNet that can"):
        read_controlnet(tmp_path)
    with pytest.raises(CatalogError, match="is a ControlNet, not a LoRA"):
        lora_patch(bare(sd15, tmp_path / "net.safetensors", "diffusers"), "sd15", 1.0, 0.0, 1.0)


@pytest.mark.parametrize("key", ["block_out_channels", "layers_per_block", "conditioning_channels"])
def test_senseless_configs_are_told(key: str, sd15: Control, tmp_path: Path) -> None:

    shutil.copytree(sd15.home / "net", tmp_path / "net")
    config = json.loads((tmp_path / "net" / "config.json").read_text())
    (tmp_path / "net" / "config.json").write_text(json.dumps({**config, key: "many"}))
    with pytest.raises(CatalogError, match="holds a value that no ControlNet has"):
        reference(read_controlnet(tmp_path / "net"))


def test_a_config_that_shows_in_a_call_is_told(sd15: Control, tmp_path: Path) -> None:
    shutil.copytree(sd15.home / "net", tmp_path / "net")
    config = json.loads((tmp_path / "net" / "config.json").read_text())
    told = {**config, "controlnet_conditioning_channel_order": "gbr"}
    (tmp_path / "net" / "config.json").write_text(json.dumps(told))
    with pytest.raises(CatalogError, match="cannot be asked with its config"):
        sd15.run((sd15.patch(net=reference(read_controlnet(tmp_path / "net"))),))


def test_a_file_of_another_form_is_refused_when_it_is_loaded(sd15: Control, tmp_path: Path) -> None:
    file = bare(sd15, tmp_path / "more.safetensors", "diffusers")
    save_file({**load_file(file), "fusion.weight": torch.ones(3, 3)}, file)
    net = reference(read_controlnet(file))
    with pytest.raises(CatalogError, match="holds 9 numbers that no ControlNet"):
        sd15.load(reference_of(controlnet_patch(net, 1.0, (0.0, 1.0), 0, {})))
    save_file({n: t for n, t in load_file(file).items() if "mid_block.resnets" not in n}, file)
    with pytest.raises(CatalogError, match="lacks"):
        sd15.load(reference(read_controlnet(file)))


def test_a_changed_file_is_told(sd15: Control, tmp_path: Path) -> None:
    file = bare(sd15, tmp_path / "net.safetensors", "diffusers")
    store, net = Store(families(), 2**30, loaders()), reference(read_controlnet(file))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CatalogError):
        store.get(net, "cpu")


def test_under_a_budget_its_blocks_stream_with_the_same_bits(bench: Control) -> None:
    whole = bench.run((bench.patch(),))
    roomy = bench.store
    components = roomy.nbytes
    bench.store = Store(families(), int(components * 0.55), loaders())
    try:
        assert np.array_equal(bench.run((bench.patch(),)), whole)
        assert bench.store.nbytes <= components * 0.55
        assert bench.store.read[0] > components
    finally:
        bench.store.close()
        bench.store = roomy


def test_a_link_names_the_bytes(sd15: Control) -> None:
    assert isinstance(sd15.net, ControlNet)
    assert sd15.net.identity.startswith("blake3:")
