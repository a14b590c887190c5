"""The life of a process of checks: one order after the other, each with one answer."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from queue import SimpleQueue

import msgspec

from backend.engine.checks.desk import Desk
from backend.engine.checks.forecast import Forecaster
from backend.engine.checks.tokens import Counter
from backend.engine.checks.wire import (
    Answer,
    AskForecast,
    Begin,
    CheckDocument,
    Counted,
    CountTokens,
    Done,
    Forecast,
    Forget,
    Order,
    Told,
    Types,
    decode_order,
    encode,
)
from backend.engine.client.pipes import Broken, Sender, frames
from backend.engine.host.guard import leave
from backend.engine.packs import load_trusted
from backend.engine.registry import NodeRegistry, scan_nodes


def serve(orders: int, answers: int) -> None:
    """Serve one client until it is gone; then the process ends at once."""
    sender = Sender(answers)
    waiting: SimpleQueue[Order] = SimpleQueue()
    threading.Thread(target=_listen, args=(orders, waiting), daemon=True).start()
    first = waiting.get()
    if not isinstance(first, Begin):
        raise Broken(f"the first message is a {type(first).__name__}")
    registry, types = node_types(first)
    sender.send(encode(types))
    # What was imported stays: looking through it again and again would double the time of a check.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    desk, counter, forecaster = Desk(registry), Counter(), Forecaster(registry)
    while True:
        sender.send(encode(answer(desk, counter, forecaster, waiting.get())))


def answer(desk: Desk, counter: Counter, forecaster: Forecaster, order: Order) -> Answer:
    """The answer to an order."""
    try:
        if isinstance(order, CheckDocument):
            return desk.check(order)
        if isinstance(order, CountTokens):
            return counter.count(desk, order)
        if isinstance(order, AskForecast):
            return forecaster.ask(desk, order)
        if isinstance(order, Forget):
            desk.forget(order.document)
            forecaster.forget(order.document)
        return Done()
    except Exception as error:  # a fault of Weft itself must not end what serves all documents
        wrong = f"Weft itself went wrong while it checked ({type(error).__name__}: {error})."
        if isinstance(order, CountTokens):
            return Counted(sentence=wrong)
        if isinstance(order, AskForecast):
            return Forecast(wrong=wrong)
        if isinstance(order, CheckDocument):
            desk.forget(order.document)
        return Told(wrong=wrong)


def node_types(begin: Begin) -> tuple[NodeRegistry, Types]:
    """The node types at hand, and what the client is told of them."""
    packs, problems = load_trusted(Path(begin.data_folder)) if begin.data_folder else ([], [])
    registry = scan_nodes(packs=packs)
    kinds = [registry.type(name) for name in registry.specs]
    errors = [*registry.errors]
    for folder in begin.nodes:
        more = scan_nodes(Path(folder))
        kinds += [more.type(name) for name in more.specs if name not in registry.specs]
        errors += more.errors
    if begin.nodes:
        registry = NodeRegistry(kinds, errors)
    said = (*problems, *(error.sentence for error in errors))
    return registry, Types(dict(registry.specs), said)


def _listen(fd: int, waiting: SimpleQueue[Order]) -> None:
    """Take orders until the client is gone. Runs on a thread of its own, so that a node file that
    loops for ever outlives nobody."""
    try:
        with os.fdopen(fd, "rb") as file:
            for body in frames(file):
                waiting.put(decode_order(body))
    except (Broken, msgspec.MsgspecError, OSError):
        pass
    leave()
