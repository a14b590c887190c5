"""Weights of a network come and go by name, and the network computes the same."""

from __future__ import annotations

import gc
import threading
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from backend.memory import sheet as sheets
from backend.memory.buffers import Buffers
from backend.memory.held import HeldTensor
from backend.memory.sheet import Sheet, fill, give_sheet, held_bytes, sheet_of
from backend.memory.skeleton import absent, assign, hollow
from backend.memory.source import Source, faces_of
from backend.memory.stored import stored_in

WIDTH = 64


class Net(nn.Module):
    """Blocks, a table that is also the head, a buffer that is stored and one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, WIDTH)
        self.blocks = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.norm = nn.LayerNorm(WIDTH)
        self.own = nn.Parameter(torch.zeros(1, WIDTH))
        self.head = nn.Linear(WIDTH, 50, bias=False)
        self.head.weight = self.table.weight
        self.register_buffer("stored", torch.zeros(3))
        self.register_buffer("made", torch.arange(WIDTH) / WIDTH, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.table(ids) + self.own + self.made
        for block in self.blocks:
            x = x + torch.tanh(block(x))
        found: Tensor = self.head(self.norm(x)) + self.stored.sum()
        return found


IDS = torch.tensor([[3, 1, 4], [1, 5, 9]])


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "WIDEN", -1)


@pytest.fixture
def truth(tmp_path: Path) -> Net:
    """A network, written in half precision."""
    torch.manual_seed(2)
    net = Net().half().requires_grad_(False)
    net.stored.uniform_()
    save_file({n: t for n, t in net.state_dict().items() if n != "head.weight"}, path(tmp_path))
    wide = net.float()
    wide.made = torch.arange(WIDTH) / WIDTH
    return wide


def path(folder: Path) -> Path:
    return folder / "net.safetensors"


def made(folder: Path, dtype: torch.dtype = torch.float32, hold: bool = True) -> Net:
    """The same network, its weights absent."""
    file = path(folder)
    source = Source(faces_of([file]))
    with hollow(dtype):
        net = Net()
    assert assign(net, absent(stored_in(file), source, dtype)) == []
    give_sheet(net, Sheet(net, source, torch.device("cpu"), hold))
    return net.eval()


def sheet(net: Net) -> Sheet:
    found = sheet_of(net)
    assert found is not None
    return found


def test_a_network_computes_the_same_whether_its_weights_are_there_or_not(
    tmp_path: Path, truth: Net, held: None
) -> None:
    net = made(tmp_path)
    assert sheet(net).present() == frozenset()
    assert torch.equal(net(IDS), truth(IDS))  # each is read for the one use
    assert sheet(net).present() == frozenset()
    fill(net)
    assert sheet(net).present() == sheet(net).stored.keys()
    assert torch.equal(net(IDS), truth(IDS))


def test_matrices_stay_as_stored_and_rows_of_numbers_are_widened(
    tmp_path: Path, truth: Net, held: None
) -> None:
    net = made(tmp_path)
    before = sheet(net).nbytes()
    fill(net)
    kinds = {name: type(p) for name, p in net.named_parameters()}
    assert kinds["blocks.0.weight"] is kinds["table.weight"] is HeldTensor
    assert kinds["blocks.0.bias"] is kinds["norm.weight"] is kinds["own"] is nn.Parameter
    assert sum(held_bytes(p) for p in net.parameters()) == before
    assert before == sum(p.numel() * (2 if p.ndim == 2 and p.shape[0] > 1 else 4)
                         for p in truth.parameters())  # fmt: skip


def test_a_small_network_is_widened_whole(tmp_path: Path, truth: Net) -> None:
    net = made(tmp_path)
    fill(net)
    assert not any(isinstance(p, HeldTensor) for p in net.parameters())
    assert torch.equal(net(IDS), truth(IDS))
    assert sheet(net).nbytes() == sum(p.nbytes for p in truth.parameters())


def test_a_network_may_be_widened_whatever_its_size(tmp_path: Path, truth: Net, held: None) -> None:
    net = made(tmp_path, hold=False)
    fill(net)
    assert not any(isinstance(p, HeldTensor) for p in net.parameters())


def test_tied_weights_are_one_and_come_and_go_as_one(
    tmp_path: Path, truth: Net, held: None
) -> None:
    net = made(tmp_path)
    assert net.head.weight is net.table.weight
    assert "head.weight" not in sheet(net).stored
    for _ in range(2):
        fill(net)
        assert net.head.weight is net.table.weight
        assert sheet(net).present() >= {"table.weight"}
        sheet(net).absent(["table.weight"])
        assert net.head.weight is net.table.weight
        assert "table.weight" not in sheet(net).present()


def test_buffers_are_there_at_once(tmp_path: Path, truth: Net) -> None:
    net = made(tmp_path)
    assert torch.equal(net.stored, truth.stored)
    assert torch.equal(net.made, truth.made)


def test_buffers_have_the_precision_that_is_computed_in(tmp_path: Path, truth: Net) -> None:
    net = made(tmp_path, torch.bfloat16)
    assert {b.dtype for b in net.buffers()} == {torch.bfloat16}
    assert {p.dtype for p in net.parameters()} == {torch.bfloat16}
    fill(net)
    assert torch.equal(net.blocks[1].weight, truth.blocks[1].weight.to(torch.bfloat16))


def test_weights_that_lie_in_the_precision_that_is_computed_in_share_what_was_read(
    tmp_path: Path, truth: Net
) -> None:
    save_file(truth.state_dict() | {"head.weight": truth.head.weight.clone()}, path(tmp_path))
    net = made(tmp_path)
    raws = sheet(net).read(["blocks.2.weight", "blocks.2.bias"])
    sheet(net).place(raws)
    assert net.blocks[2].weight.data_ptr() == raws["blocks.2.weight"].data_ptr()
    # A few numbers do not keep a whole buffer.
    assert net.blocks[2].bias.data_ptr() != raws["blocks.2.bias"].data_ptr()
    assert torch.equal(net(IDS), truth(IDS))


def test_what_is_let_go_is_free(
    tmp_path: Path, truth: Net, held: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.memory.buffers.SMALL", 0)
    net, buffers = made(tmp_path), Buffers()
    names = ["blocks.1.weight", "blocks.1.bias"]
    sheet(net).place(sheet(net).read(names, buffers=buffers))
    assert buffers.held > 0
    sheet(net).absent(names)
    assert buffers.held == 0
    assert torch.equal(net(IDS), truth(IDS))


def test_a_weight_that_is_used_while_absent_is_asked_for_by_name(
    tmp_path: Path, truth: Net, held: None
) -> None:
    net, names = made(tmp_path), []
    fill(net)

    def ask(name: str) -> Tensor:
        names.append(name)
        return sheet(net).read([name])[name]

    sheet(net).asked(ask)
    sheet(net).absent(["blocks.3.weight", "norm.bias"])
    assert torch.equal(net(IDS), truth(IDS))
    assert sorted(names) == ["blocks.3.weight", "norm.bias"]
    sheet(net).asked(None)
    assert torch.equal(net(IDS), truth(IDS))
    assert len(names) == 2


def test_a_dropped_network_is_gone_at_once(tmp_path: Path, truth: Net, held: None) -> None:
    gc.disable()
    try:
        net = made(tmp_path)
        fill(net)
        watch, raw = weakref.ref(net), weakref.ref(net.blocks[0].weight.cell)
        del net
        assert watch() is None
        assert raw() is None
    finally:
        gc.enable()


def test_scales_come_with_the_weights_and_stay(tmp_path: Path, held: None) -> None:
    stored = torch.randn(8, 8).to(torch.float8_e4m3fn)
    file = tmp_path / "scaled.safetensors"
    save_file({"weight": stored, "weight_scale": torch.tensor(0.3), "bias": torch.ones(8)}, file)
    source, found = Source(faces_of([file])), stored_in(file)
    found["weight"] = replace(found["weight"], scale=found.pop("weight_scale"))
    with hollow():
        net = nn.Linear(8, 8)
    assign(net, absent(found, source, torch.float32))
    give_sheet(net, Sheet(net, source, torch.device("cpu")))
    fill(net)
    file.unlink()
    x = torch.randn(2, 8)
    wide = stored.float() * 0.3
    assert torch.equal(net(x), nn.functional.linear(x, wide, torch.ones(8)))


class Stop(Exception):
    """What a cancel raises."""


@pytest.mark.parametrize("calls", [1, 4])
def test_a_cancelled_fill_leaves_nothing(
    tmp_path: Path, truth: Net, held: None, calls: int
) -> None:
    net, count = made(tmp_path), []

    def check() -> None:
        count.append(1)
        if len(count) == calls:
            raise Stop

    with pytest.raises(Stop):
        fill(net, check)
    assert sheet(net).present() == frozenset()
    fill(net)
    assert torch.equal(net(IDS), truth(IDS))


def test_a_cancelled_fill_leaves_what_was_there(tmp_path: Path, truth: Net, held: None) -> None:
    net = made(tmp_path)
    sheet(net).place(sheet(net).read(["norm.bias"]))

    def check() -> None:
        raise Stop

    with pytest.raises(Stop):
        fill(net, check)
    assert sheet(net).present() == {"norm.bias"}


def test_recurrent_layers_see_the_weights_that_are_placed(tmp_path: Path) -> None:
    torch.manual_seed(1)
    truth = nn.LSTM(4, 8)
    file = tmp_path / "lstm.safetensors"
    save_file(truth.state_dict(), file)
    source = Source(faces_of([file]))
    with hollow():
        net = nn.LSTM(4, 8)
    assign(net, absent(stored_in(file), source, torch.float32))
    give_sheet(net, Sheet(net, source, torch.device("cpu")))
    fill(net)
    x = torch.randn(5, 4)
    assert torch.equal(net(x)[0], truth(x)[0])


def test_what_is_no_network_has_no_sheet() -> None:
    assert sheet_of({"shift": 3}) is None
    assert sheet_of(nn.Linear(1, 1)) is None
    fill({"shift": 3})


def test_a_network_is_made_without_memory_and_only_in_this_thread() -> None:
    found = []
    with hollow():
        net = nn.Linear(10, 10)
        thread = threading.Thread(target=lambda: found.append(nn.Linear(10, 10)))
        thread.start()
        thread.join()
    assert net.weight.is_meta
    assert not found[0].weight.is_meta
    assert torch.get_default_dtype() == torch.float32
    assert not nn.Linear(2, 2).weight.is_meta


def test_assign_says_what_is_lacking_and_what_does_not_fit() -> None:
    with hollow():
        net = Net()
    assert "blocks.3.bias" in assign(net, {"table.weight": torch.zeros(50, WIDTH)})
    with pytest.raises(ValueError, match=r"norm.bias is \(2,\), where \(64,\) is asked"):
        assign(net, {"norm.bias": torch.zeros(2)})
