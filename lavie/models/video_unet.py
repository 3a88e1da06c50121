"""What the three networks share: a latent U-Net that denoises all frames of a video together."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, get_args

import torch
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
from lavie.models.blocks import MidBlock, ResnetBlock, TimeScaleShift
from lavie.models.condition import Condition, share_equal_neighbours, spread_over_frames
from lavie.models.embeddings import FrameEmbedding, PositionEmbedding, TextTimeEmbedding
from lavie.models.frame_windows import FrameWindows
from lavie.models.keys import compare_keys
from lavie.models.normalization import VideoGroupNorm
from lavie.models.temporal_attention import ROTARY_WIDTH
from lavie.models.u_shape import has_attention, make_down_blocks, make_up_blocks
from lavie.models.video_model import VideoModel


class VideoUNet(VideoModel, ABC):
    """The U of LaVie's networks, built from the config that a subclass has registered.

    Subclasses say what a transformer is (`make_transformer`), and how wide its heads must be.

    Raises:
        ConfigError: The values of the config do not fit together.
    """

    min_head_width: ClassVar[int] = ROTARY_WIDTH

    def __init__(self) -> None:
        super().__init__()
        config: Any = self.config
        check_lists(
            block_out_channels=config.block_out_channels,
            down_block_types=config.down_block_types,
            up_block_types=config.up_block_types,
        )
        widths, groups = config.block_out_channels, config.norm_num_groups
        check_positive(
            in_channels=config.in_channels,
            out_channels=config.out_channels,
            layers_per_block=config.layers_per_block,
            norm_num_groups=groups,
            cross_attention_dim=config.cross_attention_dim,
        )
        check_groups(widths, groups)
        check_block_types("down_block_types", config.down_block_types, "Down", len(widths))
        check_block_types("up_block_types", config.up_block_types, "Up", len(widths))
        in_use = [
            has_attention(down) or has_attention(up)
            for down, up in zip(config.down_block_types, config.up_block_types[::-1], strict=True)
        ]
        in_use[-1] = True  # the middle of the U always has attention
        heads = check_heads(config.attention_head_dim, widths, in_use, self.min_head_width)
        time_scale_shift: TimeScaleShift = config.resnet_time_scale_shift
        check_choice(time_scale_shift, get_args(TimeScaleShift), name="resnet_time_scale_shift")

        first, last = widths[0], widths[-1]
        time_embed_dim, text_dim = 4 * first, config.cross_attention_dim

        def resnet(inputs: int, outputs: int) -> ResnetBlock:
            return ResnetBlock(
                inputs, outputs, time_embed_dim, groups, config.norm_eps, time_scale_shift
            )

        def transformer(level: int) -> nn.Module:
            return self.make_transformer(widths[level], heads[level], level)

        self.conv_in = nn.Conv2d(config.in_channels, first, kernel_size=3, padding=1)
        self.time_proj = Timesteps(first, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(first, time_embed_dim)
        self.position_embedding = (
            PositionEmbedding(first) if config.use_position_embedding else None
        )
        self.text_embedding = (
            TextTimeEmbedding(text_dim, time_embed_dim) if config.use_text_time_embedding else None
        )
        self.frame_embedding = (
            FrameEmbedding(first, text_dim, time_embed_dim)
            if config.get("use_frame_embedding")
            else None
        )

        sizes = (widths, config.layers_per_block)
        self.down_blocks, skip_channels = make_down_blocks(
            config.down_block_types, *sizes, resnet, transformer
        )
        middle = self.make_transformer(last, heads[-1], level=None)
        self.mid_block = MidBlock([resnet(last, last), resnet(last, last)], [middle])
        self.up_blocks = make_up_blocks(
            config.up_block_types, *sizes, skip_channels, resnet, transformer
        )
        self.conv_norm_out = VideoGroupNorm(groups, first, eps=config.norm_eps)
        self.conv_out = nn.Conv2d(first, config.out_channels, kernel_size=3, padding=1)

    @abstractmethod
    def make_transformer(self, width: int, heads: int, level: int | None) -> nn.Module:
        """Build the attention behind a residual block.

        Args:
            width: Channels.
            heads: Number of heads.
            level: 0 is the finest; None is the middle of the U.
        """

    @property
    def num_layers(self) -> int:
        """How often a call tells ``on_layer`` of a layer."""
        blocks = (*self.down_blocks, *self.up_blocks)
        return 1 + sum(len(block.resnets) for block in blocks)  # pyright: ignore[reportArgumentType]

    def refine(self, part: str, index: int, hidden_states: Tensor, condition: Condition) -> Tensor:
        """What follows a whole block: ``part`` is "down", "mid" or "up". Nothing, by default."""
        return hidden_states

    def denoise(self, sample: Tensor, condition: Condition) -> UNet3DConditionOutput:
        """Run the U on ``(B, C, F, h, w)``; see the subclasses' ``forward``."""
        hidden_states = rearrange(sample, "b c f h w -> (b f) c h w")
        hidden_states = self.conv_in(hidden_states.contiguous(memory_format=torch.channels_last))
        if self.position_embedding is not None:
            hidden_states = self.position_embedding(hidden_states)

        skips = [hidden_states]
        for index, down_block in enumerate(self.down_blocks):
            hidden_states, new_skips = down_block(hidden_states, condition)
            skips += new_skips
            hidden_states = self.refine("down", index, hidden_states, condition)

        hidden_states = self.mid_block(hidden_states, condition)
        hidden_states = self.refine("mid", 0, hidden_states, condition)

        multiple = 2 ** (len(self.up_blocks) - 1)
        is_odd = any(size % multiple for size in sample.shape[-2:])
        for index, up_block in enumerate(self.up_blocks):
            hidden_states = up_block(hidden_states, skips, condition, upsample_to_skip=is_odd)
            hidden_states = self.refine("up", index, hidden_states, condition)

        hidden_states = functional.silu(self.conv_norm_out(hidden_states, condition.num_frames))
        prediction = self.conv_out(hidden_states)
        return UNet3DConditionOutput(
            rearrange(prediction, "(b f) c h w -> b c f h w", f=condition.num_frames)
        )

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

    def make_condition(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        text: Tensor,
        num_images: int,
        frame_index: Tensor | None = None,
        on_layer: Callable[[], None] | None = None,
        frame_windows: FrameWindows | None = None,
    ) -> Condition:
        """Embed the timestep, the text and the places in time, after checking that all shapes fit.

        Videos that are not longer than a window are as without windows. In longer ones the learned
        frame embedding, which knows no later places, is stretched over the whole video.

        Raises:
            InputError: They do not.
        """
        if sample.ndim != 5:
            raise InputError(f"Latents {tuple(sample.shape)} should be (B, C, F, h, w).")
        batch, _, num_frames = sample.shape[:3]
        num_video_frames = num_frames - num_images
        text = text[:, None] if text.ndim == 3 else text  # (B, S, L, D)
        if not num_video_frames and text.shape[1] == 1 + num_images:
            text = text[:, 1:]  # nobody reads the text of a video that is not there
        self._check_shapes(sample, text, num_images)
        text_index = None
        if not num_images and text.shape[1] > 1:
            text, text_index = share_equal_neighbours(text)
        if frame_windows is not None and num_video_frames <= frame_windows.length:
            frame_windows = None
        if frame_index is None:
            frame_index = torch.arange(num_video_frames, device=sample.device)
        frame_index = frame_index.reshape(-1, num_video_frames) if num_video_frames else frame_index

        timestep = torch.as_tensor(timestep, device=sample.device).reshape(-1)
        if len(timestep) not in (1, batch):
            raise InputError(f"{len(timestep)} timesteps for {batch} samples; give one or as many.")
        timestep = timestep.expand(batch)
        time_embed = self.time_embedding(self.time_proj(timestep).to(sample.dtype))[:, None]
        if self.text_embedding is not None:
            pooled = self.text_embedding(text)
            if pooled.shape[1] > 1:
                pooled = spread_over_frames(pooled, num_frames, text_index)
            time_embed = time_embed + pooled
        frame_embed = None
        if self.frame_embedding is not None and num_video_frames:
            moments = frame_index if frame_windows is None else frame_windows.stretch(frame_index)
            video_text = text[:, :1] if text_index is None else text[:, text_index]
            frame_embed, moment = self.frame_embedding(moments, video_text)
            time_embed = time_embed + functional.pad(moment, (0, 0, 0, num_images))
        return Condition(
            time_embed,
            text,
            num_frames,
            num_images,
            frame_index,
            frame_embed,
            on_layer,
            text_index=text_index,
            frame_windows=frame_windows,
        )

    def _check_shapes(self, sample: Tensor, text: Tensor, num_images: int) -> None:
        channels, num_frames = sample.shape[1:3]
        if channels != self.conv_in.in_channels:
            raise InputError(
                f"The latents have {channels} channels; this model takes "
                f"{self.conv_in.in_channels}."
            )
        if not 0 <= num_images <= num_frames:
            raise InputError(f"num_images {num_images} must lie between 0 and {num_frames} frames.")
        batch, width = len(sample), self.config["cross_attention_dim"]
        if text.ndim != 4 or (len(text), text.shape[3]) != (batch, width):
            raise InputError(
                f"The text {tuple(text.shape)} should be ({batch}, L, {width}), "
                f"({batch}, {num_frames}, L, {width}) for a text per frame, or "
                f"({batch}, 1 + num_images, L, {width}) with independent images."
            )
        slots = num_images + (num_images < num_frames)
        if text.shape[1] != slots and (num_images or text.shape[1] != num_frames):
            raise InputError(
                f"The text has {text.shape[1]} prompts per sample; {num_frames} frames with "
                f"{num_images} independent images need {slots}."
            )
