"""The trained noise levels of models that count time in steps, and their schedulers' settings.

A model trained on T steps of noise knows the level of each; time 0 is the cleanest, T - 1 the
noisiest (arXiv:2006.11239 section 2). Schedulers choose which of them a run visits. Weft takes all
of them in the variance preserving form, whatever form a scheduler computes in. A run ends at level
0, or where a scheduler says so (``set_alpha_to_one: false``, ``final_sigmas_type: sigma_min``) at
the first trained level, and what noise is left there counts as picture. Light.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import VP, Prediction
from backend.diffusion.process import Process
from backend.models.settings import spacing

Floats = npt.NDArray[np.float64]

PREDICTIONS: Mapping[str, Prediction] = MappingProxyType(
    {"epsilon": "epsilon", "v_prediction": "v", "sample": "x0"}
)
SPACINGS = ("linspace", "leading", "trailing")
ALMOST_NOISE = 2.0**-24
"""The share of picture that schedulers leave where betas are rescaled to pure noise."""


@dataclass(frozen=True)
class Rule:
    """How a class of schedulers chooses levels.

    ``spacing`` is its default; ``whole`` times are rounded; with ``one_more`` it places one time
    more than there are steps and leaves the last out; ``own_ends`` says that a spacing by sigma
    runs between the ends of its own grid rather than of the whole table; ``faint`` that a run may
    begin with noise that is only scaled to the level, without the variance of a picture;
    ``by_sigma`` that it heeds ``use_karras_sigmas`` and its like; ``to_one`` is its default of
    ``set_alpha_to_one``, None if it has no such setting, and ``finals`` are the values of
    ``final_sigmas_type`` that are followed; ``refused`` are settings which, if set, change a run in
    a way that is not built here.
    """

    spacing: str = "linspace"
    whole: bool = True
    one_more: bool = False
    own_ends: bool = False
    faint: bool = False
    by_sigma: bool = False
    pure: float = ALMOST_NOISE
    to_one: bool | None = None
    finals: tuple[str, ...] = ("zero",)
    refused: tuple[str, ...] = ()


_SIGMAS = Rule(whole=False, own_ends=True, faint=True, by_sigma=True)
_STEPS = Rule("leading", refused=("clip_sample", "thresholding"), pure=1e-12)
_FAST = Rule(
    one_more=True,
    by_sigma=True,
    finals=("zero", "sigma_min"),
    refused=("thresholding", "use_lu_lambdas", "use_flow_sigmas", "variance_type"),
)
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "EulerDiscreteScheduler": _SIGMAS,
        "EulerAncestralDiscreteScheduler": Rule(whole=False, own_ends=True, faint=True),
        "HeunDiscreteScheduler": _SIGMAS,
        "LMSDiscreteScheduler": _SIGMAS,
        "DDIMScheduler": replace(_STEPS, to_one=True),
        "DDPMScheduler": _STEPS,
        "PNDMScheduler": Rule("leading", to_one=False),
        "DPMSolverMultistepScheduler": _FAST,
        "DEISMultistepScheduler": _FAST,
        "UniPCMultistepScheduler": _FAST,
    }
)
"""The classes of schedulers whose settings are understood. Which method integrates is the choice of
the solver, so an ancestral or a multistep class gives its levels only."""

SOLVERS: Mapping[str, str] = MappingProxyType(
    {
        "HeunDiscreteScheduler": "heun",
        "DPMSolverMultistepScheduler": "dpmpp_2m",
        "PNDMScheduler": "pndm",
        "UniPCMultistepScheduler": "unipc",
    }
)
"""The solver that does what a class of schedulers does, where it is not ``euler``."""


@dataclass(frozen=True)
class NoiseTable:
    """The noise level (sigma, the ratio of noise to picture) of each trained time, ascending.

    ``whole`` tells the model the nearest trained time where a level lies between two.
    """

    levels: Floats
    whole: bool = False
    logs: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "logs", np.log(self.levels))

    def time(self, sigma: float) -> float:
        """The time of a noise level, even in log sigma between two trained ones."""
        steps = np.arange(len(self.logs))
        time = float(np.interp(math.log(max(sigma, 1e-10)), self.logs, steps))
        return float(round(time)) if self.whole else time

    def sigmas(self, times: Floats) -> list[float]:
        """The levels of times, even in sigma between two trained ones."""
        found: list[float] = np.interp(times, np.arange(len(self.levels)), self.levels).tolist()
        return found


def rule_of(settings: Mapping[str, Any]) -> Rule:
    """The rule of a scheduler's class.

    Raises:
        KeyError: it is none of ``RULES``.
    """
    return RULES[settings["_class_name"]]


def noise_table(settings: Mapping[str, Any]) -> NoiseTable:
    """The levels of a scheduler's settings; what is missing is as most of the classes have it.

    Raises:
        ValueError, TypeError, KeyError: a setting is senseless.
    """
    rule, betas = rule_of(settings), _betas(settings)
    if betas.ndim != 1 or len(betas) < 2 or not np.all((betas > 0) & (betas < 1)):
        raise ValueError("betas must be a row of numbers between 0 and 1")
    kept: Floats = np.cumprod(1 - betas, dtype=np.float64)
    if settings.get("rescale_betas_zero_snr"):
        kept = _to_pure_noise(kept)
        kept[-1] = rule.pure
    return NoiseTable(np.sqrt((1 - kept) / kept), whole=rule.one_more)


def process_of(settings: Mapping[str, Any]) -> Process:
    """How a model with these scheduler settings noises, predicts and places its levels.

    Raises:
        ValueError, TypeError, KeyError: a setting is senseless.
    """
    rule, table = rule_of(settings), noise_table(settings)
    ends = None if rule.own_ends else (float(table.levels[-1]), float(table.levels[0]))
    if settings.get("sigma_max") is not None and rule.own_ends:
        ends = (float(settings["sigma_max"]), float(settings["sigma_min"]))
    chosen = settings.get("timestep_spacing", rule.spacing)
    return Process(
        VP,
        PREDICTIONS[settings.get("prediction_type", "epsilon")],
        grid=partial(_grid, table, rule, chosen, int(settings.get("steps_offset", 0))),
        ends=ends,
        spacing=spacing(settings) if rule.by_sigma else "",
        full=not (rule.faint and chosen != "leading"),
        rest=float(table.levels[0]) if _stops_early(rule, settings) else 0.0,
    )


def _stops_early(rule: Rule, settings: Mapping[str, Any]) -> bool:
    """Whether a run ends at the first trained level and not at 0."""
    if rule.to_one is not None:
        return not settings.get("set_alpha_to_one", rule.to_one)
    return "sigma_min" in rule.finals and settings.get("final_sigmas_type") == "sigma_min"


def times(rule: Rule, chosen: str, offset: int, trained: int, steps: int) -> Floats:
    """The times of ``steps`` steps, descending (arXiv:2305.08891 table 2).

    Raises:
        DiffusionError: there are more steps than trained times.
    """
    placed = steps + int(rule.one_more and chosen != "trailing")
    if placed > trained:
        raise DiffusionError(
            f"This model was trained on {trained} noise levels, so it takes no {steps} steps."
        )
    if chosen == "trailing":
        return np.round(trained - np.arange(steps) * (trained / steps)) - 1
    if chosen == "leading":
        return (np.arange(placed)[::-1] * (trained // placed) + offset)[:steps].astype(np.float64)
    even = np.linspace(0, trained - 1, placed)[::-1][:steps]
    return np.round(even) if rule.whole else even


def check_noise_scheduler(folder: ModelFolder, family: str) -> None:
    """Refuse scheduler settings that a run would not follow.

    Raises:
        CatalogError: there are such.
        ValueError, TypeError: one that should be a number is none.
    """
    kind, given = folder.component("scheduler").kind, folder.component("scheduler").config
    if kind not in RULES:
        raise CatalogError(
            f"{folder.path} names the scheduler {kind}, whose levels are not known here for a "
            f"{family} model (known: {', '.join(RULES)}). Choose a model that has one of these."
        )
    settings, rule = with_class(given, kind), RULES[kind]
    wrong = [name for name in rule.refused if settings.get(name)]
    wrong += [
        f"{name} {settings[name]!r}"
        for name, known in (
            ("prediction_type", tuple(PREDICTIONS)),
            ("timestep_spacing", SPACINGS),
            ("beta_schedule", tuple(_CURVES)),
            ("interpolation_type", ("linear",)),
            ("timestep_type", ("discrete",)),
            ("final_sigmas_type", rule.finals),
            ("lambda_min_clipped", (None, -math.inf)),
        )
        if name in settings and settings[name] not in known
    ]
    if (settings.get("sigma_max") is None) != (settings.get("sigma_min") is None):
        wrong.append("only one of sigma_min and sigma_max")
    if wrong:
        raise CatalogError(
            f"{folder.path}: the scheduler settings ask for {wrong[0]}, which is not built here. "
            "Change it in scheduler/scheduler_config.json."
        )
    process_of(settings).grid(1)


def with_class(settings: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Scheduler settings that say their class, as ``model_index.json`` names it."""
    return {**settings, "_class_name": kind}


def _grid(table: NoiseTable, rule: Rule, chosen: str, offset: int, steps: int) -> list[float]:
    return table.sigmas(times(rule, chosen, offset, len(table.levels), steps))


def _cosine(low: float, high: float, steps: int) -> Floats:
    """Betas of ``kept(t) = cos((t + 0.008) / 1.008 pi / 2)^2`` (arXiv:2102.09672 eq. 17)."""
    kept = np.cos((np.arange(steps + 1) / steps + 0.008) / 1.008 * math.pi / 2) ** 2
    betas: Floats = np.minimum(1 - kept[1:] / kept[:-1], 0.999)
    return betas


_CURVES = MappingProxyType(
    {
        "linear": lambda low, high, steps: np.linspace(low, high, steps),
        "scaled_linear": lambda low, high, steps: np.linspace(low**0.5, high**0.5, steps) ** 2,
        "squaredcos_cap_v2": _cosine,
    }
)


def _betas(settings: Mapping[str, Any]) -> Floats:
    """The variance added at each trained step."""
    trained = settings.get("trained_betas")
    if trained is not None:
        return np.asarray(trained, dtype=np.float64)
    curve = _CURVES[settings.get("beta_schedule", "linear")]
    low, high = settings.get("beta_start", 0.0001), settings.get("beta_end", 0.02)
    return np.asarray(
        curve(float(low), float(high), int(settings.get("num_train_timesteps", 1000)))
    )


def _to_pure_noise(kept: Floats) -> Floats:
    """The share of picture moved so that none is left at the last time (arXiv:2305.08891 alg. 1).

    The last entry is 0 then; schedulers put a little in its place.
    """
    root = np.sqrt(kept)
    moved: Floats = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
    return moved**2
