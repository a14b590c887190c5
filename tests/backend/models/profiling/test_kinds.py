from __future__ import annotations

import pytest
import torch

from backend.models.profiling.kinds import held_bytes, kind_of, operations, tensors


@pytest.mark.parametrize(
    ("operator", "stream", "in_norm", "kind"),
    [
        ("convolution", None, False, "convolution"),
        ("addmm", None, False, "linear"),
        ("addmm", "self", False, "linear"),
        ("addmm", None, True, "linear"),
        ("bmm", None, False, "linear"),
        ("bmm", "cross", False, "attention, cross"),
        ("_softmax", "self", False, "attention, self"),
        ("_softmax", None, False, "other"),
        ("_scaled_dot_product_attention_for_cpu", "text image", False, "attention, text and image"),
        ("_scaled_dot_product_cudnn_attention", "image text", False, "attention, text and image"),
        ("_scaled_dot_product_flash_attention", None, False, "attention"),
        ("native_group_norm", None, False, "norm"),
        ("rsqrt", "self", True, "norm"),
        ("rsqrt", None, False, "other"),
    ],
)  # fmt: skip
def test_kinds(operator: str, stream: str | None, in_norm: bool, kind: str) -> None:
    assert kind_of(operator, stream, in_norm) == kind


def test_attention_on_the_cpu_counts_as_torch_counts_that_of_cuda() -> None:
    from torch.utils.flop_counter import sdpa_flop_count

    query, key, value = torch.zeros(2, 3, 5, 8), torch.zeros(2, 3, 7, 8), torch.zeros(2, 3, 7, 4)
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
    found = operations(kernel, (query, key, value), {}, query)
    assert found == sdpa_flop_count(query.shape, key.shape, value.shape)
    assert operations(torch.ops.aten.relu.default, (query,), {}, query) == 0


def test_tensors_and_their_bytes() -> None:
    one, row = torch.zeros(3, 4), torch.zeros(1, 4)
    assert [t.shape for t in tensors([one, 2, None, (row, [one])])] == [(3, 4), (1, 4), (3, 4)]
    assert [held_bytes(t) for t in (one, row.expand(100, 4), one[:2])] == [48, 16, 32]
