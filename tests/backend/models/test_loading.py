from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.diffusion.sample import sample
from backend.models.family import families, references
from backend.models.flux import FAMILY
from backend.models.loading import load_tokenizer, stay_offline
from backend.models.store import Store
from backend.values import Guider, Latent, Noise, Schedule, Solver, Term, digest
from tests.backend.models import tiny_chroma, tiny_sana

SCRIPT = """
import socket, sys
def refuse(*arguments, **options):
    raise AssertionError("the network was touched")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
import torch
torch.set_num_threads(1)
from pathlib import Path
from tests.backend.models.test_loading import picture_digest
print(picture_digest(Path(sys.argv[1])))
"""


def picture_digest(folder: Path) -> str:
    """Digest of the picture of a short run, everything freshly loaded."""
    found = references(read_folder(folder), FAMILY)
    store = Store(families(), 2**30)

    def load(weights: object) -> object:
        return store.get(weights, "cpu")

    text = FAMILY.encode_text(found.text, ["a red circle"], {}, load, "cpu")
    guider = Guider("none", {}, found.model, (Term("positive", text),))
    result = sample(
        FAMILY.denoiser(found.model, load, "cpu"), guider, Solver("euler"),
        Schedule("native", steps=3), Noise("gaussian", seed=1),
        Latent(np.zeros((2, 4, 8, 12)), found.vae.space),
    )  # fmt: skip
    return digest(FAMILY.decode_latent(found.vae, result, load, "cpu"))


def test_another_process_without_network_gives_the_same_bits(flux_folder: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(flux_folder)],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert run.stdout.strip() == picture_digest(flux_folder)
    assert run.stderr == ""


QUIET = """
import sys
from pathlib import Path
from nodes.conditioning import encode_text
from nodes.latents import empty_latent
from nodes.loaders import load_model
from nodes.sampling import sample
from tests.nodes.fake_device import FakeDevice

ctx = FakeDevice({name: Path(sys.argv[1]) / name for name in ("sana", "chroma")})
for name in ("sana", "chroma"):
    model = load_model(ctx, name)
    text = encode_text(ctx, model.text_encoder, "a long text " * 40)
    sample(ctx, model.model, text, empty_latent(ctx, model.model, 32, 32), steps=1)
"""


def test_the_libraries_say_nothing_on_the_streams(tmp_path: Path) -> None:
    """Sana's tokenizer complains about its long instruction, Chroma's positions about their age."""
    tiny_sana.write(tmp_path / "sana")
    tiny_chroma.write(tmp_path / "chroma")
    command = [sys.executable, "-c", QUIET, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_offline_is_the_default_and_the_users_word_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    stay_offline()
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    stay_offline()
    assert os.environ["HF_HUB_OFFLINE"] == "0"


def test_a_broken_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{broken")
    with pytest.raises(CatalogError, match=r"tokenizer in .* cannot be read"):
        load_tokenizer("CLIPTokenizer", tmp_path)
