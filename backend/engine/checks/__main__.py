"""``python -P -m backend.engine.checks ORDERS ANSWERS TRACE PARENT`` serves one client.

The first three are inherited descriptors (on Windows handles), the last is the client's number.
"""

from __future__ import annotations

import sys

from backend.engine.host.guard import open_ends, protect


def main(arguments: list[str]) -> None:
    """Serve until the client is gone."""
    orders, answers, trace = open_ends([int(each) for each in arguments[:3]])
    protect(trace, int(arguments[3]))
    from backend.engine.checks.serve import serve

    serve(orders, answers)


if __name__ == "__main__":
    main(sys.argv[1:])
