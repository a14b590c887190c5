"""One kind of schedule per module; each defines a ``ScheduleKind`` and is found by a scan."""
