"""The base text-to-video network: a latent U-Net that denoises all frames of a video together."""

from collections.abc import Mapping
from typing import Any, get_args

import torch
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.unets.unet_3d_condition import UNet3DConditionOutput
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from lavie.errors import CheckpointError, InputError
from lavie.models.architecture import (
    check_block_types,
    check_choice,
    check_groups,
    check_heads,
    check_lists,
    check_positive,
)
from lavie.models.attention import SpatioTemporalTransformer
from lavie.models.blocks import MidBlock, ResnetBlock, TimeScaleShift
from lavie.models.condition import Condition, spread_over_frames
from lavie.models.embeddings import FrameEmbedding, PositionEmbedding, TextTimeEmbedding
from lavie.models.keys import compare_keys
from lavie.models.normalization import VideoGroupNorm
from lavie.models.temporal_attention import ROTARY_WIDTH
from lavie.models.u_shape import make_down_blocks, make_up_blocks
from lavie.models.video_model import VideoModel

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

TEMPORAL_NAMES = (".norm_temp.", ".attn_temp.", "frame_embedding.")
"""Parts of parameter names that only videos use; images never pass through them."""


class BaseUNet(VideoModel):
    """LaVie's base network: Stable Diffusion's image U-Net with attention in time.

    Convolutions and spatial attention see single frames; residual normalisation and temporal
    attention see whole videos. Parameter names are those of the published ``lavie_base.pt``.
    The defaults are the published architecture; the options after ``attention_head_dim`` are
    additions for small networks trained from nothing, and off.

    Args:
        sample_size: Latent height and width the weights were trained for; for information only.
        in_channels: Channels of the noisy latents; 9 for networks that are given masked frames.
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
    temporal_names = TEMPORAL_NAMES

    @register_to_config
    def __init__(
        self,
        sample_size: int | None = 64,
        in_channels: int = 4,
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
        super().__init__()
        check_positive(
            in_channels=in_channels,
            out_channels=out_channels,
            layers_per_block=layers_per_block,
            norm_num_groups=norm_num_groups,
            cross_attention_dim=cross_attention_dim,
        )
        check_lists(
            block_out_channels=block_out_channels,
            down_block_types=down_block_types,
            up_block_types=up_block_types,
        )
        levels = len(block_out_channels)
        heads = check_heads(attention_head_dim, block_out_channels, ROTARY_WIDTH)
        check_groups(block_out_channels, norm_num_groups)
        check_block_types("down_block_types", down_block_types, "Down", levels)
        check_block_types("up_block_types", up_block_types, "Up", levels)
        check_choice(
            resnet_time_scale_shift, get_args(TimeScaleShift), name="resnet_time_scale_shift"
        )

        first, last = block_out_channels[0], block_out_channels[-1]
        time_embed_dim = 4 * first

        def resnet(inputs: int, outputs: int) -> ResnetBlock:
            return ResnetBlock(
                inputs, outputs, time_embed_dim, norm_num_groups, norm_eps, resnet_time_scale_shift
            )

        def transformer(level: int) -> SpatioTemporalTransformer:
            frame_embed_dim = time_embed_dim if use_frame_embedding else None
            return SpatioTemporalTransformer(
                block_out_channels[level],
                heads[level],
                cross_attention_dim,
                norm_num_groups,
                frame_embed_dim,
            )

        self.conv_in = nn.Conv2d(in_channels, first, kernel_size=3, padding=1)
        self.time_proj = Timesteps(first, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(first, time_embed_dim)
        self.position_embedding = PositionEmbedding(first) if use_position_embedding else None
        self.text_embedding = (
            TextTimeEmbedding(cross_attention_dim, time_embed_dim)
            if use_text_time_embedding
            else None
        )
        self.frame_embedding = (
            FrameEmbedding(first, cross_attention_dim, time_embed_dim)
            if use_frame_embedding
            else None
        )

        sizes = (block_out_channels, layers_per_block)
        self.down_blocks, skip_channels = make_down_blocks(
            down_block_types, *sizes, resnet, transformer
        )
        self.mid_block = MidBlock([resnet(last, last), resnet(last, last)], [transformer(-1)])
        self.up_blocks = make_up_blocks(up_block_types, *sizes, skip_channels, resnet, transformer)
        self.conv_norm_out = VideoGroupNorm(norm_num_groups, first, eps=norm_eps)
        self.conv_out = nn.Conv2d(first, out_channels, kernel_size=3, padding=1)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        num_images: int = 0,
        frame_index: Tensor | None = None,
        return_dict: bool = True,
    ) -> UNet3DConditionOutput | tuple[Tensor]:
        """Predict what the noise schedule asks for: the noise, or the velocity.

        Args:
            sample: Noisy latents ``(B, C, F, h, w)``; any F, h and w.
            timestep: One for all, or ``(B,)``; may be fractional.
            encoder_hidden_states: Text ``(B, L, D)``. With images, one text for the video followed
                by one per image, ``(B, 1 + num_images, L, D)``; without any video frame its text
                may be left out, ``(B, F, L, D)``.
            num_images: How many of the last frames are independent images; they bypass everything
                temporal. F means that there is no video.
            frame_index: Where in their clip the video frames lie, ``(F - num_images,)`` or
                ``(B, F - num_images)``; default 0, 1, 2, ...
            return_dict: False returns a tuple, as in diffusers.

        Returns:
            An output whose ``.sample`` is the prediction ``(B, out_channels, F, h, w)``.

        Raises:
            InputError: The shapes do not fit together.
        """
        condition = self._condition(
            sample, timestep, encoder_hidden_states, num_images, frame_index
        )
        hidden_states = rearrange(sample, "b c f h w -> (b f) c h w")
        hidden_states = self.conv_in(hidden_states.contiguous(memory_format=torch.channels_last))
        if self.position_embedding is not None:
            hidden_states = self.position_embedding(hidden_states)

        skips = [hidden_states]
        for down_block in self.down_blocks:
            hidden_states, new_skips = down_block(hidden_states, condition)
            skips += new_skips

        hidden_states = self.mid_block(hidden_states, condition)

        multiple = 2 ** (len(self.up_blocks) - 1)
        is_odd = any(size % multiple for size in sample.shape[-2:])
        for up_block in self.up_blocks:
            hidden_states = up_block(hidden_states, skips, condition, upsample_to_skip=is_odd)

        hidden_states = functional.silu(self.conv_norm_out(hidden_states, condition.num_frames))
        prediction = self.conv_out(hidden_states)
        prediction = rearrange(prediction, "(b f) c h w -> b c f h w", f=condition.num_frames)
        return UNet3DConditionOutput(prediction) if return_dict else (prediction,)

    def load_image_weights(self, state_dict: Mapping[str, Tensor]) -> None:
        """Take the weights of an image network and leave the temporal layers as they are.

        Stable Diffusion's U-Net and a network trained on images alone have the same names. With
        fresh temporal layers the result makes of every frame what the image network would.

        Args:
            state_dict: Weights without temporal keys; those it has are loaded too.

        Raises:
            CheckpointError: A key is missing, unknown, or of another shape.
        """
        expected = {
            key: value
            for key, value in self.state_dict().items()
            if key in state_dict or not self.is_temporal(key)
        }
        report = compare_keys(expected, state_dict)
        if not report.fits:
            raise CheckpointError(
                f"The image weights belong to another architecture: {report.summary()}."
            )
        self.load_state_dict(dict(state_dict), strict=False)

    def _condition(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        text: Tensor,
        num_images: int,
        frame_index: Tensor | None,
    ) -> Condition:
        batch, _, num_frames = sample.shape[:3]
        num_video_frames = num_frames - num_images
        text = text[:, None] if text.ndim == 3 else text  # (B, S, L, D)
        if not num_video_frames and text.shape[1] == 1 + num_images:
            text = text[:, 1:]  # nobody reads the text of a video that is not there
        self._check_shapes(sample, text, num_images)
        if frame_index is None:
            frame_index = torch.arange(num_video_frames, device=sample.device)
        frame_index = frame_index.reshape(-1, num_video_frames) if num_video_frames else frame_index

        timestep = torch.as_tensor(timestep, device=sample.device).reshape(-1).expand(batch)
        time_embed = self.time_embedding(self.time_proj(timestep).to(sample.dtype))[:, None]
        if self.text_embedding is not None:
            pooled = self.text_embedding(text)
            pooled = pooled if pooled.shape[1] == 1 else spread_over_frames(pooled, num_frames)
            time_embed = time_embed + pooled
        frame_embed = None
        if self.frame_embedding is not None and num_video_frames:
            frame_embed, moment = self.frame_embedding(frame_index, text[:, 0])
            time_embed = time_embed + functional.pad(moment, (0, 0, 0, num_images))
        return Condition(time_embed, text, num_frames, num_images, frame_index, frame_embed)

    def _check_shapes(self, sample: Tensor, text: Tensor, num_images: int) -> None:
        channels, num_frames = sample.shape[1:3]
        if channels != self.conv_in.in_channels:
            raise InputError(
                f"The latents have {channels} channels; this model takes "
                f"{self.conv_in.in_channels}."
            )
        if not 0 <= num_images <= num_frames:
            raise InputError(f"num_images {num_images} must lie between 0 and {num_frames} frames.")
        slots = num_images + (num_images < num_frames)
        if text.shape[1] != slots:
            raise InputError(
                f"The text has {text.shape[1]} prompts per sample; {num_frames} frames with "
                f"{num_images} independent images need {slots}."
            )
