"""What would serve in place of a model that is missing."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from backend.catalog.identity import Found, Identity
from backend.catalog.index import Entry
from backend.catalog.suggest import MOST, Wish, missing, suggest


def entry(name: str, kind: str, *families: str, latent: str = "", **more: str) -> Entry:
    parts = tuple(Found(part, part, "pack", "form") for part in more.pop("parts", "").split())
    spaces = MappingProxyType({"latent": latent} if latent else {})
    identity = Identity(kind, name, families[0] if len(families) == 1 else "", families,
                        spaces=spaces, parts=parts)  # fmt: skip
    path = Path("/models") / name
    return Entry(path, Path("/models"), name, "1:1", 1, (path.name,), identity=identity, **more)


HERE = [
    entry("unet/flux1-dev-Q4_K.gguf", "denoiser", "flux", latent="flux1"),
    entry("unet/flux1-schnell.safetensors", "denoiser", "flux", content="blake3:5c"),
    entry("checkpoints/juggernaut-xl.safetensors", "checkpoint", "sdxl", latent="sdxl",
          parts="denoiser vae text"),
    entry("vae/ae.safetensors", "vae", "flux", "z_image", "sd3"),
    entry("vae/sdxl_vae.safetensors", "vae", "sdxl", latent="sdxl", sha256="ab" * 32),
    entry("loras/pixel-art-xl.safetensors", "lora", "sdxl"),
    entry("folders/strange", "folder"),
    entry("loras/cut.safetensors", "lora", "sdxl", problem="cut short"),
]  # fmt: skip


def names(wish: Wish) -> list[str]:
    return [each.entry.name for each in suggest(wish, HERE)]


def test_a_missing_model_is_replaced_by_its_nearest_kin() -> None:
    wish = Wish(name="flux1-dev-fp8.safetensors", family="flux", kind="model")
    assert names(wish) == ["unet/flux1-dev-Q4_K.gguf", "unet/flux1-schnell.safetensors"]


def test_the_same_contents_come_first_whatever_they_are_called() -> None:
    first = suggest(Wish(name="flux1-dev", hash="BLAKE3:5C", family="flux", kind="model"), HERE)[0]
    assert (first.entry.name, first.fit) == ("unet/flux1-schnell.safetensors", 1.0)
    assert "very same contents" in first.sentence
    assert names(Wish(hash="ab" * 32)) == ["vae/sdxl_vae.safetensors"]


def test_what_is_of_another_kind_family_or_space_is_never_offered() -> None:
    assert names(Wish(kind="lora", family="sdxl")) == ["loras/pixel-art-xl.safetensors"]
    assert names(Wish(kind="lora", family="flux")) == []
    assert names(Wish(kind="vae", family="sdxl", latent="flux1")) == []
    assert names(Wish(name="sdxl_vae", kind="lora")) == ["loras/pixel-art-xl.safetensors"]


def test_a_part_may_come_out_of_a_whole_checkpoint_after_files_of_its_own() -> None:
    assert names(Wish(kind="vae", family="sdxl")) == [
        "vae/sdxl_vae.safetensors", "checkpoints/juggernaut-xl.safetensors"
    ]  # fmt: skip


def test_a_vae_that_several_families_share_serves_each_of_them() -> None:
    for family in ("flux", "z_image", "sd3"):
        assert names(Wish(kind="vae", family=family, latent="flux1")) == ["vae/ae.safetensors"]


def test_a_name_alone_finds_what_is_called_alike() -> None:
    (found,) = names(Wish(name="juggernautXL_v9.safetensors"))
    assert found == "checkpoints/juggernaut-xl.safetensors"
    assert names(Wish(name="something else entirely")) == []
    assert names(Wish()) == []


def test_a_folder_of_no_known_family_is_not_said_to_fit() -> None:
    assert "folders/strange" not in names(Wish(name="strange", kind="model"))


def test_only_the_best_are_offered() -> None:
    many = [entry(f"loras/style-{n:02}.safetensors", "lora", "sdxl") for n in range(20)]
    assert len(suggest(Wish(kind="lora", family="sdxl"), many)) == MOST


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (
            Wish(name="flux1-dev-fp8", family="flux", kind="model"),
            "The model 'flux1-dev-fp8' (flux) is not there. unet/flux1-dev-Q4_K.gguf or "
            "unet/flux1-schnell.safetensors would fit.",
        ),
        (
            Wish(name="x", hash="blake3:5c"),
            "The model 'x' is not there. unet/flux1-schnell.safetensors is the same.",
        ),
        (
            Wish(kind="lora", family="wan"),
            "A LoRA (wan) is not there, and nothing that was scanned would fit in its place.",
        ),
    ],
)
def test_the_sentence_names_what_would_fit(wish: Wish, said: str) -> None:
    assert missing(wish, suggest(wish, HERE)) == said
