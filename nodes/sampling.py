"""Nodes that denoise: whole samplers, and the parts they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from backend.diffusion.mix import semantic_mix as mix_layout
from backend.diffusion.schedule import cut, schedule_kinds
from backend.diffusion.solver import inverters, solver_kinds
from backend.models.agree import runs_in_steps, same_latent_space, same_text_space
from backend.models.costs import branches_of, calls_of, guided, sampling
from backend.models.explain import explained
from backend.models.family import describe
from backend.models.run import denoise as run_sampler
from backend.models.run import find_noise
from backend.sdk import (
    Conditioning,
    Context,
    Facts,
    Guider,
    Latent,
    Model,
    Noise,
    Peak,
    Range,
    ScalarList,
    Schedule,
    SeedParam,
    Solver,
    facts_of,
    node,
)
from nodes.conditioning import SIMPLE_GUIDANCE, pair

SOLVERS, SCHEDULES = tuple(solver_kinds()), tuple(schedule_kinds())
if TYPE_CHECKING:
    SolverName: TypeAlias = str
    OwnSolver: TypeAlias = str
    Inverter: TypeAlias = str
    OwnGuidance: TypeAlias = str
    ScheduleName: TypeAlias = str
else:
    Inverter = Literal[tuple(inverters())]
    SolverName, ScheduleName = Literal[SOLVERS], Literal[SCHEDULES]
    OwnSolver, OwnGuidance = Literal[("native", *SOLVERS)], Literal[("native", *SIMPLE_GUIDANCE)]

Steps = Annotated[int, Range(1, 150, 1)]
Fraction = Annotated[float, Range(0, 1, 0.01)]


@node(category="Sampling", lane="device", aliases=("ksampler", "denoise", "generate"))
def sample(
    ctx: Context,
    model: Model,
    positive: Conditioning,
    latent: Latent,
    negative: Conditioning | None = None,
    steps: Steps = 28,
    cfg: Annotated[float, Range(0, 30, 0.1)] = 2.0,
    seed: SeedParam = 0,
    solver: OwnSolver = "native",
    schedule: ScheduleName = "native",
    guidance: OwnGuidance = "native",
    denoise: Fraction = 1.0,
) -> Latent:
    """Denoise a latent with the model.

    `cfg` is how strongly the result follows `positive` rather than `negative`; with no negative,
    or at 1, the model runs unguided and twice as fast. `denoise` below 1 starts from the latent
    given and keeps more of it the lower it is: 0 returns it as it is. Each picture of a batch has
    its own noise, drawn from `seed`; the first is what the seed gives alone. A latent with an
    in-paint mask changes only where the mask is white. `native` is what the model was made for:
    its own solver, levels and kind of guidance.

    Example: load_model -> encode_text -> sample(steps=28, cfg=2, seed=7) -> vae_decode.
    """
    with explained():
        own = describe(model).defaults
        terms, kind = pair(positive, negative, own.guider if guidance == "native" else guidance)
        return run_sampler(
            ctx,
            Guider(kind, {} if kind == "none" else {"cfg": cfg}, model, terms),
            Solver(own.solver if solver == "native" else solver),
            Schedule(schedule, steps=steps, start=1.0 - denoise),
            Noise("gaussian", seed=seed),
            latent,
        )


@node(category="Sampling", lane="device", aliases=("custom sampler", "sampler custom advanced"))
def sample_with_parts(
    ctx: Context,
    guider: Guider,
    solver: Solver,
    schedule: Schedule,
    noise: Noise,
    latent: Latent,
) -> Latent:
    """Denoise a latent with a guider, a solver, a schedule and a noise chosen one by one.

    A latent that still holds noise, from a schedule that ended early or from an inversion, goes
    on from where it is and gets no new noise.

    Example: cfg_pp_guider, solver(kind="dpmpp_2m"), schedule(kind="karras", steps=20) and
    noise(seed=7) -> sample_with_parts -> vae_decode.
    """
    with explained():
        return run_sampler(ctx, guider, solver, schedule, noise, latent)


@node(category="Sampling", lane="device", aliases=("magicmix", "mix concepts", "layout"))
def semantic_mix(
    ctx: Context,
    guider: Guider,
    layout: Latent,
    nu: Fraction = 0.5,
    k_min: Fraction = 0.3,
    k_max: Fraction = 0.6,
    steps: Steps = 28,
    seed: SeedParam = 0,
    solver: SolverName = "euler",
    schedule: ScheduleName = "native",
) -> Latent:
    """Mix the layout of a picture with the content of a prompt (MagicMix).

    The run starts with the fraction `k_max` of the steps left, from the layout with noise. Down to
    `k_min` every latent is `nu` parts prompt and the rest layout at the same noise level; below it
    the prompt has its way. At `nu` 1 and `k_max` 1 this is plain sampling; `nu` 0 with `k_min` 0
    gives the layout back.

    Example: a picture of a square -> vae_encode -> semantic_mix(nu=0.5) with a guider for "a
    striped circle" -> vae_decode.
    """
    with explained():
        plan = Schedule(schedule, steps=steps, start=1.0 - k_max)
        edits = (mix_layout(nu, k_min, k_max),)
        noise = Noise("gaussian", seed=seed)
        return run_sampler(ctx, guider, Solver(solver), plan, noise, layout, edits)


@node(category="Sampling", lane="device", aliases=("ddim inversion", "unsample", "noise of image"))
def invert_latent(
    ctx: Context,
    guider: Guider,
    schedule: Schedule,
    latent: Latent,
    solver: Inverter = "euler",
) -> Latent:
    """Find the noise from which a guider would make this latent, by sampling backwards.

    Sampling the result with the same guider and schedule gives about the picture again; with
    another text it edits it. A CFG++ guider inverts in its own way, which comes back closer than
    CFG does. More steps come back closer. `solver` euler is DDIM's inversion; midpoint (RF-Solver)
    asks the model twice a step and comes back much closer, if the sampler that follows uses it
    too.

    Example: vae_encode -> invert_latent(solver="midpoint"), with a schedule of 15 steps and a
    guider without guidance -> sample_with_parts with solver(kind="midpoint").
    """
    with explained():
        return find_noise(ctx, guider, schedule, latent, Solver(solver))


@node(category="Sampling/Parts", title="Solver", aliases=("sampler", "euler", "unipc", "heun"))
def solver(ctx: Context, kind: SolverName = "euler") -> Solver:
    """Choose how the sampling equation is solved.

    `euler` is plain and sturdy; `heun` and `midpoint` (RF-Solver) ask the model twice a step and
    are exacter; `dpmpp_2m` and `unipc` remember earlier steps and need fewer of them.

    Example: solver(kind="unipc") -> sample_with_parts, with a schedule of 12 steps.
    """
    return Solver(kind)


@node(category="Sampling/Parts", title="Schedule", aliases=("sigmas", "scheduler", "karras"))
def schedule(
    ctx: Context,
    kind: ScheduleName = "native",
    steps: Steps = 28,
    denoise: Fraction = 1.0,
    leave: Fraction = 0.0,
    shift: Annotated[float, Range(0.01, 100, 0.1)] = 3.0,
    dynamic: bool = False,
    rho: Annotated[float, Range(0.1, 100, 0.1)] = 7.0,
    alpha: Annotated[float, Range(0.05, 10, 0.05)] = 0.6,
    beta: Annotated[float, Range(0.05, 10, 0.05)] = 0.6,
    sigmas: ScalarList = (),
    trained_tokens: Annotated[int, Range(0, 1_000_000, 1)] = 0,
) -> Schedule:
    """Choose how the noise levels of a run are placed.

    `native` is what the model was made for. `flow` shifts by your own `shift`, or with the image
    size when `dynamic`; with `trained_tokens` (4096 for 1024x1024 pixels, 16 a token) `shift` is
    for that size, and larger pictures get more. `karras` (with `rho`) and `exponential` spend more
    steps at low noise, `beta` (with `alpha`, `beta`) at both ends. `denoise` below 1 skips the
    first steps, `leave` stops with that fraction of them undone. `sigmas`, if given, is the table
    itself, descending.

    Example: schedule(kind="flow", shift=3, steps=20) -> sample_with_parts.
    """
    settings: dict[str, Any] = {
        "shift": shift, "dynamic": dynamic, "rho": rho, "alpha": alpha, "beta": beta,
        "trained_tokens": trained_tokens,
    }  # fmt: skip
    used: dict[str, tuple[str, ...]] = {
        "native": (), "flow": ("shift", "dynamic", "trained_tokens"), "karras": ("rho",),
        "exponential": (), "beta": ("alpha", "beta"),
    }  # fmt: skip
    params = {name: settings[name] for name in used.get(kind, tuple(settings))}
    if leave:
        params["end"] = leave
    return Schedule(kind, params, steps, 1.0 - denoise, tuple(float(s) for s in sigmas))


@node(category="Sampling/Parts", title="Noise", aliases=("seed", "random noise"))
def noise(
    ctx: Context, seed: SeedParam = 0, kind: Literal["gaussian", "none"] = "gaussian"
) -> Noise:
    """Choose the noise that a run starts from: `gaussian` from a seed, or `none`.

    Example: noise(seed=7) -> sample_with_parts.
    """
    return Noise(kind, seed=seed)


def _sampled(latent: Facts | None) -> Facts:
    return (latent or facts_of("Latent")).but(noise=0.0)


@sample.facts
def _(
    p: Any,
    model: Facts | None,
    positive: Facts | None,
    latent: Facts | None,
    negative: Facts | None = None,
) -> Facts:
    runs_in_steps(model)
    same_latent_space(latent, model)
    same_text_space(model, (positive, negative))
    return _sampled(latent)


@sample_with_parts.facts
def _(p: Any, latent: Facts | None, guider: Facts | None = None, **others: Facts | None) -> Facts:
    same_latent_space(latent, guider)
    return (latent or facts_of("Latent")).but(noise=None)


@semantic_mix.facts
def _(p: Any, guider: Facts | None, layout: Facts | None) -> Facts:
    same_latent_space(layout, guider)
    return _sampled(layout)


@invert_latent.facts
def _(p: Any, latent: Facts | None, guider: Facts | None = None, **others: Facts | None) -> Facts:
    same_latent_space(latent, guider)
    return (latent or facts_of("Latent")).but(noise=None)


@solver.facts
def _(p: Any) -> Facts:
    return facts_of("Solver", kind=p.kind)


@schedule.facts
def _(p: Any) -> Facts:
    told = None not in (p.steps, p.denoise, p.leave, p.sigmas)
    levels = [s for s in p.sigmas if s] if told else []
    taken = _taken(len(levels) or p.steps, 1.0 - p.denoise, p.leave) if told else None
    return facts_of("Schedule", kind=p.kind, steps=p.steps, taken=taken)


@noise.facts
def _(p: Any) -> Facts:
    return facts_of("Noise", kind=p.kind)


@sample.peak
def _(
    p: Any,
    model: Facts | None,
    positive: Facts | None,
    latent: Facts | None,
    negative: Facts | None = None,
) -> Peak:
    own = model or facts_of("Model")
    kind = own.own_guider if p.guidance == "native" else p.guidance
    plain = negative is None or p.cfg == 1
    steps = _taken(p.steps, 1.0 - p.denoise) if None not in (p.steps, p.denoise) else None
    solver = own.own_solver if p.solver == "native" else p.solver
    calls = calls_of(solver, steps) if steps is not None else None
    return sampling("model", model, latent, 1 if plain else branches_of(kind, 2), calls)


@sample_with_parts.peak
def _(
    p: Any,
    guider: Facts | None,
    solver: Facts | None,
    schedule: Facts | None,
    latent: Facts | None,
    **others: Facts | None,
) -> Peak:
    return guided(guider, latent, schedule, solver)


@semantic_mix.peak
def _(p: Any, guider: Facts | None, layout: Facts | None) -> Peak:
    steps = _taken(p.steps, 1.0 - p.k_max) if None not in (p.steps, p.k_max) else None
    schedule = facts_of("Schedule", taken=steps)
    return guided(guider, layout, schedule, facts_of("Solver", kind=p.solver))


@invert_latent.peak
def _(p: Any, guider: Facts | None, schedule: Facts | None, latent: Facts | None) -> Peak:
    return guided(guider, latent, schedule, facts_of("Solver", kind=p.solver))


def _taken(steps: int, start: float, end: float = 0.0) -> int:
    """How many of a schedule's steps a run takes."""
    first, last = cut(Schedule("native", {"end": end}, steps, start), steps)
    return last - first
