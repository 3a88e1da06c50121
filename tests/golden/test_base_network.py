"""The base network against the original code."""

import json

import pytest
import torch
from torch import Tensor

from lavie.models import BaseUNet
from tests.golden.goldens import (
    assert_equals_recording,
    read_golden,
    read_manifest,
    weights,
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["base_odd_size", "base_train_joint"])
def test_forward_equals_the_original(name: str, dtype: torch.dtype):
    tensors, metadata = read_golden(name)
    model = BaseUNet.from_config(json.loads(metadata["config"]))
    model.load_state_dict(weights(tensors), strict=True)
    model.to(dtype)
    with torch.no_grad():
        output = model(
            tensors["in.sample"].to(dtype),
            tensors["in.timestep"],
            tensors["in.encoder_hidden_states"].to(dtype),
            num_images=int(tensors.get("in.use_image_num", torch.tensor(0))),
        )
    assert_equals_recording(output.sample, tensors, "sample", dtype)


@pytest.mark.parametrize("in_channels", [4, 9])
def test_full_size_model_has_the_published_keys_and_shapes(in_channels: int):
    with torch.device("meta"):
        model = BaseUNet(in_channels=in_channels)
    expected = read_manifest("base") | {"conv_in.weight": [320, in_channels, 3, 3]}
    shapes: dict[str, Tensor] = model.state_dict()
    assert {key: list(value.shape) for key, value in shapes.items()} == expected
