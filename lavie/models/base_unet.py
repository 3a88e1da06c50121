"""The base text-to-video network."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from diffusers.configuration_utils import register_to_config
from diffusers.models.unets.unet_3d_condition import UNet3DConditionOutput
from torch import Tensor, nn
from torch.nn import functional

from lavie.models.attention import (
    InterpolationBlock,
    SpatioTemporalBlock,
    SpatioTemporalTransformer,
)
from lavie.models.blocks import TimeScaleShift
from lavie.models.frame_windows import FrameWindows
from lavie.models.video_unet import VideoUNet

FIXED_VALUES: Mapping[str, Any] = {
    "act_fn": "silu",
    "center_input_sample": False,
    "class_embed_type": None,
    "downsample_padding": 1,
    "dropout": 0.0,
    "dual_cross_attention": False,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock3DCrossAttn",
    "num_class_embeds": None,
    "only_cross_attention": False,
    "upcast_attention": False,
    "use_first_frame": False,
    "use_linear_projection": False,
    "use_relative_position": False,
}
"""Keys of published configs that name a choice the base network never varies."""


class BaseUNet(VideoUNet):
    """LaVie's base network: Stable Diffusion's image U-Net with attention in time.

    Convolutions and spatial attention see single frames; residual normalisation and temporal
    attention see whole videos. Parameter names are those of the published ``lavie_base.pt``.
    The defaults are the published architecture; the options after ``attention_head_dim`` are
    additions for small networks trained from nothing, and off.

    Args:
        sample_size: Latent height and width the weights were trained for; for information only.
        in_channels: Channels of the noisy latents, 4 by default; 9 for networks that go on from
            given frames: noisy latents, mask and latents of the masked video, see
            `lavie.models.given_frames`.
        out_channels: Channels of the prediction.
        down_block_types: "CrossAttnDownBlock3D" or "DownBlock3D" per level, from the finest.
        up_block_types: "CrossAttnUpBlock3D" or "UpBlock3D" per level, from the coarsest.
        block_out_channels: Channels per level, from the finest.
        layers_per_block: Residual blocks per level on the way down; one more on the way up.
        norm_num_groups: Groups of the normalisations.
        norm_eps: Epsilon of the residual blocks' normalisations.
        cross_attention_dim: Width of the text embedding.
        attention_head_dim: *Number* of heads (the published key is a misnomer), one or per level.
        resnet_time_scale_shift: How residual blocks take the time embedding, see `ResnetBlock`.
        use_position_embedding: Add an embedding of the place in the picture, `PositionEmbedding`.
        use_text_time_embedding: Add the pooled prompt to the time embedding, `TextTimeEmbedding`.
        use_frame_embedding: Tell video frames their place in time, `FrameEmbedding`.

    Raises:
        ConfigError: The arguments do not fit together.

    Source: LaVie (arXiv:2309.15103), section 3.1, and the released weights.
    """

    fixed_values = FIXED_VALUES
    temporal_names = (".norm_temp.", ".attn_temp.", "frame_embedding.")
    published_in_channels: ClassVar[int] = 4
    block_class: ClassVar[type[SpatioTemporalBlock | InterpolationBlock]] = SpatioTemporalBlock

    @register_to_config
    def __init__(
        self,
        sample_size: int | None = 64,
        in_channels: int | None = None,
        out_channels: int = 4,
        down_block_types: tuple[str, ...] = (*["CrossAttnDownBlock3D"] * 3, "DownBlock3D"),
        up_block_types: tuple[str, ...] = ("UpBlock3D", *["CrossAttnUpBlock3D"] * 3),
        block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280),
        layers_per_block: int = 2,
        norm_num_groups: int = 32,
        norm_eps: float = 1e-5,
        cross_attention_dim: int = 768,
        attention_head_dim: int | tuple[int, ...] = 8,
        resnet_time_scale_shift: TimeScaleShift = "default",
        use_position_embedding: bool = False,
        use_text_time_embedding: bool = False,
        use_frame_embedding: bool = False,
    ) -> None:
        if in_channels is None:
            self.register_to_config(in_channels=self.published_in_channels)
        super().__init__()

    @staticmethod
    def input_channels(latent_channels: int) -> tuple[int, ...]:
        """Channels that the input may have: noisy latents, and a mask with the given frames."""
        return latent_channels, 2 * latent_channels + 1

    @property
    def takes_given_frames(self) -> bool:
        """Whether it goes on from given frames, as the published ``seine.pt``."""
        return self.config["in_channels"] == 2 * self.config["out_channels"] + 1

    @classmethod
    def from_base(cls, base: "BaseUNet", in_channels: int) -> Self:
        """A network to train, with all weights of another that it has a place for.

        The input that is added begins without effect: its part of the first convolution is zero.

        Args:
            base: The network that makes the videos, or one with the same input already.
            in_channels: Of the new network.

        Source: LaVie (arXiv:2309.15103), sections 3.2 and 5.6.
        """
        own: dict[str, Any] = {k: v for k, v in base.config.items() if not k.startswith("_")}
        network = cls.from_config(own | {"in_channels": in_channels})
        weights = base.state_dict()
        added = in_channels - base.config["in_channels"]
        weights["conv_in.weight"] = functional.pad(
            weights["conv_in.weight"], (0, 0, 0, 0, 0, added)
        )
        places = network.state_dict()
        network.load_state_dict({key: weights[key] for key in places}, strict=True)
        return network

    def make_transformer(self, width: int, heads: int, level: int | None) -> nn.Module:
        """Build the attention behind a residual block."""
        config: Any = self.config
        frame_embed_dim = 4 * config.block_out_channels[0] if config.use_frame_embedding else None
        block = self.block_class(width, heads, config.cross_attention_dim, frame_embed_dim)
        return SpatioTemporalTransformer(width, config.norm_num_groups, block)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        num_images: int = 0,
        frame_index: Tensor | None = None,
        on_layer: Callable[[], None] | None = None,
        frame_windows: FrameWindows | None = None,
        return_dict: bool = True,
    ) -> UNet3DConditionOutput | tuple[Tensor]:
        """Predict what the noise schedule asks for: the noise, or the velocity.

        Args:
            sample: Noisy latents ``(B, C, F, h, w)``; any F, h and w.
            timestep: One for all, or ``(B,)``; may be fractional.
            encoder_hidden_states: Text ``(B, L, D)``, or a text per frame, ``(B, F, L, D)``; equal
                neighbours are read once. With images, one text for the video followed
                by one per image, ``(B, 1 + num_images, L, D)``; without any video frame its text
                may be left out, ``(B, F, L, D)``.
            num_images: How many of the last frames are independent images; they bypass everything
                temporal. F means that there is no video.
            frame_index: Where in their clip the video frames lie, ``(F - num_images,)`` or
                ``(B, F - num_images)``; default 0, 1, 2, ...
            on_layer: Called after every layer, see `Condition`.
            frame_windows: Parts of the network's own length in which temporal attention sees a
                longer video; shorter ones are as without. None: all frames see each other.
            return_dict: False returns a tuple, as in diffusers.

        Returns:
            An output whose ``.sample`` is the prediction ``(B, out_channels, F, h, w)``.

        Raises:
            InputError: The shapes do not fit together.
        """
        condition = self.make_condition(
            sample,
            timestep,
            encoder_hidden_states,
            num_images,
            frame_index,
            on_layer,
            frame_windows,
        )
        output = self.denoise(sample, condition)
        return output if return_dict else (output.sample,)
