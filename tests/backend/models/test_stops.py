"""A network stops before its blocks and convolutions, for the thread that asked, and computes
the same when all is taken off again."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from backend.models.seams.capture import capture
from backend.models.stops import Stops, lay_stops
from backend.sdk import Cancelled
from tests.backend.models import tiny


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5))


def transformer() -> tuple[Any, Callable[[], Tensor]]:
    net = tiny.transformer(guidance=False)
    given = {
        "hidden_states": noise(1, 6, 16),
        "encoder_hidden_states": noise(1, 4, 32),
        "pooled_projections": noise(1, 32),
        "timestep": torch.tensor([0.5]),
        "img_ids": torch.zeros(6, 3),
        "txt_ids": torch.zeros(4, 3),
    }
    return net, lambda: net(**given).sample


def unet() -> tuple[Any, Callable[[], Tensor]]:
    torch.manual_seed(0)
    net = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
    ).eval()
    x, text = noise(1, 4, 8, 8), noise(1, 3, 16)
    return net, lambda: net(x, torch.tensor(3), text).sample


def decoder() -> tuple[Any, Callable[[], Tensor]]:
    net = tiny.vae()
    x = noise(1, net.config.latent_channels, 6, 6)
    return net, lambda: net.decode(x).sample


def text_encoder() -> tuple[Any, Callable[[], Tensor]]:
    net = tiny.t5()
    return net, lambda: net(torch.tensor([[3, 4, 5, 1]])).last_hidden_state


NETWORKS = {"transformer": transformer, "unet": unet, "vae": decoder, "text encoder": text_encoder}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> tuple[Any, Callable[[], Tensor]]:
    return NETWORKS[request.param]()


def hooks_on(net: nn.Module) -> int:
    return sum(len(module._forward_pre_hooks) for module in net.modules())


def blocks_of(net: nn.Module) -> int:
    lists = [m for m in net.modules() if isinstance(m, nn.ModuleList)]
    return max(len(each) for each in lists)


@torch.no_grad()
def test_it_is_asked_at_least_once_a_block_and_gives_the_same_bits(
    network: tuple[Any, Callable[[], Tensor]],
) -> None:
    net, run = network
    plain, asked = run(), []
    stops = Stops(lambda: asked.append(1))
    stops.lay(net)
    stops.lay(net)  # known already
    assert torch.equal(run(), plain)
    convolutions = sum(isinstance(m, nn.Conv2d) for m in net.modules())
    assert len(asked) >= blocks_of(net)
    assert convolutions == 0 or len(asked) >= convolutions // 2  # a codec has two halves
    before = len(asked)
    run()
    assert len(asked) == 2 * before
    stops.remove()
    assert hooks_on(net) == 0
    assert torch.equal(run(), plain)
    assert len(asked) == 2 * before


@torch.no_grad()
def test_a_cancel_at_any_stop_leaves_the_network_as_it_was(
    network: tuple[Any, Callable[[], Tensor]],
) -> None:
    net, run = network
    plain = run()
    asked: list[int] = []
    counting = lay_stops(net, lambda: asked.append(1))
    run()
    for hook in counting:
        hook.remove()
    for last in (1, len(asked) // 2, len(asked)):
        seen: list[int] = []

        def check(last: int = last, seen: list[int] = seen) -> None:
            seen.append(1)
            if len(seen) == last:
                raise Cancelled

        stops = Stops(check)
        stops.lay(net)
        with pytest.raises(Cancelled):
            run()
        assert len(seen) == last
        stops.remove()
        assert torch.equal(run(), plain)


def test_another_thread_is_not_stopped_by_this_one() -> None:
    net, run = transformer()

    def check() -> None:
        raise Cancelled

    lay_stops(net, check)
    found: list[Tensor] = []
    thread = threading.Thread(target=lambda: found.append(run()))
    thread.start()
    thread.join()
    assert len(found) == 1
    with pytest.raises(Cancelled):
        run()


def test_what_is_no_network_has_no_stops_and_nothing_is_kept() -> None:
    stops = Stops(lambda: None)
    stops.lay(object())
    net = tiny.transformer(guidance=False)
    gone = weakref.ref(net)
    stops.lay(net)
    del net
    gc.collect()
    assert gone() is None
    stops.remove()


@torch.no_grad()
def test_a_cancel_inside_a_captured_attention_leaves_nothing_behind() -> None:
    """Torch calls no hook of its own after a cancel, which is no ``Exception``."""
    net, run = transformer()
    plain = run()
    attention = net.transformer_blocks[1].attn
    reached: list[int] = []

    def nothing(query: Tensor, *_: Any, **__: Any) -> Tensor:
        reached.append(1)
        return torch.zeros_like(query)

    def check() -> None:
        if reached:
            raise Cancelled

    handles = [*lay_stops(net, check), *capture(attention, nothing)]
    with pytest.raises(Cancelled):
        run()
    for handle in handles:
        handle.remove()
    assert torch.equal(run(), plain)


def stops_in(net: nn.Module) -> list[str]:
    """The names of the modules before which it is asked."""
    hooks = lay_stops(net, lambda: None)
    found = [name for name, module in net.named_modules() if module._forward_pre_hooks]
    for hook in hooks:
        hook.remove()
    return found


def test_what_is_in_a_block_gets_stops_where_the_block_is_large() -> None:
    """Each costs time, and a small block is soon over."""

    def block(width: int) -> nn.Module:
        inner = nn.ModuleList([nn.Linear(width, width), nn.Dropout(), nn.Linear(width, width)])
        return nn.ModuleDict({"net": inner, "conv": nn.Conv2d(1, 1, 1)})

    small, large = (nn.ModuleDict({"blocks": nn.ModuleList([block(w)])}) for w in (512, 1024))
    assert stops_in(small) == ["blocks.0", "blocks.0.conv"]
    assert stops_in(large) == [
        "blocks.0", "blocks.0.net.0", "blocks.0.net.1", "blocks.0.net.2", "blocks.0.conv"
    ]  # fmt: skip
