"""Composition of several conditionings: all of them (AND), without one (NOT)."""

from __future__ import annotations

from backend.diffusion.errors import DiffusionError
from backend.diffusion.guide import Call, GuidanceKind
from backend.diffusion.paths import Estimate


def apply(call: Call) -> Estimate:
    """``base + sum_i w_i (term_i - base)``: conjunction, and negation where ``w_i < 0``.

    arXiv:2206.01714, conjunction and negation. The terms of role ``positive`` carry their own
    weights; the ``negative`` one is the base. N terms cost N + 1 evaluations in one batch; a
    single term is CFG with its weight as the scale.

    Raises:
        DiffusionError: there is no term besides the base.
    """
    base_term = call.role("negative")
    terms = [term for term in call.terms if term.role == "positive"]
    if not terms:
        raise DiffusionError("A composition needs at least one conditioning. Connect one.")
    *predictions, base = call.predict([*terms, base_term])
    guided = base
    for term, prediction in zip(terms, predictions, strict=True):
        guided = guided + term.weight * (prediction - base)
    return call.split(guided)


COMPOSE = GuidanceKind("compose", "Composition", apply, branches=lambda terms: terms, rank=60)
