"""Loading networks from weight files without a config, whatever program wrote them.

The config comes from the pack; the names are turned into diffusers' by diffusers' own converters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backend.catalog.components import Bare, Component, read_json
from backend.catalog.errors import CatalogError
from backend.models.networks import Network, finished, transformers_state

if TYPE_CHECKING:
    from torch import Tensor, dtype

    from backend.memory.source import Source
    from backend.memory.stored import Stored

SCALES = (".scale_weight", ".weight_scale", ".scale_input", ".input_scale")
MARKS = ("scaled_fp8", "spiece_model")
"""Entries that say something about a file and are no weights of the network."""


def load_bare(
    library: str, kind: Any, component: Component, device: str, dtype: str, hold: bool = True
) -> Any:
    """A network of class ``kind`` with the weights of ``component.bare``, in eval mode.

    Its weights are absent, as those of ``loading.load_module``. Those that are stored in 8-bit
    floats are brought to ``dtype`` with the scales that lie beside them.

    Raises:
        CatalogError: weights are missing or cannot be read.
    """
    import torch

    bare = component.bare
    assert bare is not None
    wanted = getattr(torch, dtype)
    make = _diffusers if library == "diffusers" else _transformers
    try:
        network = make(kind, component, bare, wanted)
    except torch.OutOfMemoryError:
        raise
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, CatalogError):
            raise
        raise CatalogError(
            f"The weights in {bare.file} do not load as {kind.__name__} ({str(error)[:200]}). Get "
            "the file again, or choose another config for it."
        ) from error
    if network.lacking:
        raise CatalogError(
            f"{bare.file} lacks {len(network.lacking)} weights of its {component.name}, the first "
            f"is {network.lacking[0]}. Get the file again."
        )
    return finished(network, device, hold)


def _diffusers(kind: Any, component: Component, bare: Bare, wanted: dtype) -> Network:
    from backend.memory.skeleton import assign, hollow

    config = dict(component.config)
    with hollow():
        module = kind.from_config(config)
    source, tensors = weights_of(bare, wanted)
    rules = name_rules(component, kind.__name__, bare.form)
    tensors = renamed(tensors, rules)
    shapes = {name: value.shape for name, value in module.state_dict().items()}
    if not rules and bare.form != "diffusers" and set(shapes) != set(tensors):
        tensors = _converted(kind, config, tensors)
    fitted = {  # a 1x1 convolution in one program is a matrix in another
        name: tensor.reshape(shapes[name])
        if name in shapes and tensor.numel() == shapes[name].numel()
        else tensor
        for name, tensor in tensors.items()
    }
    lacking = assign(module, fitted, lambda _: wanted)
    made = {name for name, buffer in module.named_buffers() if not buffer.is_meta}
    lacking += [name for name, buffer in module.named_buffers() if buffer.is_meta]
    for each in module.modules():
        for own, value in list(each.named_buffers(recurse=False)):
            if value.is_floating_point() and not value.is_meta:
                setattr(each, own, value.to(wanted))
    missing = dict.fromkeys(name for name in lacking if name not in made)
    return Network(module, source, tuple(missing))


def _converted(kind: Any, config: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the authors' names as diffusers' converter for the class makes its own of
    them; unchanged, if it has none."""
    from diffusers.loaders.single_file_model import (
        SINGLE_FILE_LOADABLE_CLASSES,
        _get_single_file_loadable_mapping_class,
    )

    known = _get_single_file_loadable_mapping_class(kind)
    if known is None:
        return tensors
    if kind.__name__ == "UNet2DConditionModel":  # its converter looks for tensors under this
        tensors = {f"model.diffusion_model.{name}": t for name, t in tensors.items()}
    convert = SINGLE_FILE_LOADABLE_CLASSES[known]["checkpoint_mapping_fn"]
    found: dict[str, Tensor] = convert(config=config, checkpoint=tensors)
    return found


def name_rules(component: Component, kind: str, form: str) -> tuple[tuple[str, str], ...]:
    """How a form's names become those of a class, where no library converts them: pairs of pattern
    and replacement, to be applied one after the other. They are shipped beside the packs."""
    book = component.path.parent.parent / "names.json"
    if not book.is_file():
        return ()
    return tuple((p, r) for p, r in read_json(book).get(kind, {}).get(form, ()))


def renamed(tensors: dict[str, Tensor], rules: tuple[tuple[str, str], ...]) -> dict[str, Tensor]:
    """Tensors under the names that the rules lead to."""
    found = {}
    for name, tensor in tensors.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        found[name] = tensor
    return found


def _transformers(kind: Any, component: Component, bare: Bare, wanted: dtype) -> Network:
    import transformers

    settings = transformers.AutoConfig.from_pretrained(str(component.path), local_files_only=True)
    source, tensors = weights_of(bare, wanted)
    rules = name_rules(component, kind.__name__, bare.form)
    if rules:
        tensors = renamed(tensors, rules)
    elif bare.form.startswith("original"):
        tensors = _from_open_clip(kind, settings, tensors)
    fitting = _fitting(kind, settings, tensors)
    module, lacking = transformers_state(kind, settings, fitting, wanted)
    return Network(module, source, lacking)


def weights_of(bare: Bare, wanted: dtype) -> tuple[Source, dict[str, Tensor]]:
    """The weights of one part, absent, without what stands before their names; and what reads them.

    Raises:
        CatalogError: the header of the file cannot be read.
    """
    from backend.memory.skeleton import absent
    from backend.memory.source import Source, faces_of
    from backend.memory.stored import stored_in

    source = Source(faces_of([bare.file]))
    stored = {
        name[len(bare.prefix) :]: each
        for name, each in stored_in(bare.file).items()
        if name.startswith(bare.prefix)
    }
    return source, absent(with_scales(stored), source, wanted, unpacked)


def with_scales(found: Mapping[str, Stored]) -> dict[str, Stored]:
    """Weights with the scales that lie beside them."""
    result = {}
    for name, value in found.items():
        if name.endswith(SCALES) or name in MARKS:
            continue
        base = name.removesuffix(".weight")
        scale = next((found[base + s] for s in SCALES[:2] if base + s in found), None)
        result[name] = replace(value, scale=scale) if base != name else value
    return result


def unpacked(raw: Tensor, form: str) -> Tensor:
    """The numbers in blocks of a GGUF type."""
    from diffusers.quantizers.gguf.utils import dequantize_functions
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    kind = GGMLQuantizationType[form]
    block, nbytes = GGML_QUANT_SIZES[kind]
    found: Tensor = dequantize_functions[kind](raw.view(-1, nbytes), block, nbytes)
    return found.reshape(-1)


def _from_open_clip(kind: Any, settings: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """An OpenCLIP text tower under the names of transformers."""
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint

    from backend.memory.skeleton import hollow

    with hollow():
        empty = kind(settings)
    converted: dict[str, Tensor] = convert_open_clip_checkpoint(empty, tensors, prefix="")
    return converted


def _fitting(kind: Any, settings: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under the module names of a class: programs write the same network with other
    outer modules, so each beginning is tried and the one that fits most is taken."""
    from backend.memory.skeleton import hollow

    with hollow():
        names = set(kind(settings).state_dict())
    outer = re.compile(r"^(model\.language_model\.|language_model\.model\.|model\.|text_model\.)")

    def renamed(cut: bool, prefix: str) -> dict[str, Tensor]:
        return {prefix + (outer.sub("", n) if cut else n): t for n, t in tensors.items()}

    beginnings = ("", "text_model.", "model.", "model.language_model.", "language_model.")
    tries = [renamed(cut, prefix) for cut in (False, True) for prefix in beginnings]
    best = max(tries, key=lambda each: len(names & each.keys()))
    embedded = best.get("encoder.embed_tokens.weight")
    if embedded is not None and "shared.weight" in names - best.keys():  # one table of two names
        best["shared.weight"] = embedded
    return best
