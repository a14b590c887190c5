"""Qwen-Image-Edit against diffusers' pipelines, and what it is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus
from PIL import Image as PilImage

from backend.catalog.errors import CatalogError
from backend.diffusion.errors import DiffusionError
from backend.models import reference, seeing
from backend.models.patches2x2 import pack, unpack
from backend.values import Conditioning, Image, Term
from tests.backend.models import tiny_qwen
from tests.backend.models.checks import changed, facts_of, known_by
from tests.backend.models.parity import MARGIN, STEPS, TOLERANCE, Weft, difference

WIDTH, HEIGHT, CFG = 64, 32, 3.0
TEXTS = {"positive": "make the red circle blue", "negative": "an ugly picture"}
KINDS: dict[str, tuple[Any, Any]] = {
    "one": (pipeline_qwenimage_edit, pipeline_qwenimage_edit.QwenImageEditPipeline),
    "many": (pipeline_qwenimage_edit_plus, pipeline_qwenimage_edit_plus.QwenImageEditPlusPipeline),
}
SIZED = seeing._sized
SEEN_AREA = 48 * 48
"""How large a later version sees pictures here, where a tiny one is in its place."""


def drawn(seed: int, width: int = WIDTH, height: int = HEIGHT) -> PilImage.Image:
    rng = np.random.default_rng(seed)
    small = PilImage.fromarray(rng.integers(0, 256, (4, 6, 3), np.uint8))
    return small.resize((width, height), PilImage.Resampling.BICUBIC)


def ours(picture: PilImage.Image) -> Image:
    return Image((np.asarray(picture, np.float32) / 255)[None])


PICTURES = {"one": [drawn(1)], "many": [drawn(1), drawn(2, 32, 64)]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("edit")
    return {
        kind: tiny_qwen.write(home / kind, pipeline=pipe.__name__)
        for kind, (_, pipe) in KINDS.items()
    }


@pytest.fixture(autouse=True)
def seen_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipelines look at pictures of a megapixel, and later versions of 384x384."""
    plus = pipeline_qwenimage_edit_plus
    monkeypatch.setattr(plus, "CONDITION_IMAGE_SIZE", SEEN_AREA)
    monkeypatch.setattr(plus, "VAE_IMAGE_SIZE", WIDTH * HEIGHT)
    monkeypatch.setattr(seeing, "_sized", lambda p, area: SIZED(p, SEEN_AREA if area else 0))
    for module, _ in KINDS.values():
        was = module.calculate_dimensions
        monkeypatch.setattr(
            module,
            "calculate_dimensions",
            lambda area, ratio, was=was: (
                was(min(area, WIDTH * HEIGHT), ratio) if area != SEEN_AREA else was(area, ratio)
            ),
        )


def pipeline(kind: str, folder: Path, typed: bool = True) -> Any:
    """The pipeline; ``typed``, its encoder is told which tokens are of pictures, which the
    pipelines leave out (huggingface/diffusers#14194)."""
    processor = tiny_qwen.Processor(tiny_qwen.pictures(), tiny_qwen.tokenizer())
    pipe = KINDS[kind][1].from_pretrained(str(folder), processor=processor, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    if typed:
        net = pipe.text_encoder
        right = net.forward

        def forward(input_ids: torch.Tensor, **more: Any) -> Any:
            kinds = (input_ids == net.config.image_token_id).int()
            return right(input_ids=input_ids, mm_token_type_ids=kinds, **more)

        net.forward = forward
    return pipe


def asked(weft: Weft, text: str, pictures: Sequence[PilImage.Image]) -> Conditioning:
    family: Any = weft.family
    images = [ours(picture) for picture in pictures]
    told: Conditioning = family.encode_seen(weft.refs.text, [text], images, {}, weft.load, "cpu")
    for image in images:
        told = reference.add(told, weft.encode(image))
    return told


class Wide(Weft):
    def shape(self, count: int = 1) -> tuple[int, ...]:
        return (count, tiny_qwen.CHANNELS, HEIGHT // 2, WIDTH // 2)


def run(weft: Weft, pictures: Sequence[PilImage.Image]) -> torch.Tensor:
    terms = tuple(Term(role, asked(weft, text, pictures)) for role, text in TEXTS.items())
    guided = replace(weft, guidance="cfg_token_norm", cfg=CFG)
    return torch.from_numpy(guided.result(weft.empty(1), terms=terms).samples.copy())


def theirs(kind: str, folder: Path, typed: bool = True) -> torch.Tensor:
    pictures = PICTURES[kind]
    result = pipeline(kind, folder, typed)(
        image=pictures[0] if kind == "one" else pictures,
        prompt=TEXTS["positive"],
        negative_prompt=TEXTS["negative"],
        true_cfg_scale=CFG,
        width=WIDTH,
        height=HEIGHT,
        num_inference_steps=STEPS,
        output_type="latent",
        latents=pack(Wide.of(folder).noise()),
    )
    return unpack(result.images, HEIGHT // 2, WIDTH // 2)


@pytest.mark.parametrize("kind", KINDS)
def test_editing_equals_the_pipeline(kind: str, folders: dict[str, Path]) -> None:
    weft, right = Wide.of(folders[kind]), theirs(kind, folders[kind])
    assert difference(run(weft, PICTURES[kind]), right) < TOLERANCE
    assert difference(run(weft, [*PICTURES[kind][1:], drawn(9)]), right) > MARGIN * TOLERANCE


def test_tokens_of_pictures_have_rows_and_columns(folders: dict[str, Path]) -> None:
    """As the pipeline is, its encoder takes them for words in a line."""
    flat = theirs("one", folders["one"], typed=False)
    assert difference(run(Wide.of(folders["one"]), PICTURES["one"]), flat) > MARGIN * TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_text_encoding_equals_the_pipeline(kind: str, folders: dict[str, Path]) -> None:
    weft = Wide.of(folders[kind])
    told = asked(weft, "a {b}", PICTURES[kind]).tensors
    area = SEEN_AREA
    small = [seeing._sized(picture, area if kind == "many" else 0) for picture in PICTURES[kind]]
    with torch.no_grad():
        right, _ = pipeline(kind, folders[kind]).encode_prompt("a {b}", image=small)
    assert difference(torch.from_numpy(told["sequence"].copy()), right) < TOLERANCE
    assert told["mask"].all()


def test_several_texts_are_about_the_same_picture(folders: dict[str, Path]) -> None:
    weft: Any = Wide.of(folders["one"])
    place = ([ours(PICTURES["one"][0])], {}, weft.load, "cpu")
    both = weft.family.encode_seen(weft.refs.text, ["a", "a long text"], *place).tensors
    for index, text in enumerate(["a", "a long text"]):
        alone = weft.family.encode_seen(weft.refs.text, [text], *place).tensors["sequence"]
        length = int(both["mask"][index].sum())
        assert length == alone.shape[1]
        assert np.allclose(both["sequence"][index, :length], alone[0], atol=1e-4)


def test_the_variants_are_known(folders: dict[str, Path], tmp_path: Path) -> None:
    plain = tiny_qwen.write(tmp_path / "plain")
    for kind, folder in folders.items():
        assert known_by(folder) == ["qwen_image"]
        facts = facts_of(folder)
        assert facts.settings["edits"] == kind
        assert {"references", "sees"} <= facts.capabilities
        assert facts.latent_space == facts_of(plain).latent_space
    assert not {"references", "sees"} & facts_of(plain).capabilities
    bare = changed(folders["one"], tmp_path / "bare", "model_index.json", processor=[None, None])
    with pytest.raises(CatalogError, match="processor"):
        facts_of(bare)


def test_what_it_cannot_see_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    one = Wide.of(folders["one"])
    for pictures in ([], [drawn(1)] * 2):
        with pytest.raises(DiffusionError, match=f"takes one picture, not {len(pictures)}"):
            asked(one, "a", pictures)
    with pytest.raises(DiffusionError, match="takes pictures, not 0"):
        asked(Wide.of(folders["many"]), "a", [])
    with pytest.raises(DiffusionError, match="which stands for a picture"):
        asked(one, "a <|image_pad|>", [drawn(1)])
    with pytest.raises(DiffusionError, match="cannot see this picture"):
        asked(one, "a", [drawn(1, 804, 4)])
    with pytest.raises(DiffusionError, match="does not look at pictures"):
        asked(Wide.of(tiny_qwen.write(tmp_path / "plain")), "a", [drawn(1)])
    batch = Image(np.zeros((2, 32, 32, 3), np.float32))
    with pytest.raises(DiffusionError, match="one by one"):
        seeing.pictures(tiny_qwen.pictures(), [batch])


def test_pictures_are_seen_at_about_the_area() -> None:
    for width, height in ((640, 480), (100, 900), (33, 31)):
        found = SIZED(drawn(1, width, height), 384 * 384)
        assert found.width % 32 == found.height % 32 == 0
        assert math.isclose(found.width * found.height, 384 * 384, rel_tol=0.5)
