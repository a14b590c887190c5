"""Traces to plan: random ones of several kinds from a seed, and twenty written by hand.

Sizes are in MiB and shaped like real models (text encoders of 0.25 to 10 GB, denoisers of 1.7 to 24
GB, VAEs of 0.17 to 0.5 GB), with fewer blocks and fewer sampling steps than those have, so that a
thousand can be planned in minutes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from backend.plan.residency.model import Budget, Link, Piece, Trace, Use, lay_out

MIB = 1 << 20
GB = 10**9


@dataclass(frozen=True)
class Case:
    """A trace with its budget and links."""

    name: str
    trace: Trace
    budget: Budget
    link: Link


@dataclass(frozen=True)
class Net:
    """A component as blocks, and the seconds that one pass over it takes."""

    pieces: tuple[Piece, ...]
    seconds: float
    activation: int

    @property
    def blocks(self) -> tuple[tuple[str, ...], ...]:
        return tuple((piece.id,) for piece in self.pieces)

    def use(self, name: str, job: str, repeat: int = 1, values: int = 0, scale: float = 1.0) -> Use:
        return Use(name, self.blocks, self.seconds * scale, self.activation, values, job, repeat)


Made: TypeAlias = tuple[list[Net], list[Use]]
"""Components, and the steps that use them in order."""


def net(name: str, mib: float, blocks: int, seconds: float, activation: float) -> Net:
    """A component of ``blocks`` alike, with a larger first one, as embeddings make it."""
    each = int(mib * MIB / (blocks + 0.5))
    sizes = [int(1.5 * each), *[each] * (blocks - 1)]
    pieces = tuple(Piece(f"{name}.{k}", size) for k, size in enumerate(sizes))
    return Net(pieces, seconds, int(activation * MIB))


def encoder(chance: random.Random, name: str) -> Net:
    mib = chance.choice([250, 1300, 4900, 7500, 9500])
    return net(name, mib, max(1, min(12, round(mib / 700))), chance.uniform(0.02, 0.4), 200)


def denoiser(chance: random.Random, name: str) -> Net:
    mib = chance.choice([1700, 5000, 6600, 12000, 17000, 23800])
    blocks = max(4, min(20, round(mib / chance.choice([600, 900, 1300]))))
    return net(name, mib, blocks, chance.uniform(0.1, 3.0), chance.uniform(300, 2500))


def decoder(chance: random.Random, name: str) -> Net:
    return net(
        name, chance.choice([170, 330, 500]), 1, chance.uniform(0.1, 2), chance.uniform(500, 4000)
    )


def multi(chance: random.Random) -> Made:
    """A graph with several models, each used once or a few times."""
    parts: list[Net] = []
    uses: list[Use] = []
    for k in range(chance.randint(2, 4)):
        e, d, v = (encoder(chance, f"e{k}"), denoiser(chance, f"d{k}"), decoder(chance, f"v{k}"))
        parts += [e, d, v]
    for turn in range(chance.randint(2, 5)):
        e, d, v = parts[3 * chance.randrange(len(parts) // 3) :][:3]
        job = f"{turn}"
        uses += [e.use(f"e{turn}", job), d.use(f"d{turn}", job, chance.randint(2, 6))]
        uses.append(v.use(f"v{turn}", job))
    return parts, uses


def batch(chance: random.Random) -> Made:
    """A batch of prompts: all encoded, then sampled, then decoded, or one prompt after another."""
    e, d, v = encoder(chance, "e"), denoiser(chance, "d"), decoder(chance, "v")
    count, steps = chance.randint(3, 8), chance.randint(2, 4)
    jobs = [str(k) for k in range(count)]
    if chance.random() < 0.5:
        uses = [e.use(f"e{j}", j) for j in jobs] + [d.use(f"d{j}", j, steps) for j in jobs]
        uses += [v.use(f"v{j}", j) for j in jobs]
    else:
        uses = [
            use
            for j in jobs
            for use in (e.use(f"e{j}", j), d.use(f"d{j}", j, steps), v.use(f"v{j}", j))
        ]
    return [e, d, v], uses


def experts(chance: random.Random) -> Made:
    """Video with two experts: one for the first noise levels, one for the last."""
    e, v = encoder(chance, "e"), decoder(chance, "v")
    mib, blocks = chance.choice([5000, 9500, 14000, 27000]), chance.randint(8, 20)
    seconds, activation = chance.uniform(0.5, 6), chance.uniform(500, 4000)
    high, low = (net(n, mib, blocks, seconds, activation) for n in ("high", "low"))
    uses = []
    for j in map(str, range(chance.randint(1, 3))):
        a, b = chance.randint(2, 5), chance.randint(2, 5)
        uses += [e.use(f"e{j}", j), high.use(f"h{j}", j, a), low.use(f"l{j}", j, b)]
        uses.append(v.use(f"v{j}", j))
    return [e, high, low, v], uses


def refine(chance: random.Random) -> Made:
    """A base model, then one or two that refine what it made, each with its VAE between."""
    parts, uses = [encoder(chance, "e")], []
    stages = chance.randint(2, 3)
    for k in range(stages):
        parts += [denoiser(chance, f"d{k}"), decoder(chance, f"v{k}")]
    for j in map(str, range(chance.randint(1, 4))):
        uses.append(parts[0].use(f"e{j}", j))
        for k in range(stages):
            uses.append(parts[1 + 2 * k].use(f"d{k}.{j}", j, chance.randint(2, 4)))
            uses.append(parts[2 + 2 * k].use(f"v{k}.{j}", j))
    return parts, uses


def adapters(chance: random.Random) -> Made:
    """One base model with adapters that change from job to job, each needed beside its layer."""
    e, d, v = encoder(chance, "e"), denoiser(chance, "d"), decoder(chance, "v")
    count = chance.randint(2, 5)
    sizes = [5 * MIB, 20 * MIB, 60 * MIB]
    loras = []
    for k in range(count):
        layers = (Piece(f"a{k}.{b}", chance.choice(sizes)) for b in range(len(d.pieces)))
        loras.append(Net(tuple(layers), 0, 0))
    uses = []
    for j in map(str, range(chance.randint(2, 6))):
        lora = chance.choice(loras)
        both = tuple((a.id, b.id) for a, b in zip(d.pieces, lora.pieces, strict=True))
        uses.append(e.use(f"e{j}", j))
        uses.append(Use(f"d{j}", both, d.seconds, d.activation, 0, j, chance.randint(2, 4)))
        uses.append(v.use(f"v{j}", j))
    return [e, d, v, *loras], uses


KINDS: dict[str, Callable[[random.Random], Made]] = {
    "multi": multi,
    "batch": batch,
    "experts": experts,
    "refine": refine,
    "adapters": adapters,
}


def random_case(seed: int, number: int) -> Case:
    """The case of this number among those of a seed."""
    chance = random.Random(f"{seed}/{number}")
    kind = list(KINDS)[number % len(KINDS)]
    parts, uses = KINDS[kind](chance)
    return with_budget(f"{kind} {number}", chance, parts, uses)


def with_budget(name: str, chance: random.Random, parts: list[Net], uses: list[Use]) -> Case:
    """A budget between the least that runs and all of it, and links of usual speed."""
    pieces = tuple(piece for part in parts for piece in part.pieces)
    trace = Trace(pieces, tuple(uses))
    course = lay_out(trace)
    whole = sum(piece.nbytes for piece in pieces) + max(course.activation)
    device = max(
        int(course.least_device * 1.05), int(whole * chance.choice([0.2, 0.33, 0.5, 0.66, 0.8, 1]))
    )
    host = max(int(course.least_host * 2.0), int(whole * chance.choice([0.15, 0.4, 0.7, 1.0, 1.2])))
    link = Link(chance.choice([6, 12, 25, 50]) * GB, chance.choice([0.5, 2, 3.5, 7, 12]) * GB)
    return Case(name, trace, Budget(device, host), link)


def random_cases(seed: int, count: int) -> Iterator[Case]:
    """So many cases of a seed."""
    return (random_case(seed, number) for number in range(count))
