"""The one place where the libraries are told to keep silent: no warnings, no bars, no notes.

What matters to a person comes as a sentence; the rest would run into the lines of a command.
"""

from __future__ import annotations

import logging
import warnings

from backend.models.loading import stay_offline

LIBRARIES = (
    "accelerate", "diffusers", "ftfy", "huggingface_hub", "torch", "torchsde", "transformers",
)  # fmt: skip


def hush() -> None:
    """Import diffusers and transformers, offline, and silence them for this process."""
    stay_offline()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import diffusers
        import transformers

    diffusers.utils.logging.set_verbosity(logging.CRITICAL)
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity(logging.CRITICAL)
    transformers.utils.logging.disable_progress_bar()
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module=rf"{library}(\..*)?$")
