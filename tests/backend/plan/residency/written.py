"""Twenty traces written by hand, with the sizes of real models."""

from __future__ import annotations

from dataclasses import replace

from backend.plan.residency.model import Budget, Link, Piece, Trace, Use
from tests.backend.plan.residency.traces import GB, Case, Net, net

FAST, SLOW = Link(25 * GB, 7 * GB), Link(12 * GB, 2 * GB)
GIB = 1 << 30


def _sdxl(name: str = "xl") -> tuple[Net, Net, Net]:
    parts = net(f"{name}.te", 1560, 2, 0.05, 60), net(f"{name}.u", 4900, 14, 0.16, 700)
    return *parts, net(f"{name}.vae", 160, 1, 0.5, 2600)


def _flux() -> tuple[Net, Net, Net]:
    return (
        net("fx.te", 9300, 24, 0.12, 300),
        net("fx.d", 22700, 57, 1.1, 1500),
        net("fx.vae", 160, 1, 0.6, 2600),
    )


def _wan(name: str) -> Net:
    return net(name, 27000, 40, 9.0, 4200)


def _job(parts: tuple[Net, Net, Net], job: str, steps: int, values: int = 0) -> list[Use]:
    te, d, vae = parts
    return [
        te.use(f"text {job}", job, values=values),
        d.use(f"sample {job}", job, steps, values),
        vae.use(f"decode {job}", job, values=values),
    ]


def _case(
    name: str, nets: tuple[Net, ...], uses: list[Use], device: float, host: float, link: Link = FAST
) -> Case:
    pieces = tuple(dict.fromkeys(piece for part in nets for piece in part.pieces))
    return Case(name, Trace(pieces, tuple(uses)), Budget(int(device * GIB), int(host * GIB)), link)


def _lora(base: Net, name: str, mib: int) -> Net:
    each = mib * (1 << 20) // len(base.pieces)
    pieces = tuple(Piece(f"{name}.{n}", each) for n in range(len(base.pieces)))
    return Net(pieces, 0.0, 0)


def _adapted(base: Net, lora: Net, job: str, steps: int) -> Use:
    both = tuple((a.id, b.id) for a, b in zip(base.pieces, lora.pieces, strict=True))
    return Use(f"sample {job}", both, base.seconds, base.activation, 0, job, steps)


def _by_model(parts: tuple[Net, Net, Net], jobs: range, steps: int) -> list[Use]:
    rows = [_job(parts, str(j), steps) for j in jobs]
    return [row[part] for part in range(3) for row in rows]


def written() -> list[Case]:
    """The twenty."""
    return [*_single(), *_batches(), *_several(), *_video()]


def _single() -> list[Case]:
    xl, fx = _sdxl(), _flux()
    return [
        _case("SDXL with room", xl, _job(xl, "a", 20), 12, 16),
        _case("SDXL on 4 GiB", xl, _job(xl, "a", 20), 4, 16),
        _case("FLUX on 24 GiB", fx, _job(fx, "a", 8), 24, 48),
        _case("FLUX on 12 GiB", fx, _job(fx, "a", 8), 12, 48),
        _case("FLUX on 8 GiB, slow links", fx, _job(fx, "a", 6), 8, 48, SLOW),
        _case("FLUX on 8 GiB and 16 GiB", fx, _job(fx, "a", 4), 8, 16),
    ]


def _batches() -> list[Case]:
    xl, fx = _sdxl(), _flux()
    fours = [use for j in range(4) for use in _job(xl, str(j), 10)]
    twelve = [use for j in range(12) for use in _job(xl, str(j), 3)]
    return [
        _case("100 prompts by model", xl, _by_model(xl, range(100), 1), 6, 16),
        _case("12 prompts one by one", xl, twelve, 6, 16),
        _case("FLUX, 6 prompts by model", fx, _by_model(fx, range(6), 2), 16, 48),
        _case("FLUX, 3 prompts one by one", fx, [u for j in "abc" for u in _job(fx, j, 2)], 16, 48),
        _case("4 prompts, hardly any host memory", xl, fours, 5, 2),
    ]


def _several() -> list[Case]:
    xl, fx, turbo = _sdxl(), _flux(), _sdxl("t")
    four = [u for j in range(2) for u in (*_job(xl, f"x{j}", 5), *_job(turbo, f"t{j}", 2))]
    refine = [*_job(fx, "a", 4), *_job(xl, "b", 6)]
    back = [*_job(xl, "a", 6), *_job(turbo, "b", 4), *_job(xl, "c", 6)]
    loras = [_lora(xl[1], f"lora{n}", 220) for n in range(3)]
    adapted = []
    for j, lora in enumerate([*loras, *loras]):
        text, _, decode = _job(xl, str(j), 1)
        adapted += [text, _adapted(xl[1], lora, str(j), 4), decode]
    upscale = [*_job(xl, "a", 8), *(xl[2].use(f"tile {n}", "a") for n in range(9))]
    return [
        _case("two models in turn", (*xl, *turbo), four, 8, 24),
        _case("FLUX, then SDXL refines", (*fx, *xl), refine, 12, 48),
        _case("a model that comes back", (*xl, *turbo), back, 10, 12, SLOW),
        _case("three adapters in turn", (*xl, *loras), adapted, 6, 16),
        _case("nine tiles decoded", xl, upscale, 4, 16),
    ]


def _video() -> list[Case]:
    te, high, low = net("umt5", 10800, 24, 0.4, 300), _wan("high"), _wan("low")
    vae = net("wan.vae", 480, 1, 6.0, 5000)
    nets = (te, high, low, vae)
    uses = [
        te.use("text", "a"),
        high.use("high", "a", 3),
        low.use("low", "a", 3),
        vae.use("decode", "a"),
    ]
    twice = [*uses, *(replace(use, id=f"{use.id} 2", job="b") for use in uses)]
    return [
        _case("two experts on 24 GiB", nets, uses, 24, 64),
        _case("two experts on 12 GiB", nets, uses, 12, 64),
        _case("two experts on 16 GiB, 32 GiB host", nets, uses, 16, 32),
        _case("two experts, two films", nets, twice, 24, 64, SLOW),
    ]
