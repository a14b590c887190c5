"""What editors of values are given: models that fit, tokens of prompts, names that are known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.labels import label
from app.open_document import OpenDocument
from app.specs.models import WHOLE, ModelRow, chosen
from app.words import tr
from backend.engine.checks.wire import Counted
from backend.graph.document import Graph, Node, Ref, Workflow
from backend.graph.spec import NodeSpec, Param

if TYPE_CHECKING:
    from app.shell.window import Window
    from app.widgets.context import EditorContext, Field, ModelChoice

_PARTS = {
    "denoiser": ("denoiser",), "second": ("denoiser",), "vae": ("vae",),
    "text_encoder": ("text",), "text_encoder_2": ("text",), "text_encoder_3": ("text",),
    "lora": ("lora",), "controlnet": ("controlnet",),
}  # fmt: skip
_WHOLE = {
    "load_vae": (*WHOLE, "vae"), "load_text_encoder": (*WHOLE, "text"),
    "load_language_model": ("folder", "text"),
}  # fmt: skip


class Contexts:
    """Makes the context of each editor from what the services know."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._services = window.services

    def of(self, document: OpenDocument, path: str, param: Param) -> EditorContext:
        """What the editor of a parameter of a node, by its path in the level, is given."""
        from app.widgets.context import EditorContext

        desk = self._window.desk_of(document)
        step = desk.step(path) if desk is not None else None
        seeds = self._services.room.seeds(document)
        return EditorContext(
            self._services.theme,
            label(param.name),
            grant=partial(self._grant, document),
            models=partial(self._models, document, path, param),
            names=partial(self._names, document, path),
            fields=partial(self._fields, document, path),
            tokens=partial(self._tokens, document, path),
            drawn=seeds.get(f"{step}.{param.name}") if step is not None else None,
        )

    def _grant(self, document: OpenDocument, picked: Path) -> str:
        name = self._services.grant(document, picked)
        desk = self._window.desk_of(document)
        if desk is not None:
            desk.checks.set_grants(self._services.grants_of(document))
        return name

    def _models(self, document: OpenDocument, path: str, param: Param) -> tuple[ModelChoice, ...]:
        from app.widgets.context import ModelChoice

        node = self._node(document, path)
        kinds = kinds_of(node.type if node is not None else "", param.name)
        rows = chosen(self._services.models.rows, kinds=kinds)
        here = tuple(_choice(row) for row in rows if not row.problem)
        names = {each.name for each in here}
        needed = (need.name for need in document.workflow.models if need.name not in names)
        # What the document lists is of no known kind: it is told where whole models are picked.
        lacking = needed if kinds[:1] == WHOLE[:1] else ()
        return (*here, *(ModelChoice(name, here=False) for name in lacking))

    def _names(self, document: OpenDocument, path: str) -> Mapping[str, float | None]:
        """What is linked to a node by name, with the numbers that are known before a run."""
        node, desk = self._node(document, path), self._window.desk_of(document)
        if node is None or desk is None:
            return {}
        beside = path.rpartition("/")[0]
        found: dict[str, float | None] = {}
        for name, ref in _named(node):
            known = desk.checks.facts_at(
                document.level, f"{beside}/{ref.node}" if beside else ref.node
            )
            facts = known.get(ref.output)
            value = facts.known.get("value") if facts is not None else None
            found[name] = float(value) if isinstance(value, int | float) else None
        return found

    def _fields(self, document: OpenDocument, path: str) -> Mapping[str, Field]:
        workflow = document.workflow
        found: dict[str, Field] = dict(scalars(workflow, self._services.book.specs))
        now = time.localtime()
        seeds = self._services.room.seeds(document)
        return {
            **found, "node": path.replace("/", "-"),
            "seed": next(iter(seeds.values()), first_seed(workflow, self._services.book.specs)),
            "date": time.strftime("%Y-%m-%d", now), "time": time.strftime("%H-%M-%S", now),
        }  # fmt: skip

    def _tokens(
        self, document: OpenDocument, path: str, text: str, answer: Callable[[str], None]
    ) -> None:
        node, desk = self._node(document, path), self._window.desk_of(document)
        step = desk.step(path) if desk is not None else None
        if node is None or desk is None or step is None or "text_encoder" not in node.inputs:
            answer("")
            return
        plain = node.params.get("syntax") == "plain"
        desk.checks.count(step, text, lambda found: answer(tokens_words(found)), plain=plain)

    def _node(self, document: OpenDocument, path: str) -> Node | None:
        from app.document.level import graph_of, node_at

        try:
            return node_at(graph_of(document.workflow, document.level), path)
        except KeyError:
            return None


def kinds_of(type_: str, name: str) -> tuple[str, ...]:
    """The kinds of models (``Identity.kind``) that a parameter of a node type takes."""
    return _WHOLE.get(type_, WHOLE) if name == "model" else _PARTS.get(name, ())


def tokens_words(counted: Counted) -> str:
    """``19 of 77 tokens`` of the tokenizer that has least room; what is cut off; or why not."""
    if not counted.rows:
        return counted.sentence
    row = max(counted.rows, key=lambda row: row.tokens / max(row.read, 1))
    if row.cut:
        return tr("{n} of {most} tokens; from {cut} on nothing is read", n=row.tokens,
                  most=row.most, cut=f"“{row.cut[:24]}”")  # fmt: skip
    if row.parts > 1:
        return tr("{n} tokens in {parts} parts", n=row.tokens, parts=row.parts)
    return tr("{n} of {most} tokens", n=row.tokens, most=row.most)


def scalars(
    workflow: Workflow, specs: Mapping[str, NodeSpec]
) -> Iterator[tuple[str, str | int | float | bool]]:
    """``NODE.PARAM`` with its value, for every plain parameter of the top graph."""
    for name, node in workflow.graph.nodes.items():
        spec = specs.get(node.type)
        for param in spec.params if spec is not None else ():
            value = node.params.get(param.name, param.default)
            if isinstance(value, str | int | float | bool):
                yield f"{name}.{param.name}", value


def first_seed(workflow: Workflow, specs: Mapping[str, NodeSpec]) -> int:
    """The first fixed seed of the top graph; 0 where there is none."""
    graph: Graph = workflow.graph
    for node in graph.nodes.values():
        spec = specs.get(node.type)
        for param in spec.params if spec is not None else ():
            value = node.params.get(param.name, param.default)
            if param.kind == "seed" and isinstance(value, int):
                return value
    return 0


def _named(node: Node) -> Iterator[tuple[str, Ref]]:
    for feed in node.inputs.values():
        if isinstance(feed, Mapping):
            yield from feed.items()


def _choice(row: ModelRow) -> ModelChoice:
    from app.widgets.context import ModelChoice

    return ModelChoice(
        row.name, row.title, row.kind_words, row.families[0] if row.families else "",
        row.spaces[0][1] if row.spaces else "", row.size,
    )  # fmt: skip
