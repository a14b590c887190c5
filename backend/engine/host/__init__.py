"""The process that computes for others; a client starts ``python -P -m backend.engine.host``."""
