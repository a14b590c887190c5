"""The jobs that are known, as their cards show them, and what has changed about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.run.desk import Listing
from app.run.state import JobView
from app.run.words import view_of
from app.words import tr

if TYPE_CHECKING:
    from backend.engine.queue.job import Job

ALIVE = ("queued", "running", "paused")


@dataclass(slots=True)
class News:
    """What a new listing of the queue brings. ``moved``: jobs came, went, or changed places, or
    the queue was paused or resumed. ``died`` are jobs with a sentence on the end of their host."""

    changed: list[JobView] = field(default_factory=list)
    ended: list[JobView] = field(default_factory=list)
    died: list[tuple[int, str]] = field(default_factory=list)
    moved: bool = False


class Book:
    """All jobs of the last listing."""

    def __init__(self) -> None:
        self.listing = Listing()
        self.views: dict[int, JobView] = {}
        self._crashes: dict[int, int] | None = None
        self._latest = 0.0

    def begun(self, job: Job, document: str) -> JobView:
        """A job begins in this program; the listing comes a little later."""
        view = self.views[job.id] = view_of(job, document=document, mine=True)
        return view

    def jobs_of(self, document: str) -> list[int]:
        """Those of a document that run or wait."""
        views = self.views.values()
        return [j.id for j in views if j.document == document and j.status in ALIVE]

    def turn(
        self,
        listing: Listing,
        documents: Mapping[int, str],
        running: int,
        lively: Callable[[JobView], JobView],
    ) -> News:
        """Take in a listing.

        Args:
            listing: The queue as it is now.
            documents: The document that a job is of, where that is known.
            running: The job that runs in this program; 0 for none.
            lively: Adds what only this program knows of a job.
        """
        waiting = [job for job in listing.jobs if job.state == "queued" and not job.paused]
        place = {job.id: number for number, job in enumerate(waiting, 1)}
        before, self.views = self.views, {}
        for job, ending in (*((job, None) for job in listing.jobs), *listing.ended):
            view = view_of(
                job, ending, place.get(job.id, 0), documents.get(job.id, ""), job.id == running
            )
            self.views[job.id] = lively(view)
        paused = self.listing.paused != listing.paused or self.listing.trouble != listing.trouble
        self.listing = listing
        news = News(moved=paused or list(before) != list(self.views))
        for number, view in self.views.items():
            was = before.get(number)
            if was != view:
                news.changed.append(view)
                new = was.status in ALIVE if was is not None else view.ended > self._latest
                if view.status not in ALIVE and new:
                    news.ended.append(view)
        if self._crashes is None:  # what ended before this program looked is no news
            news.ended.clear()
        self._latest = max([self._latest, *(view.ended for view in self.views.values())])
        news.died = self._died(listing)
        return news

    def _died(self, listing: Listing) -> list[tuple[int, str]]:
        jobs = (*listing.jobs, *(job for job, _ in listing.ended))
        known, self._crashes = self._crashes, {job.id: len(job.crashes) for job in jobs}
        if known is None:
            return []
        return [(job.id, _on_death(job)) for job in jobs if len(job.crashes) > known.get(job.id, 0)]


def _on_death(job: Job) -> str:
    said = tr("{cause} Finished steps are kept.", cause=job.crashes[-1].cause)
    again = tr("Job {n} begins again.", n=job.id)
    return f"{said} {again}" if job.state in ALIVE else said
