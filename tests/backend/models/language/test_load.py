"""Which folders are language models, what their headers tell, and what is refused, with why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.models.family import families, family_of, recognise
from backend.models.language import LOADER
from backend.models.language.reference import cache_bytes, language_facts, reference
from backend.models.loaders import loaders
from tests.backend.models.language import tiny_language


@pytest.fixture
def folder(folder_of, tmp_path: Path) -> Path:
    """A copy to break."""
    return shutil.copytree(folder_of("qwen2"), tmp_path / "model")


def edit(folder: Path, file: str = "config.json", **changes: object) -> None:
    settings = {**json.loads((folder / file).read_text()), **changes}
    (folder / file).write_text(json.dumps(settings))


def load(folder: Path, part: str = "language_model") -> object:
    from backend.models.family import part_of

    return LOADER.load(part_of(reference(read_folder(folder)), part), "cpu")


def test_the_loader_is_found():
    assert loaders()["language"] is LOADER


def test_the_headers_tell_what_it_needs(folder):
    facts = language_facts(read_folder(folder))
    module = load(folder)
    assert facts.nbytes == sum(p.numel() * 4 for p in module.parameters())
    assert (facts.context, facts.sees) == (512, False)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt_neox", "gpt2", "llava"])
def test_the_cache_formula_counts_the_bytes_of_the_cache(folder_of, kind):
    module = load(folder_of(kind))
    found = module(input_ids=torch.tensor([[1, 2, 3]]), use_cache=True).past_key_values
    held = sum(x.nbytes for layer in found.layers for x in (layer.keys, layer.values))
    config = json.loads((folder_of(kind) / "config.json").read_text())
    assert 3 * cache_bytes(config.get("text_config", config), item=4) == held


def test_an_untied_model_in_shards_loads_whole(tmp_path, folder_of):
    module = tiny_language.network("qwen2")
    module.save_pretrained(tmp_path, max_shard_size="20KB")
    tiny_language.tokenizer().save_pretrained(tmp_path)
    loaded = load(tmp_path)
    for name, weight in module.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight), name
    shard = sorted(tmp_path.glob("model-*.safetensors"))[1]
    shard.unlink()
    with pytest.raises(CatalogError, match="lacks 1 of"):
        read_folder(tmp_path)


def test_a_folder_without_a_tokenizer_is_refused(folder):
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(CatalogError, match="has no tokenizer"):
        reference(read_folder(folder))


def test_a_pickle_is_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CatalogError, match="only as a pickle"):
        read_folder(folder)


def test_weights_cut_short_are_refused(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(CatalogError, match="cut short"):
        read_folder(folder)


@pytest.mark.parametrize("kind", ["BertForSequenceClassification", "CLIPTextModelWithProjection"])
def test_a_model_of_another_kind_is_refused_by_its_config(folder, kind):
    edit(folder, architectures=[kind])
    with pytest.raises(CatalogError, match=f"holds a {kind}, which does not write text"):
        reference(read_folder(folder))


def test_a_class_that_transformers_does_not_have_is_refused(folder):
    edit(folder, architectures=["MysteryForCausalLM"])
    with pytest.raises(CatalogError, match="transformers has no such model"):
        load(folder)


def test_code_that_comes_with_a_model_is_never_run(folder, tmp_path):
    witness = tmp_path / "ran"
    code = f"open({str(witness)!r}, 'w')\nclass MysteryForCausalLM: pass\nQwen2Config = object"
    (folder / "modeling_mystery.py").write_text(code)
    own = {"AutoConfig": "modeling_mystery.Qwen2Config",
           "AutoModelForCausalLM": "modeling_mystery.MysteryForCausalLM"}  # fmt: skip
    edit(folder, auto_map=own)
    tokens = {"AutoTokenizer": ["modeling_mystery.Slow", "modeling_mystery.Fast"]}
    edit(folder, "tokenizer_config.json", auto_map=tokens)
    load(folder)  # the class is transformers' own, and that one is taken
    load(folder, "tokenizer")
    edit(folder, architectures=["MysteryForCausalLM"])
    with pytest.raises(CatalogError, match="code of its own"):
        load(folder)
    assert not witness.exists()


def test_quantised_weights_are_refused(folder):
    edit(folder, quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(CatalogError, match="quantised in the way 'gptq'"):
        reference(read_folder(folder))


def test_a_config_of_another_size_is_refused(folder):
    edit(folder, num_hidden_layers=10**9)
    with pytest.raises(CatalogError, match="1000000000 layers"):
        reference(read_folder(folder))
    edit(folder, num_hidden_layers=3, layer_types=None)
    with pytest.raises(CatalogError, match="lacks"):
        load(folder)


def test_a_broken_tokenizer_is_told(folder):
    (folder / "tokenizer.json").write_text('{"version": 1}')
    with pytest.raises(CatalogError, match="tokenizer in"):
        load(folder, "tokenizer")


def test_a_model_without_a_processor_cannot_see(folder):
    with pytest.raises(CatalogError, match="cannot see pictures"):
        load(folder, "processor")


def test_an_unknown_processor_is_told(folder_of, tmp_path):
    broken = shutil.copytree(folder_of("qwen2_vl"), tmp_path / "model")
    edit(broken, "preprocessor_config.json", processor_class="MysteryProcessor")
    with pytest.raises(CatalogError, match="'MysteryProcessor', which transformers does not have"):
        load(broken, "processor")


def test_a_language_model_is_no_model_for_sampling(folder):
    found = read_folder(folder)
    with pytest.raises(CatalogError, match="of no family"):
        recognise(found, families())
    with pytest.raises(CatalogError, match="no model family 'language'"):
        family_of(reference(found))


def test_a_diffusion_model_is_no_language_model():
    from backend.engine.lookup import MODELS

    with pytest.raises(CatalogError, match="not a language model"):
        reference(read_folder(MODELS / "primer"))
