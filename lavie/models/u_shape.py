"""The shape of the U-Net family: levels on the way down, and as many on the way up."""

from collections.abc import Callable, Sequence

from torch import nn

from lavie.models.blocks import DownBlock, Downsample, ResnetBlock, UpBlock, Upsample

MakeResnet = Callable[[int, int], ResnetBlock]
"""A residual block from so many channels to so many."""

MakeTransformer = Callable[[int], nn.Module]
"""A transformer for a level, 0 being the finest."""


def make_down_blocks(
    types: Sequence[str],
    widths: Sequence[int],
    layers_per_block: int,
    make_resnet: MakeResnet,
    make_transformer: MakeTransformer,
) -> tuple[nn.ModuleList, list[int]]:
    """Build the way down.

    Args:
        types: "CrossAttnDownBlock3D" or "DownBlock3D" per level, from the finest.
        widths: Channels per level, from the finest.
        layers_per_block: Residual blocks per level.
        make_resnet: Builds one of them.
        make_transformer: Builds what follows it where the level has attention.

    Returns:
        A `DownBlock` per level, and the channels of each skip: first the input's, then theirs.
    """
    blocks, skip_channels = nn.ModuleList(), [widths[0]]
    for level, (block_type, width) in enumerate(zip(types, widths, strict=True)):
        inputs = [skip_channels[-1], *[width] * (layers_per_block - 1)]
        is_last = level == len(widths) - 1
        blocks.append(
            DownBlock(
                [make_resnet(channels, width) for channels in inputs],
                [make_transformer(level) for _ in inputs if has_attention(block_type)],
                None if is_last else Downsample(width),
            )
        )
        skip_channels += [width] * (layers_per_block + (not is_last))
    return blocks, skip_channels


def make_up_blocks(
    types: Sequence[str],
    widths: Sequence[int],
    layers_per_block: int,
    skip_channels: Sequence[int],
    make_resnet: MakeResnet,
    make_transformer: MakeTransformer,
) -> nn.ModuleList:
    """Build the way up, which takes the skips from the last to the first.

    Args:
        types: "CrossAttnUpBlock3D" or "UpBlock3D" per level, from the coarsest.
        widths: Channels per level, from the finest.
        layers_per_block: Residual blocks per level on the way down; one more here.
        skip_channels: What `make_down_blocks` gave.
        make_resnet: As there.
        make_transformer: As there.

    Returns:
        An `UpBlock` per level.
    """
    blocks, skips, previous = nn.ModuleList(), list(skip_channels), widths[-1]
    for level, block_type in zip(reversed(range(len(widths))), types, strict=True):
        width = widths[level]
        inputs = [previous, *[width] * layers_per_block]
        blocks.append(
            UpBlock(
                [make_resnet(channels + skips.pop(), width) for channels in inputs],
                [make_transformer(level) for _ in inputs if has_attention(block_type)],
                None if level == 0 else Upsample(width),
            )
        )
        previous = width
    return blocks


def has_attention(block_type: str) -> bool:
    """Whether a level of this type has transformers."""
    return block_type.startswith("CrossAttn")
