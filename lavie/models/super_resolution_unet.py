"""The video super-resolution network."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers.configuration_utils import register_to_config
from diffusers.models.unets.unet_3d_condition import UNet3DConditionOutput
from torch import Tensor, nn

from lavie.errors import ConfigError, InputError
from lavie.models.architecture import check_positive
from lavie.models.attention import SuperResolutionBlock, SuperResolutionTransformer
from lavie.models.base_unet import FIXED_VALUES as BASE_FIXED_VALUES
from lavie.models.blocks import TemporalModule, TimeScaleShift
from lavie.models.condition import Condition
from lavie.models.temporal_attention import RotaryEmbedding
from lavie.models.temporal_convolution import NUM_GROUPS, apply_to_video
from lavie.models.video_unet import VideoUNet

FIXED_VALUES: Mapping[str, Any] = {
    **{
        key: value
        for key, value in BASE_FIXED_VALUES.items()
        if key not in ("num_class_embeds", "only_cross_attention")
    },
    "use_linear_projection": True,
    "down_temporal_idx": [0, 1, 2, 3],
    "mid_temporal": True,
    "up_temporal_idx": [0, 1, 2, 3],
    "video_condition": False,
    "temporal_module_config": {
        "num_attention_layers": 1,
        "attention_block_types": ["", ""],
        "cross_frame_attention_mode": "0_i-1_i",
        "temporal_shift_fold_div": 2,
        "temporal_shift_direction": "right",
        "use_dcn_warpping": False,
        "use_deformable_conv": True,
        "attention_dim_div": 2,
    },
}
"""Keys of published configs that name a choice the super-resolution network never varies."""


class SuperResolutionUNet(VideoUNet):
    """LaVie's super-resolution network: Stable Diffusion's x4 upscaler with layers in time.

    It is given the small video, noised to a known level, as further input channels. Temporal
    convolutions stand before every transformer, and a `TemporalModule` behind every level. Fresh,
    all of them change nothing. Parameter names are those of the published ``lavie_vsr.pt``. The
    defaults are the published architecture; the options after ``max_noise_level`` are additions
    for small networks trained from nothing, and off.

    Args:
        sample_size: Latent height and width the weights were trained for; for information only.
        in_channels: Channels of the noisy latents and of the small video together.
        out_channels: Channels of the prediction.
        down_block_types: "CrossAttnDownBlock3D" or "DownBlock3D" per level, from the finest.
        up_block_types: "CrossAttnUpBlock3D" or "UpBlock3D" per level, from the coarsest.
        block_out_channels: Channels per level, from the finest; multiples of 32.
        layers_per_block: Residual blocks per level on the way down; one more on the way up.
        norm_num_groups: Groups of the normalisations, except those of the layers in time: 32.
        norm_eps: Epsilon of the residual blocks' normalisations.
        cross_attention_dim: Width of the text embedding.
        attention_head_dim: *Number* of heads (the published key is a misnomer), one or per level.
        only_cross_attention: Per level, from the finest: attend to the text in place of space.
        num_class_embeds: Noise levels there are embeddings for.
        max_noise_level: The highest that was trained.
        resnet_time_scale_shift: How residual blocks take the time embedding, see `ResnetBlock`.
        use_position_embedding: Add an embedding of the place in the picture, `PositionEmbedding`.
        use_text_time_embedding: Add the pooled prompt to the time embedding, `TextTimeEmbedding`.

    Raises:
        ConfigError: The arguments do not fit together.

    Source: LaVie (arXiv:2309.15103), section 3.3, and the released weights.
    """

    fixed_values = FIXED_VALUES
    temporal_names = ("temporal",)

    _no_split_modules = ["ResnetBlock", "SuperResolutionTransformer"]  # noqa: RUF012 - their form
    _repeated_blocks = ["SuperResolutionBlock"]  # noqa: RUF012

    @register_to_config
    def __init__(
        self,
        sample_size: int | None = 128,
        in_channels: int = 7,
        out_channels: int = 4,
        down_block_types: tuple[str, ...] = ("DownBlock3D", *["CrossAttnDownBlock3D"] * 3),
        up_block_types: tuple[str, ...] = (*["CrossAttnUpBlock3D"] * 3, "UpBlock3D"),
        block_out_channels: tuple[int, ...] = (256, 512, 512, 1024),
        layers_per_block: int = 2,
        norm_num_groups: int = 32,
        norm_eps: float = 1e-5,
        cross_attention_dim: int = 1024,
        attention_head_dim: int | tuple[int, ...] = 8,
        only_cross_attention: tuple[bool, ...] = (True, True, True, False),
        num_class_embeds: int = 1000,
        max_noise_level: int = 350,
        resnet_time_scale_shift: TimeScaleShift = "default",
        use_position_embedding: bool = False,
        use_text_time_embedding: bool = False,
    ) -> None:
        check_positive(num_class_embeds=num_class_embeds)
        self._check_levels(block_out_channels, only_cross_attention)
        super().__init__()
        time_embed_dim = 4 * block_out_channels[0]
        self.class_embedding = nn.Embedding(num_class_embeds, time_embed_dim)
        self.temporal_rotary_emb = RotaryEmbedding()  # a name in the published file; unused

        def modules(widths: tuple[int, ...]) -> nn.ModuleList:
            return nn.ModuleList(TemporalModule(width, time_embed_dim) for width in widths)

        self.down_temporal_blocks = modules(tuple(block_out_channels))
        self.mid_temporal_block = TemporalModule(block_out_channels[-1], time_embed_dim)
        self.up_temporal_blocks = modules(tuple(reversed(block_out_channels)))

    @staticmethod
    def input_channels(latent_channels: int) -> tuple[int, ...]:
        """Channels that the network's input may have: noisy latents and the small picture's."""
        return (latent_channels + 3,)

    def make_transformer(self, width: int, heads: int, level: int | None) -> nn.Module:
        """Build the attention behind a residual block; the middle of the U attends in space."""
        config: Any = self.config
        only_cross_attention = level is not None and config.only_cross_attention[level]
        block = SuperResolutionBlock(width, heads, config.cross_attention_dim, only_cross_attention)
        return SuperResolutionTransformer(width, config.norm_num_groups, block)

    def refine(self, part: str, index: int, hidden_states: Tensor, condition: Condition) -> Tensor:
        """Run the temporal module that stands behind a block."""
        module = {
            "down": self.down_temporal_blocks,
            "mid": [self.mid_temporal_block],
            "up": self.up_temporal_blocks,
        }[part][index]
        return apply_to_video(module, hidden_states, condition)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        low_res: Tensor,
        class_labels: Tensor,
        num_images: int = 0,
        on_layer: Callable[[], None] | None = None,
        return_dict: bool = True,
    ) -> UNet3DConditionOutput | tuple[Tensor]:
        """Predict what the noise schedule asks for: the velocity, in the published network.

        Args:
            sample: Noisy latents ``(B, 4, F, h, w)``; any F, h and w.
            timestep: One for all, or ``(B,)``.
            encoder_hidden_states: Text ``(B, L, D)``; with images, as in `BaseUNet.forward`.
            low_res: The small video ``(B, 3, F, h, w)``, pixels in [-1, 1] and noised.
            class_labels: Noise level of ``low_res``, ``(B,)`` whole numbers.
            num_images: How many of the last frames are independent images; they bypass everything
                temporal.
            on_layer: Called after every layer, see `Condition`.
            return_dict: False returns a tuple, as in diffusers.

        Returns:
            An output whose ``.sample`` is the prediction ``(B, out_channels, F, h, w)``.

        Raises:
            InputError: The shapes do not fit together, or a noise level is too high.
        """
        if low_res.shape[2:] != sample.shape[2:]:
            raise InputError(
                f"The small video is {tuple(low_res.shape[2:])} (frames, height, width), but the "
                f"latents are {tuple(sample.shape[2:])}; both must agree."
            )
        sample = torch.cat([sample, low_res], dim=1)
        condition = self.make_condition(
            sample, timestep, encoder_hidden_states, num_images, on_layer=on_layer
        )
        level_embed = self.class_embedding(self._check_noise_level(class_labels, len(sample)))
        condition = condition._replace(
            time_embed=condition.time_embed + level_embed[:, None].to(sample.dtype)
        )
        output = self.denoise(sample, condition)
        return output if return_dict else (output.sample,)

    @staticmethod
    def _check_levels(widths: tuple[int, ...], only_cross_attention: tuple[bool, ...]) -> None:
        if len(only_cross_attention) != len(widths):
            raise ConfigError(
                f"only_cross_attention has {len(only_cross_attention)} values for "
                f"{len(widths)} levels; give one per level."
            )
        for width in widths:
            if width % NUM_GROUPS:
                raise ConfigError(
                    f"block_out_channels {width} is not a multiple of {NUM_GROUPS}, as the layers "
                    "in time need."
                )

    def _check_noise_level(self, class_labels: Tensor, batch: int) -> Tensor:
        if class_labels.shape != (batch,):
            raise InputError(
                f"class_labels has shape {tuple(class_labels.shape)}; it must be ({batch},), one "
                "noise level per video."
            )
        config: Any = self.config
        highest = min(config.max_noise_level, config.num_class_embeds - 1)
        has_values = not (torch.compiler.is_compiling() or class_labels.is_meta)
        if has_values and (class_labels.min() < 0 or class_labels.max() > highest):
            raise InputError(f"The noise level must lie between 0 and {highest}.")
        return class_labels
