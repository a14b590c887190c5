"""What a studio asks of a host beside jobs: values without computing, pictures, memory back."""

from __future__ import annotations

import msgspec

from backend.engine.client import HostClient
from backend.engine.events import Preview, StepDone
from backend.graph.document import Ref
from tests.backend.engine.host.conftest import Desk, flow, until

PICTURE = flow(
    a=("made", {"size": 48}),
    b=("crop", {"image": Ref("a", "image"), "width": 16, "height": 16}),
)


def test_without_computing_only_what_is_remembered_is_there(fresh: Desk):
    asked = fresh(PICTURE, only=("b",), compute=False)
    assert (asked.status, asked.outputs) == ("done", ())
    assert not any(isinstance(event, StepDone) for event in fresh.events)
    assert fresh(PICTURE, only=("b",)).outputs == (("b", "image", "Image"),)
    again = fresh(PICTURE, only=("b",), compute=False)
    assert again.outputs == (("b", "image", "Image"),)
    value = fresh.client.value(fresh.last, "b", "image")
    assert value.pixels.shape[1:3] == (16, 16)


def test_what_is_wrong_is_told_without_computing_too(fresh: Desk):
    asked = fresh(flow(b=("crop", {})), compute=False)
    assert asked.status == "invalid"
    assert asked.diagnostics


def test_steps_show_their_pictures_where_that_is_wanted_and_from_the_cache_too(fresh: Desk):
    setup = msgspec.structs.replace(fresh.setup, pictures=True)
    with HostClient(setup, standby=False) as client:
        for _ in range(2):
            events = []
            client.run(fresh.job(PICTURE), events.append)
            shown = {e.step: e.jpeg[:2] for e in events if isinstance(e, Preview)}
            assert shown == {"a": b"\xff\xd8", "b": b"\xff\xd8"}
    fresh(PICTURE)
    assert not any(isinstance(event, Preview) for event in fresh.events)


def test_a_host_that_is_renewed_leaves_when_its_job_is_over_and_nothing_is_lost(fresh: Desk):
    fresh(PICTURE)
    client, pid = fresh.client, fresh.client.pid
    client.renew()
    outcome = fresh(PICTURE)
    assert outcome.status == "done"
    until(lambda: client.pid not in (None, pid))
    assert client.is_ready
