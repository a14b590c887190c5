"""What is loaded, what is refused, and that nothing is said while it happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.models.pipelines.classes import component_class, pipeline_class
from backend.models.pipelines.load import assemble, missing_package
from backend.models.pipelines.reference import pipeline_name, pipeline_reference
from backend.sdk import Model
from tests.backend.models.pipelines.bench import Bench
from tests.backend.models.pipelines.zoo import ZOO

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def pixart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ZOO["PixArtSigmaPipeline"].write(tmp_path_factory.mktemp("model"))


def edited(folder: Path, target: Path, **changes: Any) -> Path:
    """A folder with the same components, and some entries of its index changed or taken out."""
    target.mkdir()
    index = json.loads((folder / "model_index.json").read_text()) | changes
    index = {name: value for name, value in index.items() if value != "gone"}
    (target / "model_index.json").write_text(json.dumps(index))
    for part in folder.iterdir():
        if part.is_dir():
            (target / part.name).symlink_to(part)
    return target


def opened(folder: Path) -> Any:
    bench = Bench(folder, folder)
    return assemble(pipeline_reference(read_folder(folder)), bench.load)


def test_a_reference_names_the_pipeline_and_its_bytes(pixart: Path, tmp_path: Path) -> None:
    found = pipeline_reference(read_folder(pixart))
    assert found.family == "pipeline:PixArtSigmaPipeline"
    assert found.identity.startswith("blake3:")
    assert pipeline_name(found) == "PixArtSigmaPipeline"
    with pytest.raises(CatalogError, match="Load pipeline"):
        pipeline_name(Model("flux", "transformer", "blake3:1", "x"))
    with pytest.raises(CatalogError, match="does not say of which pipeline"):
        pipeline_reference(read_folder(edited(pixart, tmp_path / "x", _class_name="gone")))


def test_components_are_shared_and_schedulers_are_not(pixart: Path) -> None:
    bench = Bench(pixart, pixart)
    model = pipeline_reference(read_folder(pixart))
    one, two = assemble(model, bench.load), assemble(model, bench.load)
    assert one.transformer is two.transformer
    assert one.transformer.dtype == torch.float32
    assert not any(p.requires_grad for p in one.transformer.parameters())
    assert one.scheduler is not two.scheduler


def test_guiders_are_read_and_not_shared(tmp_path: Path) -> None:
    """They count steps, so one that two runs shared would guide the second one otherwise."""
    folder = ZOO["HunyuanImagePipeline"].write(tmp_path / "model")
    bench, model = Bench(folder, folder), pipeline_reference(read_folder(folder))
    one, two = assemble(model, bench.load), assemble(model, bench.load)
    assert type(one.guider).__name__ == "AdaptiveProjectedMixGuidance"
    assert one.ocr_guider.config.adaptive_projected_guidance_start_step == 3
    assert one.guider is not two.guider
    assert one.text_encoder is two.text_encoder


def test_a_scheduler_that_the_pipeline_makes_itself_need_not_be_there(tmp_path: Path) -> None:
    """LongCat's audio pipeline is saved with a scheduler in its index and no folder for it."""
    folder = ZOO["LongCatAudioDiTPipeline"].write(tmp_path / "model")
    assert not (folder / "scheduler").exists()
    assert opened(folder).scheduler.config.invert_sigmas


@pytest.mark.parametrize(
    ("library", "kind"),
    [
        ("os", "System"),
        ("transformers", "pipeline"),
        ("transformers", "Trainer"),
        ("transformers", "AutoModel"),
        ("transformers.utils", "PushToHubMixin"),
        ("diffusers", "DiffusionPipeline"),
        ("diffusers", "__builtins__"),
        ("transformer", "MyNet"),
        ("subprocess", "Popen"),
        ("pipeline_utils", "Path"),
    ],
)
def test_a_class_that_is_none_of_the_libraries_components_is_refused(
    library: str, kind: str, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match=r"Code that comes with a model is never run|needs the"):
        component_class(library, kind, tmp_path)


def test_code_in_a_model_folder_is_not_run(pixart: Path, tmp_path: Path) -> None:
    folder = edited(pixart, tmp_path / "x", transformer=["my_net", "MyNet"])
    (folder / "transformer").unlink()
    (folder / "transformer").mkdir()
    for file in (pixart / "transformer").iterdir():
        (folder / "transformer" / file.name).write_bytes(file.read_bytes())
    trace = tmp_path / "ran"
    for place in (folder / "pipeline.py", folder / "transformer" / "my_net.py"):
        place.write_text(f"open({str(trace)!r}, 'w')\nclass MyNet: pass\n")
    with pytest.raises(CatalogError, match="never run"):
        opened(folder)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"_class_name": "NoSuchPipeline"}, "does not have"),
        ({"_class_name": "AutoencoderKL"}, "does not have"),
        ({"vae": "gone"}, "lacks vae"),
        ({"scheduler": "gone"}, "lacks scheduler"),
        ({"vae": ["diffusers", "AutoencoderTiny"]}, "vae lacks .* of the weights"),
        ({"tokenizer": ["transformers", "CLIPImageProcessor"]}, "tokenizer"),
    ],
)
def test_a_folder_that_does_not_fit_is_a_sentence(
    changes: dict[str, Any], said: str, pixart: Path, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match=said):
        opened(edited(pixart, tmp_path / "x", **changes))


def test_a_class_that_lacks_a_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import diffusers

    class Missing(type):
        _backends = ("flax_of_tomorrow",)

    stand_in = Missing("KolorsPipeline", (), {"_backends": ["flax_of_tomorrow"]})
    monkeypatch.setattr(diffusers, "KolorsPipeline", stand_in)
    with pytest.raises(CatalogError, match=r"needs the Python package flax_of_tomorrow"):
        pipeline_class("KolorsPipeline", "here")


def test_a_package_that_is_missed_later_is_named_too() -> None:
    told = missing_package("OmniGenPipeline", NameError("name 'Eyes' is not defined", name="Eyes"))
    assert "lacks Eyes" in told
    assert "torchvision" in told
    lacks = ImportError("no module named 'kornia'", name="kornia")
    assert "(kornia). Install it with pip" in missing_package("X", lacks)


def test_a_processor_is_loaded_without_its_video_part(tmp_path: Path) -> None:
    """It would need torchvision, which is not installed beside Weft."""
    pipeline = opened(ZOO["Kandinsky5T2VPipeline"].write(tmp_path / "model"))
    assert type(pipeline.tokenizer).__name__ == "Qwen2VLProcessor"
    assert pipeline.tokenizer(text=["a red kite"])["input_ids"]


def test_a_run_says_nothing_on_the_streams(tmp_path: Path) -> None:
    """SD 1 complains about its scheduler, tokenizers about length, and bars would be drawn."""
    folder = ZOO["StableDiffusionInpaintPipeline"].write(tmp_path / "model")
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.backend.models.pipelines.bench import Bench, through_node\n"
        "from tests.backend.models.pipelines.zoo import ZOO\n"
        "bench = Bench(Path(sys.argv[1]), Path(sys.argv[1]))\n"
        "animal = ZOO['StableDiffusionInpaintPipeline']\n"
        "through_node(animal, bench, prompt='a long text ' * 40)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "")
