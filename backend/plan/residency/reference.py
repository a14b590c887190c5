"""What others do, run by the same judge: least recently used, and loading anew for every prompt."""

from __future__ import annotations

from collections import OrderedDict

from backend.plan.residency.machine import Machine


class _Recent:
    """Keeps pieces by their last use, on the device and on the host."""

    def __init__(self, machine: Machine) -> None:
        course = machine.course
        self.machine = machine
        self.device: OrderedDict[int, None] = OrderedDict.fromkeys(course.on_device)
        self.host: OrderedDict[int, None] = OrderedDict.fromkeys(course.on_host)

    def room_on_device(self, more: int, activation: int, spare: tuple[int, ...]) -> None:
        """Evict until so many bytes more fit, but nothing that is to be spared."""
        machine = self.machine
        for p in list(self.device):
            if machine.held + more + activation <= machine.budget.device:
                return
            if p not in spare:
                del self.device[p]
                machine.evict(p)

    def fetch(self, p: int) -> None:
        """Bring a piece to the device, where there is room."""
        machine, course = self.machine, self.machine.course
        if p not in self.host:
            for q in list(self.host):
                if machine.host_held + course.host[p] <= machine.host_room:
                    break
                del self.host[q]
                machine.drop(q)
            machine.read(p)
        self.host[p] = None
        self.host.move_to_end(p)
        machine.copy(p)
        self.device[p] = None

    def demand(self, wanted: tuple[int, ...], activation: int) -> None:
        """Load what the next touch needs and is not there, after the least recent has gone."""
        course = self.machine.course
        missing = [p for p in wanted if p not in self.device]
        self.room_on_device(sum(course.nbytes[p] for p in missing), activation, wanted)
        for p in missing:
            self.fetch(p)
        for p in wanted:
            self.device.move_to_end(p)


def least_recent(machine: Machine) -> None:
    """Load when a piece is needed, evict what was used longest ago, on the device and on the
    host."""
    course, recent = machine.course, _Recent(machine)
    for i in range(1, course.size + 1):
        machine.sync()
        recent.demand(course.sets[i], course.activation[i])
        machine.use()


def least_recent_ahead(machine: Machine) -> None:
    """Least recently used, but while a touch computes the next one's pieces are loaded, if they fit
    beside what it uses."""
    course, recent = machine.course, _Recent(machine)
    for i in range(1, course.size + 1):
        wanted = course.sets[i]
        if any(p not in recent.device for p in wanted):
            machine.sync()
        recent.demand(wanted, course.activation[i])
        machine.use()
        if i < course.size:
            here = set(course.sets[i])
            ahead = course.sets[i + 1]
            more = sum(course.nbytes[p] for p in ahead if p not in recent.device)
            most = max(course.activation[i], course.activation[i + 1])
            if more and course.needed[i] + more + most <= machine.budget.device:
                recent.room_on_device(more, most, (*here, *ahead))
                if machine.held + more + most <= machine.budget.device:
                    for p in ahead:
                        if p not in recent.device:
                            recent.fetch(p)


def load_per_prompt(machine: Machine) -> None:
    """Forget everything when another prompt begins; within one, least recently used."""
    course, recent = machine.course, _Recent(machine)
    for i in range(1, course.size + 1):
        machine.sync()
        if course.jobs[i] != course.jobs[i - 1]:
            for p in list(recent.device):
                machine.evict(p)
            for p in list(recent.host):
                machine.drop(p)
            recent.device.clear()
            recent.host.clear()
        recent.demand(course.sets[i], course.activation[i])
        machine.use()
