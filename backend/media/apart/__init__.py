"""Strangers' pictures and sounds, decoded in a small process of their own.

The libraries that decode pictures and sounds are large, and a file may be made to harm them. So the
bytes of a file go to a worker that can open no file, write none, and take only so much memory and
time; back come plain numbers. If it dies, the file is refused, and the next one gets a new worker.
"""

from backend.media.apart.decoder import Decoder

__all__ = ["Decoder"]
