"""Every tiny pipeline by its class: what its node is told, and what the direct call is told."""

from __future__ import annotations

from collections.abc import Mapping

from tests.backend.models.pipelines.animal import Animal
from tests.backend.models.pipelines.zoo_images import IMAGES
from tests.backend.models.pipelines.zoo_moving import MOVING

ZOO: Mapping[str, Animal] = {animal.kind: animal for animal in (*IMAGES, *MOVING)}
