"""What all tests share: Hypothesis without a stopwatch, for machines that are busy."""

from hypothesis import settings

settings.register_profile("weft", deadline=None)
settings.load_profile("weft")
