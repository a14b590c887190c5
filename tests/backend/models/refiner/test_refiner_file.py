"""Refiners and the language models they are for: what fits, what is refused, and what is read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from backend.catalog.errors import CatalogError  # noqa: E402
from backend.diffusion.errors import DiffusionError  # noqa: E402
from backend.models.refiner.encode import Way, check_fits, encode, states_of  # noqa: E402
from backend.models.refiner.file import KEY, Settings, read_settings  # noqa: E402
from backend.models.refiner.load import LOADER, reference, save  # noqa: E402
from backend.models.refiner.network import Refiner  # noqa: E402
from tests.backend.models.language import tiny_language  # noqa: E402

SETTINGS = Settings(
    states=32, space="flux:x", tokens=8, sequence=12, pooled=6, layers=(1, -1), reads=10,
    width=20, heads=5, blocks=1, template="say {text} now",
)  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    path = tmp_path / "refiner.safetensors"
    save(Refiner(SETTINGS), path)
    return path


def told(file: Path, **changes: object) -> Path:
    """The file with other settings in its header."""
    said = {**json.loads(SETTINGS.as_metadata()[KEY]), **changes}
    save_file(load_file(file), file, metadata={KEY: json.dumps(said)})
    return file


def test_a_file_comes_back_as_it_went(file: Path) -> None:
    assert read_settings(file) == SETTINGS
    found = LOADER.load(reference(file), "cpu")
    assert found.settings == SETTINGS
    assert not any(p.requires_grad for p in found.parameters())
    assert sorted(path.name for path in file.parent.iterdir()) == ["refiner.safetensors"]


@pytest.mark.parametrize(
    "changes",
    [{"states": -1}, {"states": 2.5}, {"width": 21}, {"heads": 0}, {"layers": []}, {"layers": "x"},
     {"join": "sum"}, {"template": "no place"}, {"space": 3}, {"blocks": 10**9}, {"more": 1},
     {"layers": [1.5]}, {"tokens": True}],
)  # fmt: skip
def test_a_header_that_lies_is_told(file: Path, changes: dict[str, object]) -> None:
    with pytest.raises(CatalogError, match="senseless"):
        read_settings(told(file, **changes))


def test_weights_that_are_not_what_the_header_says_are_told(file: Path) -> None:
    told(file, sequence=13)
    with pytest.raises(CatalogError, match="does not load as a refiner"):
        LOADER.load(reference(file), "cpu")


def test_numbers_that_are_none_are_told(file: Path) -> None:
    tensors = load_file(file)
    tensors["slots"][0, 0] = torch.nan
    save_file(tensors, file, metadata=SETTINGS.as_metadata())
    with pytest.raises(CatalogError, match="numbers that are none"):
        LOADER.load(reference(file), "cpu")


def test_other_files_are_no_refiners(tmp_path: Path) -> None:
    other = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(1)}, other)
    with pytest.raises(CatalogError, match="no refiner for a language model"):
        reference(other)
    other.write_bytes(other.read_bytes()[:20])
    with pytest.raises(CatalogError):
        reference(other)


def test_another_way_must_be_as_wide(file: Path) -> None:
    assert Way().of(SETTINGS) == SETTINGS
    assert Way((0, 2)).of(SETTINGS).layers == (0, 2)
    with pytest.raises(DiffusionError, match="have 32 numbers a token, and the refiner takes 64"):
        Way((1,)).of(SETTINGS)
    with pytest.raises(DiffusionError, match="have 32 numbers"):
        Way(join="mean").of(SETTINGS)
    with pytest.raises(DiffusionError, match="0 times where the text goes"):
        Way(template="nothing").of(SETTINGS)
    with pytest.raises(DiffusionError, match="2 times"):
        Way(template="{text}{text}").of(SETTINGS)


def test_a_model_of_another_width_or_depth_is_told() -> None:
    module = tiny_language.network("llama")
    check_fits(module, SETTINGS)
    with pytest.raises(DiffusionError, match="48 wide, and those of this one are 32"):
        check_fits(module, Settings(48, "x", 1, 1, 1))
    for layer in (3, -4):
        with pytest.raises(DiffusionError, match=f"no layer {layer}"):
            check_fits(module, Settings(32, "x", 1, 1, 1, layers=(layer,)))


def test_only_the_prompts_own_tokens_are_taken() -> None:
    """The states stand where the prompt stands in the template; padding changes nothing."""
    module, words = tiny_language.network("llama"), tiny_language.tokenizer()
    texts = ["abc", "", "a longer text than reads"]
    found = states_of(module, words, texts, SETTINGS)
    assert found.mask.sum(1).tolist() == [3, 0, 10]
    assert found.values.shape == (3, 10, 64)
    own = words("<s>say abc", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        every = module.base_model(torch.tensor([own]), output_hidden_states=True).hidden_states
    true = torch.cat([every[1], every[-1]], -1)[0, -3:]
    assert torch.allclose(found.values[0, :3], true, atol=1e-4)
    assert found.lengths[2] > 10


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt_neox", "gpt2"])
def test_any_causal_model_is_read(file: Path, kind: str) -> None:
    refiner = LOADER.load(reference(file), "cpu")
    module, words = tiny_language.network(kind), tiny_language.tokenizer()
    made, cut = encode(refiner, module, words, "a red circle", Way())
    assert (made.space, cut > 0) == ("flux:x", True)
    assert {n: t.shape for n, t in made.tensors.items()} == {
        "sequence": (1, 8, 12),
        "pooled": (1, 6),
    }
    again, _ = encode(refiner, module, words, "a red circle", Way())
    assert all(np.array_equal(made.tensors[n], again.tensors[n]) for n in made.tensors)
    other, _ = encode(refiner, module, words, "a red circle", Way((0, 1)))
    assert not np.array_equal(made.tensors["sequence"], other.tensors["sequence"])
    none, _ = encode(refiner, module, words, "", Way())
    assert np.isfinite(none.tensors["sequence"]).all()


def test_a_later_word_changes_what_an_earlier_slot_says(file: Path) -> None:
    """The blocks look both ways, which a causal model does not."""
    refiner = LOADER.load(reference(file), "cpu")
    values, mask = torch.randn(1, 6, 64), torch.ones(1, 6, dtype=torch.bool)
    moved = values.clone()
    moved[:, 5] *= -1
    with torch.no_grad():
        first, second = refiner(values, mask)[0], refiner(moved, mask)[0]
        hidden = refiner(moved, mask & (torch.arange(6) < 5))[0]
        same = refiner(values, mask & (torch.arange(6) < 5))[0]
    assert (first - second)[:, 0].abs().max() > 1e-5
    assert torch.allclose(hidden, same)


def test_a_template_longer_than_the_model_reads_is_told() -> None:
    module, words = tiny_language.network("llama"), tiny_language.tokenizer()
    long = Way(template="say " * 300 + "{text}").of(SETTINGS)
    with pytest.raises(DiffusionError, match="reads at most 512"):
        states_of(module, words, ["a"], long)


def test_a_model_whose_states_are_no_numbers_is_told(file: Path) -> None:
    refiner = LOADER.load(reference(file), "cpu")
    module = tiny_language.network("llama")
    with torch.no_grad():
        module.model.norm.weight.fill_(torch.nan)
    with pytest.raises(DiffusionError, match="states are not numbers"):
        encode(refiner, module, tiny_language.tokenizer(), "a", Way())
