"""Networks in files, under a budget, on the device with streams that is not there."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from backend.memory.copying import ByStream
from backend.memory.course import Visit
from backend.memory.reading import Reading
from backend.memory.residency import Residency
from backend.memory.sheet import Sheet
from backend.memory.skeleton import absent, assign, hollow
from backend.memory.source import Source, faces_of
from backend.memory.stored import Stored, stored_in
from tests.backend.memory.networks import BLOCK, WIDTH, Stack
from tests.backend.memory.streams import Machine

X = torch.linspace(-1, 1, 2 * WIDTH).reshape(2, WIDTH)
CPU = torch.device("cpu")
PIN = 64 * 2**10
BLOCKS = 6


def write_files(folder: Path) -> dict[str, Path]:
    """Networks in files, by the form of their numbers and their names."""
    found = {}
    for form in ("F32", "F16"):
        for seed, name in enumerate("ab"):
            found[form + name] = folder / f"{form}{name}.safetensors"
            save_file(dict(weights(form, seed)), found[form + name])
    return found


def weights(form: str, seed: int) -> Mapping[str, Tensor]:
    dtype = {"F32": torch.float32, "F16": torch.float16}[form]
    return {n: p.detach().to(dtype) for n, p in Stack(BLOCKS, seed).named_parameters()}


def resident(form: str, seed: int) -> Stack:
    """The network that was never taken apart."""
    net = Stack(BLOCKS, seed)
    net.load_state_dict({n: w.float() for n, w in weights(form, seed).items()})
    return net.requires_grad_(False)


def hollow_net(file: Path) -> tuple[Stack, Sheet]:
    source = Source(faces_of([file]))
    with hollow():
        net = Stack(BLOCKS)
    assign(net, absent(stored_in(file), source, torch.float32))
    return net, Sheet(net, source, CPU)


class Bench:
    """Networks under a budget on a machine whose seed draws the order of what happens."""

    def __init__(
        self,
        files: list[Path],
        budget: int,
        pins: int,
        seed: int,
        kind: type[ByStream] = ByStream,
        host: int = 0,
    ) -> None:
        self.machine = machine = Machine(seed)
        self.copier = copier_on(machine, kind, pins)
        self.residency = Residency(budget, self.copier.trim, host)
        self.read: Counter[str] = Counter()
        """How often each weight was read from its file."""
        self.nets = {}
        for file in files:
            net, sheet = hollow_net(file)
            self._watch(file.stem, sheet.source)
            reading = Reading(sheet, self.copier)
            self.residency.add(file.stem, net, reading)
            sheet.asked(partial(self._asked, file.stem, reading))
            self.nets[file.stem] = net

    def _watch(self, key: str, source: Source) -> None:
        read = source.read

        def watched(wanted: Mapping[str, Stored], *more: Any) -> dict[str, Tensor]:
            self.read.update(f"{key} {name}" for name in wanted)
            return read(wanted, *more)

        source.read = watched  # type: ignore[method-assign]

    def _asked(self, key: str, reading: Reading, name: str) -> Tensor:
        """As the store does it; a copy to a device for one use waits until it is made."""
        self.residency.demand(key, name)
        raw = self.residency.copied(key, name)
        if raw is None:
            raw = reading.read((name,), lambda: None)[name]
        return torch.from_numpy(raw.numpy().copy())

    def close(self) -> None:
        """Let go of everything, and see that nothing is left."""
        self.residency.close()
        self.machine.synchronize()
        self.copier.settle()
        assert self.copier.buffers.held == self.copier.buffers.spare == 0
        assert self.machine.host.used == self.machine.device.used == 0


def passed(net: Stack, order: list[int], outside: int | None) -> Tensor:
    """One pass, perhaps with a weight that is used outside of its block."""
    out = net(X, order)
    return out if outside is None else out + X @ net.blocks[outside].weight


def play(bench: Bench, form: str, source: random.Random, told: bool) -> bool:
    """Steps of random networks, blocks and streams; whether all that came out is right."""
    found: list[tuple[Tensor, str, list[int], int | None]] = []
    streams = [bench.machine.usual, bench.machine.Stream()]
    steps = [(source.choice("ab"), source.randint(1, 3)) for _ in range(source.randint(1, 5))]
    for i, (key, passes) in enumerate(steps):
        with bench.machine.computing(source.choice(streams)), torch.no_grad():
            if told:
                aside = source.randint(0, 2) * BLOCK
                later = [Visit(form + k, p) for k, p in steps[i + 1 :]]
                bench.residency.expect([Visit(form + key, passes, aside)], later)
            bench.residency.enter(form + key)
            for _ in range(passes + source.randint(0, 1)):
                order = source.sample(range(BLOCKS), source.randint(1, BLOCKS))
                outside = source.choice([None, None, order[0], order[-1]])
                out = passed(bench.nets[form + key], order, outside)
                found.append((out, key, order, outside))
            if source.random() < 0.3:
                bench.residency.make_room(source.randint(1, 3) * BLOCK)
            bench.residency.leave()
    bench.machine.synchronize()
    true = {key: resident(form, seed) for seed, key in enumerate("ab")}
    return all(torch.equal(out, passed(true[key], *how)) for out, key, *how in found)


def copier_on(machine: Machine, kind: type[ByStream], pins: int = 8) -> ByStream:
    return kind(CPU, machine, machine.Event, pins * PIN, machine.host.take, machine.device.record)
