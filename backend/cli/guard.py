"""The outermost layer of the command: nothing gets past it but a sentence and an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from backend.cli.errors import CANCELLED, DONE, FAILED, USAGE, Stop
from backend.cli.signals import Interrupted, raise_interrupts
from backend.cli.streams import Output, flushed, silence, soften, tell


def guarded(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit status; no exception leaves this function."""
    soften()
    # Weft never goes to the network by itself; the libraries read these when they are imported.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    try:
        raise_interrupts()
        status = _run(arguments)
    except BrokenPipeError:
        silence(sys.stdout)
        return DONE
    except Interrupted:
        return CANCELLED
    except Exception as error:
        # The log says the rest; an unexpected error is Weft's fault and not the reader's puzzle.
        trace = "".join(traceback.format_exception(error))
        tell(_apology(error, write_log(f"weft {' '.join(arguments)}\n{trace}")))
        return FAILED
    return status if flushed(sys.stdout) else DONE


def _run(arguments: Sequence[str]) -> int:
    from backend.cli.app import app

    try:
        _refuse_no_place()
        app(args=list(arguments), prog_name="weft")
    except Stop as stop:
        return _stopped(stop, arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else DONE
    except Exception as error:
        from backend.settings import SettingError

        if not isinstance(error, SettingError):
            raise
        return _stopped(Stop(str(error), USAGE), arguments)
    return DONE


def _stopped(stop: Stop, arguments: Sequence[str]) -> int:
    Output("--json" in arguments).stop(stop)
    return stop.status


def _refuse_no_place() -> None:
    """Refuse to begin in a folder that has been removed: no relative path means anything there,
    and some libraries end the process."""
    try:
        os.getcwd()
    except OSError:
        said = "The current folder is not there any more. Change to another, and try again."
        raise Stop(said, USAGE) from None


def _apology(error: Exception, log: Path | None) -> str:
    what = f"Weft itself went wrong ({type(error).__name__}); this is a fault of the program."
    if log is None:
        return f"{what} No log could be written."
    return f"{what} The details are in {log}; please send them along when you report it."


def write_log(text: str) -> Path | None:
    """Write what a person need not read to the log; None if that cannot be."""
    from backend.logs import Log
    from backend.settings import SettingError, Settings, load, log_folder

    try:
        settings = load().settings
    except SettingError:  # what is wrong with them may be the very thing that is to be logged
        settings = Settings()
    try:
        folder = log_folder(settings)
    except SettingError:
        return None
    return Log(folder, settings.logs.size, settings.logs.keep).write(text)
