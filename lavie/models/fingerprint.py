"""A short name for weights, so that a recipe can say which ones made it."""

import hashlib
import re

import torch
from torch import nn

_NUM_DIGITS = 16
_OLD_PREFIX = re.compile(r"(^|(?<=\.))text_model\.")
"""What transformers put before all names in CLIP until 5.6."""


def hash_weights(*networks: nn.Module) -> str:
    """Name the weights of some networks, whatever files they came from.

    The start of a SHA-256 of the name, the shape and the values of every tensor: milliseconds for
    the miniature, seconds for a published model. Values count in float16, so a float32 copy of a
    float16 checkpoint has the same name; so do weights that differ by less than that can tell.
    Names count as the transformers of now has them.

    Args:
        *networks: With their weights in memory or on a GPU; the order counts.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for network in networks:
        for name, tensor in network.state_dict().items():
            name = _OLD_PREFIX.sub("", name)
            digest.update(repr((name, tuple(tensor.shape))).encode())
            digest.update(tensor.to("cpu", torch.float16).contiguous().numpy())
    return digest.hexdigest()[:_NUM_DIGITS]
