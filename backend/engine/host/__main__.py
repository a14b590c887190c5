"""``python -P -m backend.engine.host ORDERS REPORTS TRACE PARENT`` serves one client.

The first three are inherited descriptors (on Windows handles), the last is the client's number.
"""

from __future__ import annotations

import sys

from backend.engine.host.guard import open_ends, protect


def main(arguments: list[str]) -> None:
    """Serve until the client says so or is gone."""
    orders, reports, trace = open_ends([int(each) for each in arguments[:3]])
    protect(trace, int(arguments[3]))
    # The rest takes half a second to import, in which the client may die already.
    from backend.engine.host.serve import serve

    serve(orders, reports)


if __name__ == "__main__":
    main(sys.argv[1:])
