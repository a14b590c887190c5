"""What a model costs that does not fit on the GPU, in seconds per step.

``python -m tests.benchmarks.gpu_memory`` writes a transformer of FLUX.1-dev's shapes with random
weights in bfloat16 (speed does not depend on values; 24 GB in ``--folder``, best a file system in
memory) and runs steps of a picture of 1024 x 1024 pixels: by Weft with 100, 75, 50 and 33 % of the
model's bytes as its budget, each with what does not fit left in host memory and read from its files
each time, and by diffusers' group offload with streams, one block at a time, of which the memory
cannot be chosen. It holds all weights in pinned memory, Weft what ``--host`` says. All take turns.
Beside them stands the bound: the longer of what computing takes and of what the bytes that do not
fit take over the link, as measured in the same run. The peak is what torch had allocated, against
the budget and what computing takes.

``--device cpu --scale tiny`` tries the path without a GPU; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from backend.engine.needs import host_budget
from backend.memory.copying import Copier, copier_for
from backend.memory.course import Visit
from backend.memory.reading import Reading
from backend.memory.residency import Residency
from backend.memory.sheet import sheet_of
from backend.memory.skeleton import hollow

SHARES = (1.0, 0.75, 0.5, 0.33)
GIB = 2**30
SHAPES: dict[str, dict[str, int]] = {
    "full": {"num_layers": 19, "num_single_layers": 38, "num_attention_heads": 24,
             "joint_attention_dim": 4096, "pooled_projection_dim": 768},
    "half": {"num_layers": 10, "num_single_layers": 19, "num_attention_heads": 24,
             "joint_attention_dim": 4096, "pooled_projection_dim": 768},
    "tiny": {"num_layers": 3, "num_single_layers": 6, "num_attention_heads": 2,
             "joint_attention_dim": 64, "pooled_projection_dim": 32},
}  # fmt: skip


@dataclass
class Row:
    """One way to run the model."""

    name: str
    run: Callable[[int], list[float]]
    budget: int | None = None
    seconds: list[float] = field(default_factory=list)
    peak: int = 0
    read: int = 0
    host: int = 0


def write(folder: Path, scale: str) -> None:
    """The model's folder, in files of about 4 GiB; weights are pieces of one random row."""
    from diffusers import FluxTransformer2DModel

    with hollow():
        net = FluxTransformer2DModel(attention_head_dim=128, guidance_embeds=True, **SHAPES[scale])
    net.save_config(folder)
    noise = torch.randn(2**24, generator=torch.Generator().manual_seed(6)).mul_(0.02).bfloat16()
    places: dict[str, str] = {}
    shard: dict[str, torch.Tensor] = {}
    shapes = [(name, each.shape) for name, each in net.state_dict().items()]
    for at, (name, shape) in enumerate(shapes):
        times = -(-shape.numel() // noise.numel())
        shard[name] = noise.repeat(times)[: shape.numel()].view(shape).clone()
        if sum(each.nbytes for each in shard.values()) >= 4 * GIB or at == len(shapes) - 1:
            file = f"diffusion_pytorch_model-{len(set(places.values())) + 1:05}.safetensors"
            save_file(shard, folder / file, {"format": "pt"})
            places.update(dict.fromkeys(shard, file))
            shard.clear()
    index = {"metadata": {}, "weight_map": places}
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))


class Device:
    """Where it runs, and what it tells of itself."""

    def __init__(self, name: str) -> None:
        self.name, self.gpu = name, name.startswith("cuda")

    @property
    def title(self) -> str:
        return torch.cuda.get_device_name(self.name) if self.gpu else platform.machine()

    def wait(self) -> None:
        """Until all is done that was asked for."""
        if self.gpu:
            torch.cuda.synchronize(self.name)

    def begin(self) -> None:
        """Measure the peak from here."""
        if self.gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.name)

    def peak(self) -> int:
        """Bytes that torch had allocated at the most."""
        return torch.cuda.max_memory_allocated(self.name) if self.gpu else 0

    def link(self) -> float:
        """Bytes per second from pinned memory to the device; on the CPU, of a copy."""
        here = torch.empty(2**28, dtype=torch.uint8, pin_memory=self.gpu)
        there = torch.empty_like(here, device=self.name)
        found = []
        for _ in range(8):
            self.wait()
            begin = time.perf_counter()
            there.copy_(here, non_blocking=True)
            self.wait()
            found.append(here.nbytes / (time.perf_counter() - begin))
        return statistics.median(found)


def inputs(scale: str, device: Device, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """What the model is called with: a picture of 1024 x 1024 pixels and 512 words."""
    shape, tokens, words = SHAPES[scale], 4096, 512
    if scale == "tiny":
        tokens, words = 64, 16
    generator = torch.Generator().manual_seed(0)

    def noise(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator).to(device.name, dtype)

    return {
        "hidden_states": noise(1, tokens, 64),
        "encoder_hidden_states": noise(1, words, shape["joint_attention_dim"]),
        "pooled_projections": noise(1, shape["pooled_projection_dim"]),
        "timestep": torch.full((1,), 0.5, device=device.name, dtype=dtype),
        "guidance": torch.full((1,), 3.5, device=device.name, dtype=dtype),
        "img_ids": torch.zeros(tokens, 3, device=device.name, dtype=dtype),
        "txt_ids": torch.zeros(words, 3, device=device.name, dtype=dtype),
    }


def timed(step: Callable[[], Any], steps: int, device: Device) -> list[float]:
    """Seconds of each step but the first, which brings what is to stay."""
    found = []
    for _ in range(steps + 1):
        device.wait()
        begin = time.perf_counter()
        with torch.no_grad():
            step()
        device.wait()
        found.append(time.perf_counter() - begin)
    return found[1:]


class Weft:
    """The model under budgets, of which one is in use at a time."""

    def __init__(self, folder: Path, device: Device, given: dict[str, torch.Tensor]) -> None:
        from diffusers import FluxTransformer2DModel

        from backend.models.loading import load_module

        self.device, self.given, self.activation = device, given, 0
        self.net: Any = load_module(
            "diffusers", FluxTransformer2DModel, folder, device.name, "bfloat16"
        )
        sheet = sheet_of(self.net)
        assert sheet is not None
        self.sheet = sheet
        self.nbytes = sheet.nbytes()
        self.speed = 0.0

    def run(self, share: float, steps: int, host: int = 0, row: Row | None = None) -> list[float]:
        """Seconds per step with a share of the model's bytes as the budget for weights, and
        ``host`` bytes of host memory for what does not fit. ``row`` is told what that takes."""
        budget = int(share * self.nbytes) + self.activation
        copier: Copier = copier_for(torch.device(self.device.name), host)
        residency = Residency(budget, copier.trim, host)
        residency.add("flux", self.net, Reading(self.sheet, copier))
        residency.expect([Visit("flux", steps + 1, self.activation)])
        residency.enter("flux")
        try:
            return timed(lambda: self.net(**self.given), steps, self.device)
        finally:
            residency.leave()
            copies = residency.copies
            self.speed = copies.read / max(copies.seconds, 1e-9)
            if row is not None:
                row.read, row.host = copies.read, max(row.host, copier.buffers.peak)
            residency.close()
            self.device.wait()
            copier.settle()

    def measure(self) -> None:
        """What computing takes beside the weights, once all of them are there."""
        self.device.begin()
        self.run(1.1, 1)
        self.activation = max(0, self.device.peak() - self.nbytes)


def weft_row(weft: Weft, share: float, host: int) -> Row:
    """Steps by Weft with a share of the model's bytes."""
    way = "" if share >= 1 else ", host memory" if host else ", files"
    row = Row(f"Weft, {share:.0%}{way}", lambda steps: weft.run(share, steps, host, row))
    row.budget = int(share * weft.nbytes) + weft.activation
    return row


def by_diffusers(
    folder: Path, device: Device, given: dict[str, torch.Tensor]
) -> Callable[[int], list[float]] | None:
    """Steps with diffusers' group offload and its streams; None where it has none."""
    if not device.gpu:
        return None
    from diffusers import FluxTransformer2DModel
    from diffusers.hooks import apply_group_offloading

    net = FluxTransformer2DModel.from_pretrained(
        str(folder), torch_dtype=torch.bfloat16, local_files_only=True
    )
    apply_group_offloading(
        net, onload_device=torch.device(device.name), offload_device=torch.device("cpu"),
        offload_type="block_level", num_blocks_per_group=1, use_stream=True, record_stream=True,
        non_blocking=True,
    )  # fmt: skip
    return lambda steps: timed(lambda: net(**given), steps, device)


def measure(rows: list[Row], rounds: int, steps: int, device: Device) -> None:
    """All ways in turns, forwards and backwards."""
    for turn in range(rounds):
        for row in rows if turn % 2 == 0 else rows[::-1]:
            device.begin()
            row.seconds += row.run(steps)
            row.peak = max(row.peak, device.peak())


def report(rows: list[Row], weft: Weft, link: float, device: Device) -> None:
    """The table, with where and when."""
    compute = statistics.median(rows[0].seconds)
    print(
        f"{device.title}, torch {torch.__version__}, {datetime.date.today():%d %B %Y}: "
        f"{weft.nbytes / GIB:.2f} GiB of weights, {weft.activation / GIB:.2f} GiB to compute in, "
        f"link {link / 1e9:.1f} GB/s, files {weft.speed / 1e9:.1f} GB/s\n\n"
        "| | s per step | bound | ratio | peak, GiB | budget, GiB | host memory at the peak, GiB "
        "| read from files in all steps, GiB |\n|---|---:|---:|---:|---:|---:|---:|---:|"
    )
    for row in rows:
        budget = "" if row.budget is None else f"{row.budget / GIB:.2f}"
        weights = 0 if row.budget is None else row.budget - weft.activation
        bound = max(compute, (weft.nbytes - weights) / link)
        seconds = statistics.median(row.seconds)
        print(
            f"| {row.name} | {seconds:.3f} | {bound:.3f} | {seconds / bound:.2f} "
            f"| {row.peak / GIB:.2f} | {budget} | {row.host / GIB:.2f} | {row.read / GIB:.2f} |"
        )


def main() -> None:
    """Write the model, run it in all ways, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--scale", choices=list(SHAPES), default="full")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument(
        "--host", type=float, default=0, help="GiB of host memory for weights; half of the free"
    )
    parser.add_argument("--folder", type=Path, help="where the model is written for a while")
    given = parser.parse_args()
    device = Device(given.device)
    if device.gpu and not torch.cuda.is_available():
        raise SystemExit("This measures a GPU, and torch finds none on this machine.")
    with tempfile.TemporaryDirectory(dir=given.folder) as temporary:
        folder = Path(temporary)
        write(folder, given.scale)
        fed = inputs(given.scale, device, torch.bfloat16)
        weft = Weft(folder, device, fed)
        weft.measure()
        host = host_budget(int(given.host * GIB))
        rows = [
            weft_row(weft, share, kept)
            for share in SHARES
            for kept in ((host, 0) if share < 1 else (0,))
        ]
        theirs = by_diffusers(folder, device, fed)
        if theirs is None:
            print("Without diffusers' group offload, whose streams need a GPU.")
        else:
            rows.append(Row("diffusers, group offload by block", theirs))
        link = device.link()
        measure(rows, given.rounds, given.steps, device)
        report(rows, weft, link, device)


if __name__ == "__main__":
    main()
