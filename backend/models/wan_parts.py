"""How the components of a Wan fit together, by their configs."""

from __future__ import annotations

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.models.card import Geometry
from backend.models.causal_video import MEAN_21


def geometry_of(folder: ModelFolder) -> Geometry:
    """Channels, factors and patches, from the configs of the VAE and the transformer.

    Raises:
        CatalogError: they are not ones that a Wan has.
    """
    net, vae = folder.component("transformer").config, folder.component("vae").config
    frames, high, wide = net.get("patch_size", (1, 2, 2))
    halvings = vae.get("temperal_downsample", (False, True, True))
    coarse = 2 ** (len(vae.get("dim_mult", (1, 2, 4, 4))) - 1) * int(vae.get("patch_size") or 1)
    factor, step = int(vae.get("scale_factor_spatial", 8)), int(vae.get("scale_factor_temporal", 4))
    if (frames, high) != (1, wide) or coarse != factor or step != 2 ** sum(map(bool, halvings)):
        raise CatalogError(
            f"{folder.path}: the patch size {[frames, high, wide]} or the VAE's scale factors "
            f"({factor} in space, {step} in time) are not ones that a Wan has. Get the config "
            "files of the model again."
        )
    return Geometry(int(vae.get("z_dim", 16)), factor, int(high), step)


def check_parts(folder: ModelFolder, geometry: Geometry) -> None:
    """Refuse components that are of another model, or of one that is not built here.

    Raises:
        CatalogError: they are.
    """
    vae, text = folder.component("vae").config, folder.component("text_encoder").config
    for part in ("transformer", "transformer_2"):
        if part not in folder.components:
            continue
        net = folder.component(part).config
        takes, makes = int(net.get("in_channels", 16)), int(net.get("out_channels") or 16)
        if takes > makes == geometry.channels:
            raise CatalogError(
                f"{folder.path}: the {part} takes {takes} channels and makes {makes}, so it wants "
                "a picture or a video beside the noise. Only text to video models of Wan can be "
                "run here."
            )
        if takes != geometry.channels or int(net.get("text_dim", 4096)) != text.get("d_model"):
            raise CatalogError(
                f"{folder.path}: the {part} takes latents of {takes} channels and texts of width "
                f"{net.get('text_dim', 4096)}, but the VAE makes {geometry.channels} and the text "
                f"encoder {text.get('d_model')}. These components are of different models."
            )
    for name in ("latents_mean", "latents_std"):
        values = vae.get(name, MEAN_21)
        if len(values) != geometry.channels or (name == "latents_std" and min(values) <= 0):
            raise CatalogError(
                f"{folder.path}: the VAE's {name} should hold {geometry.channels} numbers"
                f"{' above 0' if name == 'latents_std' else ''}. Get the config of the VAE again."
            )


def experts_of(folder: ModelFolder) -> tuple[tuple[str, float], ...]:
    """The second transformer, and the noise level below which it takes over.

    Raises:
        CatalogError: there is one without the other.
    """
    level, second = folder.settings.get("boundary_ratio"), "transformer_2" in folder.components
    if second != (level is not None) or (second and not 0 < float(level or 0) < 1):
        raise CatalogError(
            f"{folder.path}: a Wan with two transformers names the noise level between them as "
            f"boundary_ratio, from 0 to 1, in model_index.json; here it is {level} with "
            f"{2 if second else 1}. Get model_index.json again."
        )
    return (("transformer_2", float(level)),) if level is not None else ()
