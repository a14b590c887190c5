"""One kind of guidance per module; each defines a ``GuidanceKind`` and is found by a scan."""
