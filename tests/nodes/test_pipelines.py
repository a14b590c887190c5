"""The pipeline nodes: references, refusals, and a workflow that goes through the engine."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backend.engine.engine import Engine
from backend.engine.registry import scan_nodes
from backend.graph.format import parse
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.media.spool import Spool
from backend.sdk import Conditioning, Latent, UserError, facts_of
from nodes import pipelines as nodes
from nodes.sampling import sample
from tests.backend.models.pipelines.bench import Bench, through_node
from tests.backend.models.pipelines.zoo import ZOO


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def bench_of(name: str, home: Path) -> Bench:
    folder = home / name
    if not folder.exists():
        ZOO[name].write(folder)
    return Bench(folder, home / "spool")


def test_load_pipeline_names_a_model_and_loads_nothing(home: Path) -> None:
    bench = bench_of("PixArtSigmaPipeline", home)
    model = nodes.load_pipeline(bench, "model")
    assert model.family == "pipeline:PixArtSigmaPipeline"
    assert bench.store.nbytes == 0
    known = nodes.load_pipeline.hooks["facts"](
        SimpleNamespace(model="model", denoiser="", vae="", lookup=bench)
    )
    assert known.family == model.family
    assert known.bytes > 0


def test_native_samplers_refuse_a_model_that_runs_whole(home: Path) -> None:
    bench = bench_of("PixArtSigmaPipeline", home)
    model = nodes.load_pipeline(bench, "model")
    text = Conditioning("flux1", {"sequence": np.zeros((1, 2, 3), np.float32)})
    latent = Latent(np.zeros((1, 4, 4, 4), np.float32), "flux1")
    with pytest.raises(UserError, match=r"runs whole.*Use Pipeline image"):
        sample(bench, model, text, latent)
    whole = facts_of("Model", family=model.family)
    with pytest.raises(UserError, match="runs whole"):  # while editing, too
        sample.hooks["facts"](SimpleNamespace(), model=whole, positive=None, latent=None)


def test_a_native_model_is_refused_here() -> None:
    flux = facts_of("Model", family="flux")
    for node in (nodes.pipeline_image, nodes.pipeline_audio):
        p = SimpleNamespace(width=0, height=0, rate=0)
        with pytest.raises(UserError, match="Load pipeline"):
            node.hooks["facts"](p, model=flux)


def test_a_pipeline_for_another_task_is_refused_before_it_is_loaded(home: Path) -> None:
    bench = bench_of("StableAudioPipeline", home)
    model = nodes.load_pipeline(bench, "model")
    with pytest.raises(UserError, match=r"for the task audio\. Use Pipeline audio"):
        nodes.pipeline_image(bench, model, "a kite")
    assert bench.store.nbytes == 0


def test_arguments_are_listed_as_text(home: Path) -> None:
    bench = bench_of("PixArtSigmaPipeline", home)
    told = nodes.pipeline_arguments(bench, nodes.load_pipeline(bench, "model"))
    assert "use_resolution_binning (true or false, true)" in told


def test_what_a_pipeline_says_of_its_settings_reaches_the_user(home: Path) -> None:
    bench = bench_of("PixArtSigmaPipeline", home)
    with pytest.raises(UserError, match=r"PixArtSigmaPipeline cannot run with these settings: .*8"):
        through_node(ZOO["PixArtSigmaPipeline"], bench, width=40, height=36)


def test_each_picture_of_several_is_what_its_seed_gives_alone(home: Path) -> None:
    animal = ZOO["PixArtSigmaPipeline"]
    both = through_node(animal, bench_of(animal.kind, home), count=2)
    alone = through_node(animal, bench_of(animal.kind, home))
    assert both.count == 2
    assert np.array_equal(both.pixels[:1], alone.pixels)
    assert np.abs(both.pixels[1] - both.pixels[0]).max() > 0.01


def test_a_video_comes_with_its_sound_or_with_silence(home: Path) -> None:
    spoken = through_node(ZOO["LTX2Pipeline"], bench_of("LTX2Pipeline", home))
    assert (spoken.video.frames, spoken.video.rate) == (5, 25.0)
    assert (spoken.audio.channels, spoken.audio.rate) == (2, 16_000)
    assert spoken.audio.samples.any()
    mute = through_node(ZOO["CogVideoXPipeline"], bench_of("CogVideoXPipeline", home))
    assert mute.video.rate == 8.0  # what its documentation writes
    assert mute.audio.seconds == pytest.approx(mute.video.seconds, abs=1e-3)
    assert not mute.audio.samples.any()


def workflow(**changed: Any) -> Any:
    made = {"prompt": "a red kite", "width": 16, "height": 16, "frames": 8, "steps": 2,
            "extra": "max_sequence_length = 16", "seed": 7, **changed}  # fmt: skip
    document = {
        "weft": 1,
        "nodes": {
            "model": {"type": "load_pipeline", "version": 1, "params": {"model": "model"}},
            "make": {"type": "pipeline_video", "version": 1, "params": made,
                     "inputs": {"model": "model.model"}},
            "save": {"type": "save_video_frames", "version": 1,
                     "params": {"name": "waves"}, "inputs": {"video": "make.video"}},
            "sound": {"type": "save_audio", "version": 1, "params": {"name": "waves"},
                      "inputs": {"audio": "make.audio"}},
        },
    }  # fmt: skip
    return parse(json.dumps(document), "waves")


def test_a_workflow_makes_a_folder_of_frames_and_a_sound(tmp_path: Path) -> None:
    ZOO["CogVideoXPipeline"].write(tmp_path / "model")
    spool, out = Spool(tmp_path / "spool"), OutputFolder(tmp_path / "out")
    engine = Engine(scan_nodes(), grants=Grants(tmp_path, (tmp_path,)), output=out, spool=spool)
    try:
        result = engine.run(workflow())
        assert result.status == "done", result.failures
        made = sorted(p.relative_to(out.root).as_posix() for p in out.root.rglob("*.*"))
        assert made == ["waves.wav", *(f"waves/{n:05}.png" for n in range(1, 9))]
        assert spool.nbytes == 8 * 16 * 16 * 3 * 2
        again = engine.run(workflow())
        assert (again.saved, len(again.kept)) == ((), 2)
        engine.cache.clear()
        del result, again
        gc.collect()
        assert spool.nbytes == 0
    finally:
        engine.close()
    assert list((tmp_path / "spool").iterdir()) == []
