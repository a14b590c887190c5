"""Loading networks from weight files without a config, whatever program wrote them.

The config comes from the pack; the names are turned into diffusers' by diffusers' own converters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backend.catalog.components import Bare, Component, read_json
from backend.catalog.errors import CatalogError
from backend.catalog.gguf import read_gguf

if TYPE_CHECKING:
    from torch import Tensor, dtype

SCALES = (".scale_weight", ".weight_scale", ".scale_input", ".input_scale")
MARKS = ("scaled_fp8", "spiece_model")
"""Entries that say something about a file and are no weights of the network."""


def load_bare(library: str, kind: Any, component: Component, device: str, dtype: str) -> Any:
    """A network of class ``kind`` with the weights of ``component.bare``, in eval mode.

    Weights stored in 8-bit floats are brought to ``dtype``, with the scales that lie beside them;
    quantised ones of a GGUF stay as they are and are brought to ``dtype`` layer by layer, but for
    UNets, whose convolutions the library does not keep quantised.

    Raises:
        CatalogError: weights are missing or cannot be read.
    """
    import torch

    bare = component.bare
    assert bare is not None
    wanted = getattr(torch, dtype)
    try:
        if library == "diffusers":
            module = _diffusers(kind, component, bare, wanted)
        else:
            module = _transformers(kind, component, bare, wanted)
    except torch.OutOfMemoryError:
        raise
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, CatalogError):
            raise
        raise CatalogError(
            f"The weights in {bare.file} do not load as {kind.__name__} ({str(error)[:200]}). Get "
            "the file again, or choose another config for it."
        ) from error
    missing = [name for name, value in module.named_parameters() if value.is_meta]
    if missing:
        raise CatalogError(
            f"{bare.file} lacks {len(missing)} weights of its {component.name}, the first is "
            f"{missing[0]}. Get the file again."
        )
    module.requires_grad_(False)
    return module.to(device).eval()


def _diffusers(kind: Any, component: Component, bare: Bare, wanted: dtype) -> Any:
    options: dict[str, Any] = {
        "config": str(component.path.parent),
        "subfolder": component.path.name,
        "local_files_only": True,
        "torch_dtype": wanted,
    }
    rules = name_rules(component, kind.__name__, bare.form)
    unet = kind.__name__ == "UNet2DConditionModel"
    if bare.file.suffix.lower() == ".gguf" and not rules and not unet:
        from diffusers.quantizers.quantization_config import GGUFQuantizationConfig

        options["quantization_config"] = GGUFQuantizationConfig(compute_dtype=wanted)
        return kind.from_single_file(str(bare.file), **options)
    tensors = renamed(read_tensors(bare, wanted), rules)
    if rules or bare.form == "diffusers" or not hasattr(kind, "from_single_file"):
        return _assigned(kind, component, tensors, wanted)
    if unet:  # its converter looks for tensors under this
        tensors = {f"model.diffusion_model.{name}": t for name, t in tensors.items()}
    return kind.from_single_file(tensors, **options)


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


def _assigned(kind: Any, component: Component, tensors: dict[str, Tensor], wanted: dtype) -> Any:
    from accelerate import init_empty_weights

    with init_empty_weights():
        module = kind.from_config(kind.load_config(str(component.path), local_files_only=True))
    shapes = {name: value.shape for name, value in module.state_dict().items()}
    fitted = {  # a 1x1 convolution in one program is a matrix in another
        name: tensor.reshape(shapes[name])
        if name in shapes and tensor.numel() == shapes[name].numel()
        else tensor
        for name, tensor in tensors.items()
    }
    module.load_state_dict(fitted, strict=False, assign=True)
    return module.to(wanted)


def _transformers(kind: Any, component: Component, bare: Bare, wanted: dtype) -> Any:
    import transformers

    settings = transformers.AutoConfig.from_pretrained(str(component.path), local_files_only=True)
    tensors = read_tensors(bare, wanted)
    rules = name_rules(component, kind.__name__, bare.form)
    if rules:
        tensors = renamed(tensors, rules)
    elif bare.form.startswith("original"):
        tensors = _from_open_clip(kind, settings, tensors)
    return kind.from_pretrained(
        None, config=settings, state_dict=_fitting(kind, settings, tensors), dtype=wanted
    )


def read_tensors(bare: Bare, wanted: dtype) -> dict[str, Tensor]:
    """The tensors of one part, without what stands before their names, in ``wanted`` where they
    are numbers with a point.

    Raises:
        CatalogError: the file cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    if bare.file.suffix.lower() == ".gguf":
        return _dequantised(bare, wanted)
    found: dict[str, Tensor] = {}
    try:
        with safe_open(bare.file, "pt") as file:
            names = [name for name in file.keys() if name.startswith(bare.prefix)]  # noqa: SIM118
            for name in names:
                found[name[len(bare.prefix) :]] = file.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise CatalogError(f"{bare.file} cannot be read ({error}). Get it again.") from error
    return _unscaled(found, wanted)


def _dequantised(bare: Bare, wanted: dtype) -> dict[str, Tensor]:
    from diffusers.models.model_loading_utils import load_gguf_checkpoint
    from diffusers.quantizers.gguf.utils import GGUFParameter, dequantize_gguf_tensor

    found, shapes = load_gguf_checkpoint(str(bare.file)), read_gguf(bare.file).shapes
    return {
        name[len(bare.prefix) :]: (
            dequantize_gguf_tensor(value) if isinstance(value, GGUFParameter) else value
        )
        .to(wanted)
        .reshape(shapes[name])  # convolutions are stored flat where blocks need longer rows
        for name, value in found.items()
        if name.startswith(bare.prefix)
    }


def _unscaled(found: Mapping[str, Tensor], wanted: dtype) -> dict[str, Tensor]:
    """Weights in ``wanted``, those with a scale beside them times that scale."""
    kept = {n: t for n, t in found.items() if not n.endswith(SCALES) and n not in MARKS}
    result = {}
    for name, value in kept.items():
        base = name.removesuffix(".weight")
        scale = next((found[base + s] for s in SCALES[:2] if base + s in found), None)
        value = value.to(wanted) if value.is_floating_point() else value
        result[name] = value * scale.to(wanted) if scale is not None and base != name else value
    return result


def _from_open_clip(kind: Any, settings: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """An OpenCLIP text tower under the names of transformers."""
    from accelerate import init_empty_weights
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint

    with init_empty_weights():
        empty = kind(settings)
    converted: dict[str, Tensor] = convert_open_clip_checkpoint(empty, tensors, prefix="")
    return converted


def _fitting(kind: Any, settings: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under the module names of a class: programs write the same network with other
    outer modules, so each beginning is tried and the one that fits most is taken."""
    from accelerate import init_empty_weights

    with init_empty_weights():
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
