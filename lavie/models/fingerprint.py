"""A short name for weights, so that a recipe can say which ones made it."""

import hashlib

import torch
from torch import Tensor, nn

_NUM_VALUES = 256
_NUM_DIGITS = 16


def hash_weights(*networks: nn.Module) -> str:
    """Name the weights of some networks, whatever files they came from.

    Hashes the name, the shape and up to 256 evenly spaced values of every tensor: enough to tell
    two checkpoints apart, and quick for the largest. Values count in float16, so a float32 and a
    float16 copy of one checkpoint have one name.

    Args:
        *networks: With their weights in memory or on a GPU; the order counts.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for network in networks:
        state = network.state_dict()
        samples = [_sample(tensor) for tensor in state.values()]
        digest.update(
            repr([(name, tuple(tensor.shape)) for name, tensor in state.items()]).encode()
        )
        if samples:
            digest.update(torch.cat(samples).cpu().numpy().tobytes())
    return digest.hexdigest()[:_NUM_DIGITS]


def _sample(tensor: Tensor) -> Tensor:
    values = tensor.detach().flatten()
    stride = -(-len(values) // _NUM_VALUES) or 1
    return values[::stride].to(torch.float16)
