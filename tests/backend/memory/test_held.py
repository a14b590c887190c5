"""A weight that is held as stored gives what the widened weight gives."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from backend.memory.held import Cell, HeldTensor, plain
from backend.memory.skeleton import absent
from backend.memory.source import Source, faces_of
from backend.memory.stored import Stored, joined, stored_in
from backend.models.bare import unpacked, with_scales

DTYPES = {
    "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip
QUANTISED = ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q6_K", "Q4_K")
SHAPE = (24, 256)


def weights(folder: Path, form: str) -> tuple[Tensor, HeldTensor]:
    """Random weights in float32 as the form has them, and the same held."""
    generator = torch.Generator().manual_seed(3)
    drawn = torch.randn(SHAPE, generator=generator)
    if form in DTYPES:
        stored = drawn.to(DTYPES[form])
        path = folder / f"{form}.safetensors"
        save_file({"w": stored}, path)
        wide = stored.float()
    elif form == "scaled":
        scale = drawn.abs().max() / 448
        stored = (drawn / scale).to(torch.float8_e4m3fn)
        path = folder / "scaled.safetensors"
        save_file({"w.weight": stored, "w.weight_scale": scale}, path)
        wide = stored.float() * scale
    else:
        path = folder / f"{form}.gguf"
        kind = gguf.GGMLQuantizationType[form]
        _, nbytes = gguf.GGML_QUANT_SIZES[kind]
        block = gguf.GGML_QUANT_SIZES[kind][0]
        source = np.random.default_rng(4)
        raw = source.integers(0, 256, (SHAPE[0], SHAPE[1] // block * nbytes), np.uint8)
        if form in ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"):
            raw = gguf.quants.quantize(drawn.numpy(), kind)
        writer = gguf.GGUFWriter(str(path), "flux")
        writer.add_tensor("w", raw, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        wide = by_diffusers(torch.from_numpy(raw), kind)
    (held,) = absent(
        with_scales(stored_in(path)), Source(faces_of([path])), torch.float32, unpacked
    ).values()
    assert isinstance(held, HeldTensor)
    return wide, held


def by_diffusers(raw: Tensor, kind: gguf.GGMLQuantizationType) -> Tensor:
    from diffusers.quantizers.gguf.utils import GGUFParameter, dequantize_gguf_tensor

    found: Tensor = dequantize_gguf_tensor(GGUFParameter(raw, quant_type=kind))
    return found.float()


@pytest.fixture(params=[*DTYPES, "scaled", *QUANTISED])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Tensor, HeldTensor]:
    return weights(tmp_path, request.param)


def equal(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one.nan_to_num(), other.nan_to_num())


def present(held: HeldTensor) -> HeldTensor:
    held.cell.raw = held.cell.read(held.cell.stored)
    return held


def test_it_looks_like_the_widened_weight(pair: tuple[Tensor, HeldTensor]) -> None:
    wide, held = pair
    assert (held.shape, held.dtype, held.device) == (wide.shape, wide.dtype, wide.device)
    assert isinstance(nn.Parameter(held, requires_grad=False), nn.Parameter)
    assert "absent" in repr(held)
    assert equal(held.dense(), wide)
    assert held.cell.raw is None  # to look at it does not keep it
    assert equal(present(held).dense(), wide)
    assert held.cell.nbytes == held.cell.stored.nbytes


def test_layers_give_the_same_bits(pair: tuple[Tensor, HeldTensor]) -> None:
    wide, held = pair
    x = torch.randn(2, 5, SHAPE[1], generator=torch.Generator().manual_seed(5))
    indices = torch.tensor([[3, 0], [23, 3]])
    for weight in (held, nn.Parameter(present(held), requires_grad=False)):
        assert equal(nn.functional.linear(x, weight), nn.functional.linear(x, wide))
        assert equal(nn.functional.embedding(indices, weight), wide[indices])
        assert equal(weight * 2 + 1, wide * 2 + 1)
        assert equal(weight.sum(0), wide.sum(0))
        assert equal(weight[2:5, ::3], wide[2:5, ::3])


def test_convolutions_give_the_same_bits(tmp_path: Path) -> None:
    weight = torch.randn(6, 4, 3, 3).half()
    path = tmp_path / "w.safetensors"
    save_file({"w": weight}, path)
    (held,) = absent(stored_in(path), Source(faces_of([path])), torch.float32).values()
    x = torch.randn(1, 4, 9, 7)
    assert torch.equal(nn.functional.conv2d(x, held), nn.functional.conv2d(x, weight.float()))


def test_gradients_reach_the_input(pair: tuple[Tensor, HeldTensor]) -> None:
    wide, held = pair
    grads = []
    for weight in (wide, held):
        x = torch.ones(3, SHAPE[1], requires_grad=True)
        nn.functional.linear(x, weight).square().sum().backward()
        grads.append(x.grad)
    assert equal(*grads)


def test_an_embedding_widens_no_more_than_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide, held = weights(tmp_path, "Q8_0")
    present(held)
    monkeypatch.setattr(HeldTensor, "dense", lambda self: pytest.fail("all of it was widened"))
    assert equal(nn.functional.embedding(torch.tensor([7]), held), wide[[7]])


CUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "chunk": lambda w: w.chunk(3)[1],
    "split": lambda w: torch.split(w, [4, 12, 8])[2],
    "slice": lambda w: w[5:17],
    "swapped": lambda w: torch.cat([w[12:], w[:12]]),
    "joined again": lambda w: torch.cat(w.chunk(4)),
    "reshaped": lambda w: w.reshape(24, 256, 1, 1),
    "more dimensions": lambda w: w.unsqueeze(0).squeeze(0),
    "flat": lambda w: w.view(-1),
    "cloned": lambda w: w.clone().contiguous().detach(),
    "whole": lambda w: w[...],
}


@pytest.mark.parametrize("cut", CUTS)
def test_what_is_only_cut_joined_or_renamed_is_not_read(
    pair: tuple[Tensor, HeldTensor], cut: str
) -> None:
    wide, held = pair

    def forbidden(stored: Stored) -> Tensor:
        raise AssertionError("it was read")

    read, held.cell.read = held.cell.read, forbidden
    found = CUTS[cut](held)
    assert isinstance(found, HeldTensor)
    found.cell.read = read
    assert equal(found.dense(), CUTS[cut](wide))


@pytest.mark.parametrize("cut", CUTS)
def test_what_is_here_is_not_read_again(pair: tuple[Tensor, HeldTensor], cut: str) -> None:
    wide, held = pair
    scale = held.cell.stored.scale
    truth = {held.cell.stored: held.cell.read(held.cell.stored)}
    if scale is not None:
        truth[scale] = held.cell.read(scale)
    held.cell.raw = truth.pop(held.cell.stored)
    held.cell.read = truth.__getitem__
    found = CUTS[cut](held)
    found = found.dense() if isinstance(found, HeldTensor) else found
    assert equal(found, CUTS[cut](wide))


VALUES: dict[str, Callable[[Tensor], Tensor]] = {
    "turned": lambda w: w.T.contiguous(),
    "columns": lambda w: w[:, 10:20],
    "every other row": lambda w: w[::2],
    "a row": lambda w: w[3],
    "stacked": lambda w: torch.cat([w, w], dim=1),
    "with another": lambda w: torch.cat([w, torch.zeros(1, SHAPE[1])]),
    "odd": lambda w: w.view(-1)[1:],
}


@pytest.mark.parametrize("way", VALUES)
def test_what_needs_the_values_gets_them(pair: tuple[Tensor, HeldTensor], way: str) -> None:
    wide, held = pair
    found = VALUES[way](held)
    found = found.dense() if isinstance(found, HeldTensor) else found
    assert equal(found, VALUES[way](wide))


@given(st.data())
def test_rows_of_rows_and_their_sums_are_rows(data: st.DataObject) -> None:
    """Cutting and joining on paper is what it is on the numbers."""
    count = data.draw(st.integers(1, 9))
    path = Path("w")
    stored = Stored(path, "U8", (count, 3), ((7, count * 3),))
    numbers = torch.arange(count * 3, dtype=torch.uint8).view(count, 3)
    pieces, truth = [], []
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, count))
        stop = data.draw(st.integers(start, count))
        piece = stored.rows(start, stop)
        assert piece is not None
        pieces.append(piece)
        truth.append(numbers[start:stop])
    whole = joined(pieces)
    assert whole is not None
    raw = bytes(7) + numbers.numpy().tobytes()
    found = b"".join(raw[start : start + length] for start, length in whole.ranges)
    assert found == torch.cat(truth).numpy().tobytes()
    assert whole.shape == torch.cat(truth).shape


def test_another_precision_is_straight_from_what_is_stored(tmp_path: Path) -> None:
    wide, held = weights(tmp_path, "F16")
    found = held.to(torch.bfloat16)
    assert isinstance(found, HeldTensor)
    assert equal(found.dense(), wide.to(torch.bfloat16))
    wide, held = weights(tmp_path, "scaled")
    narrow = held.to(torch.bfloat16)
    assert equal(narrow, wide.to(torch.bfloat16))  # the product first, then rounded
    assert not isinstance(narrow, HeldTensor)


def test_scales_of_each_row_are_cut_with_the_rows(tmp_path: Path) -> None:
    stored = torch.randn(8, 4).to(torch.float8_e4m3fn)
    scale = torch.rand(8, 1)
    path = tmp_path / "w.safetensors"
    save_file({"w.weight": stored, "w.weight_scale": scale}, path)
    (held,) = absent(with_scales(stored_in(path)), Source(faces_of([path])), torch.float32).values()
    wide = stored.float() * scale
    assert equal(held.dense(), wide)
    found = held[2:5]
    assert isinstance(found, HeldTensor)
    assert equal(found.dense(), wide[2:5])
    assert equal(nn.functional.embedding(torch.tensor([1]), held), wide[[1]])


def test_it_is_not_to_be_written_to(tmp_path: Path) -> None:
    _, held = weights(tmp_path, "F16")
    with pytest.raises(RuntimeError, match="not to be written to"):
        held.mul_(2)


def test_an_absent_one_asks_its_owner(tmp_path: Path) -> None:
    wide, held = weights(tmp_path, "F16")
    asked = []

    def ask() -> Tensor:
        asked.append(1)
        return held.cell.read(held.cell.stored)

    held.cell.ask = ask
    assert equal(held + 0, wide)
    assert asked == [1]
    present(held)
    assert equal(held + 0, wide)
    assert asked == [1]


def test_copies_and_moves_stay_held(tmp_path: Path) -> None:
    wide, held = weights(tmp_path, "F16")
    layer = nn.Linear(SHAPE[1], SHAPE[0], bias=False)
    layer.weight = nn.Parameter(present(held), requires_grad=False)
    for each in (layer, copy.deepcopy(layer), layer.to("cpu"), copy.deepcopy(layer).double()):
        assert isinstance(each.weight, HeldTensor)
        assert isinstance(each.weight, nn.Parameter)
        assert torch.equal(each.weight.dense().float(), wide)
    assert torch.empty_like(held).shape == wide.shape
    assert held.new_zeros(3).tolist() == [0, 0, 0]


def test_bytes_where_numbers_may_not_lie_are_moved() -> None:
    raw = torch.arange(9, dtype=torch.uint8)[1:]
    stored = Stored(Path("w"), "F16", (4,), ((1, 8),))
    assert plain(raw, stored).view(torch.uint8).tolist() == list(range(1, 9))
    held = HeldTensor(Cell(stored, lambda _: raw), torch.float32)
    assert held.dense().shape == (4,)
