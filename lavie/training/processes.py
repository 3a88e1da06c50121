"""What several processes that train together need."""

from typing import Any

import torch
from accelerate import Accelerator
from torch import nn


def mean_over_processes(values: dict[str, float], accelerator: Accelerator) -> dict[str, float]:
    """The mean of each number; all processes get it, and all must ask."""
    if accelerator.num_processes == 1:
        return values
    numbers = torch.tensor(list(values.values()), device=accelerator.device)
    means: Any = accelerator.reduce(numbers, "mean")
    return dict(zip(values, means.tolist(), strict=True))


def keep_layouts(parameters: list[nn.Parameter]) -> None:
    """Give gradients of 1x1 kernels the strides of their kernels.

    Strides of axes of length 1 are arbitrary, and those that channels-last convolutions choose
    differ from the buckets in which processes exchange gradients, which then warn.
    """
    for parameter in parameters:
        if parameter.shape[2:] == (1, 1) and parameter.is_contiguous():
            _keep_layout(parameter)


def _keep_layout(parameter: nn.Parameter) -> None:
    shape, strides = parameter.shape, parameter.stride()
    parameter.register_hook(lambda gradient: gradient.contiguous().as_strided(shape, strides))
