"""Attention kernels, each called once."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from backend.models.kernels import KERNELS, probe_kernels
from backend.models.numerics import why_dtype


def test_each_kernel_is_tried_and_the_plain_one_works() -> None:
    found = {kernel.name: kernel for kernel in probe_kernels("cpu", "float32")}
    assert set(found) == set(KERNELS)
    assert found["math"].works
    assert not found["cudnn"].works
    assert found["cudnn"].problem


def test_a_kernel_that_computes_nonsense_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(query: Any, key: Any, value: Any) -> Any:
        return torch.zeros_like(query)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", wrong)
    assert not any(kernel.works for kernel in probe_kernels("cpu", "float32"))


def test_the_reason_for_a_precision_names_it() -> None:
    assert why_dtype("cpu").startswith("float32")
    assert why_dtype("cuda:0").startswith("bfloat16")
