"""One solver per module; each defines a ``SolverKind`` and is found by a scan."""
