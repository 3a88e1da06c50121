"""The temporal interpolation network."""

from typing import Any

from torch import Tensor, nn

from lavie.errors import InputError
from lavie.models.attention import InterpolationBlock
from lavie.models.base_unet import FIXED_VALUES, BaseUNet


class InterpolationUNet(BaseUNet):
    """LaVie's interpolation network: it denoises 61 frames of which every fourth is given.

    The U of `BaseUNet` with another block: each frame looks at the first frame and at the one
    before it in place of itself, and the attention in time, which knows no positions, comes after
    the feed-forward. The clean latents of the given frames, each repeated four times, are further
    input channels. Parameter names are those of the published ``lavie_interpolation.pt``.

    Arguments are those of `BaseUNet`, but ``in_channels`` is 8 by default (4 noisy, 4 given), heads
    may be of any width, and there are no independent images.

    Source: LaVie (arXiv:2309.15103), section 3.2, and the released weights.
    """

    fixed_values = {**FIXED_VALUES, "use_first_frame": True}  # noqa: RUF012 - a constant
    published_in_channels = 8
    block_class = InterpolationBlock
    min_head_width = 1

    _repeated_blocks = ["InterpolationBlock"]  # noqa: RUF012 - diffusers' form

    @staticmethod
    def input_channels(latent_channels: int) -> tuple[int, ...]:
        """Channels that the network's input may have: noisy latents, and one or two given ones."""
        return 2 * latent_channels, 3 * latent_channels

    def make_transformer(self, width: int, heads: int, level: int | None) -> nn.Module:
        """Build the attention behind a residual block; near by where frames are very large."""
        transformer: Any = super().make_transformer(width, heads, level)
        level = len(self.config["block_out_channels"]) - 1 if level is None else level
        side = (self.config["sample_size"] or 64) >> level
        transformer.transformer_blocks[0].attn1.side = max(side, 1)
        return transformer

    @property
    def sees_both_neighbours(self) -> bool:
        """Whether it sees the given latents before and after each frame, not copies of one.

        An addition for small networks trained from nothing; not so in the published one.
        """
        return self.config["in_channels"] == 3 * self.config["out_channels"]

    def _check_shapes(self, sample: Tensor, text: Tensor, num_images: int) -> None:
        if num_images:
            raise InputError(
                f"num_images {num_images} must be 0: the interpolation network takes videos only."
            )
        super()._check_shapes(sample, text, num_images)
