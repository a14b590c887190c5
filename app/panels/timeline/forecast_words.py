"""A forecast of a run in words. Without Qt's widgets."""

from __future__ import annotations

from collections.abc import Callable

from app.run.words import show_seconds
from app.words import counted, tr
from backend.engine.checks.wire import Forecast, ForecastStage
from backend.plan.residency.report import size

Titles = Callable[[str], str]
"""The title of a step's node, as the canvas shows it."""


def misfit_words(forecast: Forecast) -> str:
    """Why a run does not fit, and what would make it fit; empty where it fits."""
    if not forecast.misfit:
        return ""
    cures = tr(", or ").join(forecast.cures)
    return tr("{why} What would make it fit: {cures}.", why=why_words(forecast), cures=cures)


def why_words(forecast: Forecast) -> str:
    """Why a run does not fit."""
    return tr("It does not fit in memory. {why}", why=forecast.misfit)


def cure_words(forecast: Forecast) -> str:
    """What would make it fit, a line for each way."""
    lines = "\n".join(f"· {cure}" for cure in forecast.cures)
    may = tr("It can be run all the same, and may stop there.")
    return tr("What would make it fit:") + f"\n{lines}\n{may}"


def place_words(device: str) -> str:
    """Where it computes."""
    return tr("the CPU") if device == "cpu" else device


def summary_words(forecast: Forecast) -> str:
    """A line for the title bar."""
    if forecast.misfit:
        return tr("Does not fit")
    return tr("Peak {peak} of {budget}", peak=size(forecast.device_peak),
              budget=size(forecast.device_budget))  # fmt: skip


def verdict_words(forecast: Forecast) -> str:
    """What it comes to: peak, bytes, the bound, and seconds where they are known."""
    said = [
        tr("It fits: at the most {peak} of {budget} on {place}, and {host} of host memory.",
           peak=size(forecast.device_peak), budget=size(forecast.device_budget),
           place=place_words(forecast.device), host=size(forecast.host_peak)),
        _loaded(forecast),
        _times(forecast),
    ]  # fmt: skip
    if not forecast.whole:
        said.append(tr("What repeats was laid out a few times, and is counted on from there."))
    said += [tr("Not known before the run of {what}", what=each) for each in forecast.unknown]
    return " ".join(said)


def _loaded(forecast: Forecast) -> str:
    loaded, least = size(forecast.loaded), size(forecast.least_loaded)
    if forecast.loaded <= forecast.least_loaded:
        return tr("Loaded: {loaded}, the least that can be.", loaded=loaded)
    return tr("Loaded: {loaded}; no plan loads less than {least}.", loaded=loaded, least=least)


def _times(forecast: Forecast) -> str:
    if not forecast.timed:
        return tr("Widths are equal: seconds are known once it has run here.")
    took = show_seconds(forecast.seconds)
    if forecast.waiting < 0.0005:
        return tr("It takes about {took}, and never waits for weights.", took=took)
    said = tr("It takes about {took}, and waits {waiting} of that for weights", took=took,
              waiting=show_seconds(forecast.waiting))  # fmt: skip
    if not forecast.whole:
        return said + "."
    least = show_seconds(forecast.least_waiting)
    return tr("{said}; no plan waits less than {least}.", said=said, least=least)


def stage_title(stage: ForecastStage, title_of: Titles) -> str:
    """What a stage is called: ``Sample``, ``Sample and 3 more``, ``Sample, 500 calls``."""
    said = title_of(stage.steps[0])
    if len(stage.steps) > 1:
        said = tr("{title} and {n} more", title=said, n=len(stage.steps) - 1)
    if stage.calls != 1:
        said += ", " + counted(stage.calls, "{n} call", "{n} calls")
    return said


def stage_words(forecast: Forecast, number: int, title_of: Titles) -> str:
    """A stage in sentences, for a tool tip and a screen reader."""
    stage = forecast.stages[number]
    said = [
        tr("{title}, stage {n} of {all}.", title=stage_title(stage, title_of), n=number + 1,
           all=len(forecast.stages)),
        tr("{used} in use at the most.", used=size(max(stage.curve))),
    ]  # fmt: skip
    if stage.activation < 0:
        said.append(tr("What it computes in is not known yet."))
    else:
        said.append(tr("It computes in {size}.", size=size(stage.activation)))
    if forecast.timed:
        said.append(tr("It takes about {took}.", took=show_seconds(stage.seconds)))
    for stay in stage.stays:
        words = tr("{name} streams, {size} in all.") if stay.streams else tr("{name} waits there.")
        if stay.used and not stay.streams:
            words = tr("{name} is used, {size}.")
        shown = stay.comes if stay.streams else stay.held
        name = forecast.lanes[stay.lane].name
        said.append(words.replace("{name}", name).replace("{size}", size(shown)))
    return " ".join(said)
