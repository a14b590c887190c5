"""What a host sees of the place where its client was started, and how it ends with that."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backend.engine.host.conftest import Desk, alive, flow, harm, until

ROOT = Path(__file__).parents[4]

CLIENT = """
import json, os, sys
from pathlib import Path
from backend.engine.client import HostClient
from backend.engine.wire import RunJob, Setup
given = json.loads(Path({given!r}).read_text())
client = HostClient(Setup(given["cache"], nodes=(given["nodes"],), warm=False), standby=False)
def tell(event):
    if type(event).__name__ == "StepStarted":
        Path(given["pid"]).write_text(str(client.pid))
with client:
    job = RunJob("job", given["workflow"], given["base"], (), given["base"] + "/out")
    outcome = client.run(job, tell)
    values = [client.value("job", step, name) for step, name, kind in outcome.outputs]
Path(given["answer"]).write_text(json.dumps([outcome.status, repr(outcome.crash), values]))
"""


class Elsewhere:
    """A client in a process of its own, started in a hostile folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.here = folder / "here"
        (self.here / "backend").mkdir(parents=True)
        for name in (
            "numpy.py",
            "msgspec.py",
            "torch.py",
            "backend/__init__.py",
            "sitecustomize.py",
        ):
            (self.here / name).write_text(f"raise SystemExit('{name} was imported')\n")
        self.desk = Desk(folder)
        self.answer, self.pid = folder / "answer", folder / "pid"

    def start(self, workflow: str, **options) -> subprocess.Popen:
        given = self.folder / "given.json"
        told = {
            "cache": str(self.folder / "cache"), "nodes": str(self.desk.nodes),
            "workflow": workflow, "base": str(self.folder), "answer": str(self.answer),
            "pid": str(self.pid),
        }  # fmt: skip
        given.write_text(json.dumps(told))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
        # The client itself is safe; its host must be so by its own means.
        script = f"import os; os.environ['PYTHONPATH'] = os.pathsep + {str(ROOT)!r}\n" + (
            "del os.environ['PYTHONSAFEPATH']\n" + CLIENT.format(given=str(given))
        )
        command = [sys.executable, "-c", script]
        return subprocess.Popen(command, cwd=self.here, env=environment, **options)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path)


def test_nothing_beside_the_workflow_is_imported(elsewhere):
    assert elsewhere.start(flow(look=("surroundings", {}))).wait(60) == 0
    status, _, values = json.loads(elsewhere.answer.read_text())
    assert status == "done"
    seen = ast.literal_eval(values[0])
    assert str(elsewhere.here) not in seen["path"]
    assert "" not in seen["path"]
    assert Path(seen["cwd"]) == Path(seen["cwd"]).anchor or seen["cwd"] == "/"
    assert Path(seen["backend"]).parent == ROOT / "backend"
    assert "site-packages" in seen["numpy"]
    assert seen["offline"] == "1"


@pytest.mark.skipif(sys.platform == "win32", reason="closes descriptors by their numbers")
def test_a_client_without_standard_streams_can_run_jobs(elsewhere):
    process = elsewhere.start(
        flow(look=("surroundings", {})), preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)]
    )
    assert process.wait(60) == 0
    assert json.loads(elsewhere.answer.read_text())[0] == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot end a stuck process so")
@pytest.mark.parametrize("how", ["wait", "stuck"])
def test_a_host_dies_with_its_client(elsewhere, how):
    process = elsewhere.start(harm(how))
    until(lambda: elsewhere.pid.exists() and elsewhere.pid.read_text() != "")
    host = int(elsewhere.pid.read_text())
    assert alive(host)
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(lambda: not alive(host), 1.0)
