"""Results that outlive the process: the disk cache, and the cache that has memory before it."""

from backend.engine.disk.cache import DiskCache
from backend.engine.disk.layered import RESULTS, LayeredCache, make_cache

__all__ = ["RESULTS", "DiskCache", "LayeredCache", "make_cache"]
