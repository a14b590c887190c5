"""The node types at hand: found by importing every file in ``nodes/``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import blake3

import backend
from backend.engine.packs import Pack, import_files
from backend.graph.facts import Facts
from backend.graph.spec import NodeSpec, Socket
from backend.graph.types import is_generic
from backend.plan.params import namespace
from backend.sdk import NodeType

NODES = Path(backend.__file__).resolve().parent.parent / "nodes"


@dataclass(frozen=True, slots=True)
class NodeFileError:
    """A node file that could not be used, and why."""

    file: str
    sentence: str


class NodeRegistry:
    """Node types by their id. Nothing changes after it was made."""

    def __init__(
        self, types: Iterable[NodeType] = (), errors: Iterable[NodeFileError] = ()
    ) -> None:
        """``types`` as declared; each gets its hooks named in its spec.

        Raises:
            ValueError: two node types have the same id.
        """
        held: dict[str, NodeType] = {}
        specs: dict[str, NodeSpec] = {}
        for kind in types:
            if kind.spec.type in held:
                raise ValueError(f"two node types are called {kind.spec.type!r}")
            held[kind.spec.type] = kind
            specs[kind.spec.type] = replace(kind.spec, hooks=tuple(sorted(kind.hooks)))
        self._types = held
        self._specs = MappingProxyType(specs)
        self.errors = tuple(errors)

    @property
    def specs(self) -> Mapping[str, NodeSpec]:
        """Every node type by its id."""
        return self._specs

    def type(self, name: str) -> NodeType:
        """The node type of an id.

        Raises:
            KeyError: there is none.
        """
        return self._types[name]

    def hook(self, type_name: str, name: str) -> Callable[..., Any] | None:
        """A hook of a node type: ``facts``, ``peak``, ``needs`` or ``fingerprint``."""
        return self._types[type_name].hooks.get(name)

    def needs(self, type_name: str, params: Mapping[str, Any]) -> frozenset[str]:
        """What a lazy node asks for first; whatever its hook raises passes."""
        hook = self._types[type_name].hooks["needs"]
        return frozenset(hook(namespace(self._specs[type_name], params), {}))

    def facts(
        self, type_name: str, params: Mapping[str, Any], inputs: Mapping[str, Any], lookup: Any
    ) -> Mapping[str, Facts]:
        """The facts of a node's outputs by name; what its hook does not say is not known.

        A parameter that is fed by a link and not known is left out of ``params`` and comes to the
        hook as ``None``. Whatever the hook raises (a ``UserError`` for a wrong parameter) passes.
        """
        spec = self._specs[type_name]
        hook = self._types[type_name].hooks.get("facts")
        told: Any = None
        if hook is not None:
            given = {s.name: inputs.get(s.name, _nothing(s)) for s in spec.inputs}
            told = hook(namespace(spec, params, lookup=lookup), **given)
        if isinstance(told, Facts):
            told = {spec.outputs[0].name: told} if spec.outputs else {}
        by_name: Mapping[str, Facts] = told or {}
        return {s.name: by_name.get(s.name) or _plain(s, spec, inputs) for s in spec.outputs}

    def migrate(
        self, type_name: str, version: int, params: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[int, Mapping[str, Any], Mapping[str, Any]]:
        """Lift an older node's parameters and inputs step by step to the present version.

        A version without a migration (or a newer one) is returned as it is.
        """
        kind = self._types[type_name]
        while version < kind.spec.version and version in kind.migrations:
            params, inputs = kind.migrations[version](params, inputs)
            version += 1
        return version, params, inputs


def scan_nodes(folder: Path = NODES, packs: Sequence[Pack] = ()) -> NodeRegistry:
    """Import every file in a folder of nodes; a file that fails is told in ``errors``.

    The digest of the declaring file stands in each spec, so that results are not mistaken for
    those of other code. The folder is a package that can be imported by its name. The types of
    ``packs``, which must be trusted, carry the pack's name in front and its hash as digest.
    """
    types: dict[str, NodeType] = {}
    errors: list[NodeFileError] = []
    for file in sorted(folder.glob("*.py")):
        if file.stem == "__init__":
            continue
        try:
            module = _import(folder, file)
        except (Exception, SystemExit) as error:
            cause = f"{type(error).__name__}: {error}"
            errors.append(NodeFileError(file.name, f"{file.name} cannot be used. {cause}"))
            continue
        digest = "blake3:" + blake3.blake3(file.read_bytes()).hexdigest()
        for kind in _declared(module):
            if kind.spec.type in types:
                sentence = (
                    f"{file.name} declares {kind.spec.type!r}, which another file declares too. "
                    "Rename one of the functions."
                )
                errors.append(NodeFileError(file.name, sentence))
                continue
            kind.spec = replace(kind.spec, digest=digest)
            types[kind.spec.type] = kind
    for pack in packs:
        _add_pack(pack, types, errors)
    return NodeRegistry(types.values(), errors)


def _is_own(pack: Pack, module: str) -> bool:
    return pack.kind == "folder" and module.partition(".")[0] == pack.name


def _add_pack(pack: Pack, types: dict[str, NodeType], errors: list[NodeFileError]) -> None:
    for name, module in import_files(pack):
        file = f"{pack.name}/{name}"
        if not isinstance(module, ModuleType):
            cause = f"{type(module).__name__}: {module}"
            if isinstance(module, ModuleNotFoundError) and _is_own(pack, module.name or ""):
                cause += (
                    ". A pack in a folder names its own files with a dot in front, as in: from .x"
                )
            errors.append(NodeFileError(file, f"{file} cannot be used. {cause}"))
            continue
        for kind in _declared(module):
            full = f"{pack.name}.{kind.spec.type.rpartition('.')[2]}"
            if full in types and types[full] is not kind:
                sentence = f"{file} declares {full!r}, which another file of the pack declares too."
                errors.append(NodeFileError(file, sentence))
                continue
            kind.spec = replace(kind.spec, type=full, digest=pack.hash)
            types[full] = kind


def _nothing(socket: Socket) -> Any:
    return {"many": (), "named": {}}.get(socket.arity)


def _plain(output: Socket, spec: NodeSpec, inputs: Mapping[str, Any]) -> Facts:
    """What the types alone say: a generic output is of the type that its input has."""
    kind = output.type
    if is_generic(kind):
        linked = (_one(inputs[s.name]) for s in spec.inputs if s.type == kind and s.name in inputs)
        kind = next((facts.type for facts in linked if facts is not None), kind)
    facts = Facts(kind)
    return facts.listed() if output.arity == "list" else facts


def _one(given: Any) -> Facts | None:
    if isinstance(given, Facts):
        return given
    row = given.values() if isinstance(given, Mapping) else given or ()
    return next(iter(row), None)


def _declared(module: ModuleType) -> list[NodeType]:
    held = vars(module).values()
    return [v for v in held if isinstance(v, NodeType) and v.__module__ == module.__name__]


def _import(folder: Path, file: Path) -> ModuleType:
    """The module of a node file: of the package ``nodes``, or of a folder that lies elsewhere."""
    if folder == NODES:
        return importlib.import_module(f"nodes.{file.stem}")
    name = f"nodes_{blake3.blake3(str(folder).encode()).hexdigest(8)}.{file.stem}"
    found = importlib.util.spec_from_file_location(name, file)
    if found is None or found.loader is None:
        raise ImportError(f"{file.name} is no Python file")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
