"""Loading ControlNets with diffusers' own classes; their weights come as those of any network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.catalog.controlnets import PART, read_controlnet
from backend.catalog.errors import CatalogError
from backend.models.controlnet.file import FAMILY_NAME
from backend.models.loading import load_module, stay_offline
from backend.values import Weights


@dataclass(frozen=True)
class ControlNetLoader:
    """Loads ControlNets (see ``backend.models.loaders``)."""

    family: str = FAMILY_NAME

    def load(self, weights: Weights, device: str) -> Any:
        """The network on ``device`` (float32 on the CPU, else bfloat16), its weights absent.

        Raises:
            CatalogError: the files are gone or broken, or are no ControlNet that is run.
        """
        stay_offline()
        import diffusers

        from backend.models.bare import load_bare

        found = read_controlnet(Path(weights.source))
        component = found.component(PART)
        dtype = "bfloat16" if device.startswith("cuda") else "float32"
        kind = getattr(diffusers, component.kind)
        try:
            if component.bare is None:
                place = found.path
                return load_module("diffusers", kind, place, device, dtype, component.variant)
            module = load_bare("diffusers", kind, component, device, dtype)
        except (ArithmeticError, AssertionError) as error:  # of a config's senseless numbers
            raise CatalogError(
                f"The config of {weights.source} makes no {component.kind} ({str(error)[:120]}). "
                "Get config and weights again, from the same source."
            ) from error
        _check_whole(module, component.bare.file, component.parameters)
        return module


LOADER = ControlNetLoader()


def _check_whole(module: Any, path: Path, held: int) -> None:
    """Refuse a file with weights that the network has no use for: it is of another kind then.

    Raises:
        CatalogError: it is.
    """
    used = sum(parameter.numel() for parameter in module.parameters())
    if held > used:
        raise CatalogError(
            f"{path.name} holds {held - used} numbers that no ControlNet of its kind has. It is of "
            "a form that is not run here; choose the version that diffusers saved."
        )
