"""The identity of steps and results; what goes into it is told in docs/engine.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import blake3

from backend.graph.flat import Step
from backend.graph.spec import NodeSpec
from backend.values import Data, digest, digest_parts

LIST = "list:"
"""First letters of the digest of a list, so that a plan can tell one without its value."""


def static_key(spec: NodeSpec, step: Step, linked: Iterable[str], numerics: str, body: str) -> str:
    """What a step is before its inputs are known: code, parameters, numerics and body.

    Parameters that are fed by a link (``linked``) are left out; their values are inputs.
    """
    left_out = set(linked)
    params = {k: v for k, v in sorted(step.params.items()) if k not in left_out}
    facts = [spec.type, step.version, spec.version, spec.digest, params, step.each, numerics, body]
    return _hash(_write(facts))


def input_key(static: str, parts: Iterable[str]) -> str:
    """The key of a step with its inputs: ``parts`` are ``label=token``, framed by their length."""
    return _hash(static + "".join([f"|{len(part)}:{part}" for part in parts]))


def result_digest(value: Data, check: Callable[[], None] = lambda: None) -> str:
    """The digest of one output; that of a list is made of those of its items. ``check`` is called
    while large values are read, and may raise."""
    if isinstance(value, list):
        return list_digest([result_digest(item, check) for item in value])
    return value_digest(value, check)


def list_digest(items: Iterable[str]) -> str:
    """The digest of a list by the digests of its items."""
    return LIST + digest_parts(items)


def value_digest(value: Data, check: Callable[[], None] = lambda: None) -> str:
    """The digest of a value that is no list. A number stands for itself: it is shorter so."""
    kind = type(value)
    if kind is float:
        return value.hex()  # type: ignore[no-any-return]
    if kind is int or kind is bool:
        return f"{kind.__name__} {value}"
    return digest(value, check)


def _hash(text: str) -> str:
    return blake3.blake3(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no parameter value")


_write = json.JSONEncoder(separators=(",", ":"), default=_plain).encode
