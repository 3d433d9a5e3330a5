from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from labelprop.models.trunks.resnet18 import Pointwise


@pytest.mark.parametrize(("inputs", "side", "every"), [(4, 16, 2), (3, 7, 2), (8, 9, 3), (5, 6, 1)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_a_strided_convolution(
    inputs: int, side: int, every: int, layout: torch.memory_format
) -> None:
    """Against the strided convolution in float64, which oneDNN does not compute."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, inputs, side, side, generator=generator).contiguous(memory_format=layout).requires_grad_()
    conv = Pointwise(inputs, 8, every).to(memory_format=layout)
    same = x.detach().double().requires_grad_()
    weight = conv.weight.detach().double().requires_grad_()
    found, wanted = conv(x), F.conv2d(same, weight, stride=every)
    slope = torch.randn(found.shape, generator=generator)
    found.backward(slope)
    wanted.backward(slope.double())
    for ours, theirs in ((found, wanted), (x.grad, same.grad), (conv.weight.grad, weight.grad)):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5)
