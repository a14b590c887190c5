"""The pipeline-backed tier: any pipeline of diffusers through one adapter, as a whole.

It loads, runs, reports progress and cancels, and offers no seams: no solver, guidance or patch of
Weft reaches inside. ``reference`` names a model folder, ``load`` gives its components,
``arguments`` reads what a pipeline takes, ``run`` calls it, ``results`` makes values of its output.
"""

from __future__ import annotations

from backend.models.pipelines.load import PipelineLoader

LOADER = PipelineLoader()
