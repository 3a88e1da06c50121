"""Weights between two: ``python assets/miniature/mix.py before.safetensors after.safetensors 0.7``.

Writes the second file anew: that share of it, the rest of the first, tensor by tensor. Between an
auto-encoder and the same one trained on, what networks made with the former still looks right.
"""

import argparse
from pathlib import Path

from safetensors.torch import load_file, save_file


def main() -> None:
    """Mix two files of the same tensors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("share", type=float, help="of the second, between 0 and 1")
    arguments = parser.parse_args()
    before, after = load_file(arguments.before), load_file(arguments.after)
    mixed = {
        name: before[name].float().lerp(weight.float(), arguments.share).to(weight.dtype)
        for name, weight in after.items()
    }
    save_file(mixed, arguments.after, {"format": "pt"})


if __name__ == "__main__":
    main()
