"""Jobs as cards: what they are called, where they stand, what can be done with them."""

from __future__ import annotations

from collections.abc import Mapping

from app.run.state import JobView
from app.run.words import seeds_in_words
from app.widgets.card import Act, Card
from app.words import tr


def job_card(job: JobView) -> Card:
    """The card of a job."""
    title = job_title(job.id, job.seeds)
    sentence = job.error or job.sentence
    spoken = ". ".join(part for part in (title, job.title, sentence) if part)
    running = job.status == "running"
    icon, token = _ICONS[job.status]
    mark, mark_token = ("check", "success") if job.status == "done" else ("", "weak")
    return Card(
        key=str(job.id), title=title, sentence=sentence, icon=icon, token=token,
        sentence_token="text" if running else "weak", picture=job.picture, framed=True,
        progress=job.progress if running else -1.0, outlined=running,
        movable=job.status in ("queued", "paused"), act=_act(job), mark=mark, mark_token=mark_token,
        tip="\n".join(part for part in (job.title, job.error) if part), spoken=spoken,
    )  # fmt: skip


_ICONS = {
    "running": ("loader", "accent"), "queued": ("clock", "weak"), "paused": ("pause", "weak"),
    "done": ("check", "success"), "failed": ("circle-alert", "danger"),
    "cancelled": ("circle-x", "weak"),
}  # fmt: skip


def job_title(number: int, seeds: Mapping[str, int]) -> str:
    """``Job 12 · seed 4127``: the seed where there is one, else how many."""
    title = tr("Job {n}", n=number)
    return " · ".join(part for part in (title, seeds_in_words(seeds)) if part)


def _act(job: JobView) -> Act | None:
    if job.status == "running":
        return Act(tr("Cancel"), "square")
    if job.status == "queued":
        return Act(tr("Take out"), "x")
    if job.status == "paused":
        return Act(tr("Resume"), "play")
    if job.status in ("failed", "cancelled"):
        return Act(tr("Run again"), "rotate-ccw")
    return None
