"""Pictures of the main states of the studio: ``python -m app.screenshots OUT``."""
