"""Changes of good inputs into bad ones, each decided by one random generator."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 2**64, -(2**63), 10**40, 1e308, -1e308, 0.1, "", "x" * 5000,
    "../../etc/passwd", "/etc/passwd", "\\\\host\\share\\x.png", "//host/share/x", "~",
    "file:///etc",
    "\0", "\ud800", "💥" * 50, "{counter}", "{" * 50, "((((a:9))))", "[a:b:0.4]", "(a+)+$",
    "2**2**99",
    "subgraph:a", "a.b", "a/b.c", "$.x", "nan", "random", [], {}, [[]], [[[[[[[[1]]]]]]]],
    {"a": {}},
    [0] * 2000, "con.png", "NaN", "secret.png", "../secret.png",
)  # fmt: skip


def mutate_bytes(random: random.Random, data: bytes) -> bytes:
    """Between one and eight changes: bits, bytes, numbers of four bytes, pieces cut or repeated."""
    held = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        if not held:
            return bytes(held)
        at = random.randrange(len(held))
        kind = random.randrange(7)
        if kind == 0:
            held[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            held[at] = random.randrange(256)
        elif kind == 2:
            held[at : at + 4] = random.choice(
                (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\1\0\0\0")
            )
        elif kind == 3:
            del held[at : at + random.randint(1, 64)]
        elif kind == 4:
            piece = held[at : at + random.randint(1, 256)]
            held[at:at] = piece * random.randint(1, 4)
        elif kind == 5:
            del held[at:]
        else:
            held[at:at] = random.randbytes(random.randint(1, 32))
    return bytes(held)


def mutate_document(random: random.Random, document: dict[str, Any], types: list[str]) -> bytes:
    """A workflow with some of its values, keys, nodes and links changed; often still sound."""
    tree = copy.deepcopy(document)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 6))):
        _change(random, tree, types)
    text = json.dumps(tree, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    return mutate_bytes(random, text) if random.random() < 0.15 else text


def _change(random: random.Random, tree: Any, types: list[str]) -> None:
    places = list(_places(tree))
    if random.random() < 0.7:  # values break less than what a document is made of
        held = [h[k] for h, k in places if k == "params" and isinstance(h[k], dict)]
        places = [(params, name) for params in held for name in params] or places
    if not places:
        return
    holder, key = random.choice(places)
    kind = random.randrange(7)
    if kind == 0 and key == "type":
        holder[key] = random.choice(types)
    elif kind <= 2:
        holder[key] = copy.deepcopy(random.choice(HOSTILE))
    elif kind == 3:
        del holder[key]
    elif kind == 4:
        source, other = random.choice(places)
        holder[key] = copy.deepcopy(source[other])
    elif kind == 5 and isinstance(holder, dict):
        holder[str(random.choice(HOSTILE))[:40]] = holder[key]
    elif isinstance(tree.get("nodes"), dict) and tree["nodes"]:
        nodes = tree["nodes"]
        nodes[f"n{random.randrange(9)}"] = copy.deepcopy(random.choice(list(nodes.values())))


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    todo = [tree]
    while todo and len(found) < 5000:
        held = todo.pop()
        pairs = held.items() if isinstance(held, dict) else enumerate(held)
        for key, value in pairs:
            found.append((held, key))
            if isinstance(value, dict | list):
                todo.append(value)
    return found
