"""Video files: read frame by frame in a process apart, and written with their sound.

``load`` finds out what a file holds, ``__main__`` is the process that decodes, ``write`` makes
files. A video that was loaded stays where it is; see ``docs/video.md``.
"""
