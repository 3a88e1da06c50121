"""What a training does unless it is told otherwise, by the model's size and the effort.

Nothing heavy is imported here, so that a page can tell how long a training takes.
"""

from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["thing", "character", "style"]
Effort = Literal["quick", "normal", "thorough"]

_USUAL: Mapping[str, Any] = {
    "moves": False,
    "whole": False,
    "dropout": 0.0,
    "train_text_encoder": False,
    "caption_dropout": 0.1,
    "prior_every": 1,
    "timesteps": (0, 1000),
    "high_noise_share": 0.0,
    "high_noise": (600, 1000),
    "schedule": "cosine",
    "warmup_steps": 10,
    "weight_decay": 0.01,
    "gradient_accumulation_steps": 1,
    "mirror": False,
}
_SMALL: Mapping[str, Any] = {
    "parts": ("attention", "feed_forward", "projections", "convolutions", "conditioning"),
    "timesteps": (0, 800),  # above, a still says where a thing is, which is for motion to decide
    "moves": True,
    "whole": True,
    "rank": 64,  # as many as its narrower layers have channels
    "weight_decay": 0.0,
    "learning_rate": 1.2e-3,
    "embedding_learning_rate": 1e-3,
    "batch_size": 16,
    "prior_weight": 0.3,
    "prior_rows": 1,
    "num_prior_images": 32,
    "focus_weight": 3.0,
    "num_variants": 128,
    "shift": 0.15,
    "zoom": 0.05,
    "ema_decay": 0.97,
    "gradient_checkpointing": False,
    "checkpoint_every": 50,
    "evaluate_every": 20,
    "patience": 100,
}
_MOVING: Mapping[str, Any] = {  # what differs for the small one, in clips
    "timesteps": (0, 1000),  # where a thing is, is what its caption says
    "batch_size": 1,
    "prior_weight": 4.0,
    "prior_rows": 1,
    "prior_every": 3,
    "caption_dropout": 0.3,  # of what is seen in a third of the steps
    "num_prior_images": 16,
    "num_variants": 16,
    "focus_weight": 8.0,
}
_LOOKS: Mapping[str, Any] = {  # what differs for the small one, of styles
    "timesteps": (0, 1000),  # the noisiest decide the colours
    "high_noise_share": 0.3,
    "high_noise": (700, 1000),
    "learning_rate": 8e-4,  # more, and subjects dissolve
    "prior_weight": 1.0,
}
_LARGE: Mapping[str, Any] = {
    "parts": ("attention",),
    "rank": 16,
    "learning_rate": 1e-4,
    "embedding_learning_rate": 5e-4,
    "batch_size": 1,
    "prior_weight": 1.0,
    "prior_rows": 1,
    "num_prior_images": 50,
    "min_snr_gamma": 5.0,
    "focus_weight": 1.0,
    "num_variants": 8,
    "shift": 0.05,
    "zoom": 0.1,
    "ema_decay": 0.99,
    "gradient_checkpointing": True,
    "checkpoint_every": 50,
    "evaluate_every": 50,
    "patience": 300,
}
_SMALL_STEPS: Mapping[Effort, int] = {"quick": 200, "normal": 400, "thorough": 1500}
_LARGE_STEPS: Mapping[Effort, int] = {"quick": 400, "normal": 1000, "thorough": 2500}
_NUM_FRAMES = 16  # of a clip


def recipe(
    effort: Effort, is_small: bool, moves: bool = False, is_style: bool = False
) -> dict[str, Any]:
    """All settings that a person may leave open, by name.

    Args:
        effort: How long to train.
        is_small: Whether the model is of the miniature's kind, else of Stable Diffusion's.
        moves: Whether pictures are shown as clips.
        is_style: Whether a style is learnt.
    """
    return {
        **_USUAL,
        **(_SMALL if is_small else _LARGE),
        **(_LOOKS if is_small and is_style else {}),
        **(_MOVING if moves else {}),
        "num_steps": num_steps_of(effort, is_small),
    }


def num_steps_of(effort: Effort, is_small: bool) -> int:
    """Optimizer steps of an effort."""
    return (_SMALL_STEPS if is_small else _LARGE_STEPS)[effort]


def num_pictures_per_step(is_small: bool) -> int:
    """Stills, or frames of clips, of a step on average, those of the model's own included."""
    own = recipe("normal", is_small, moves=is_small)
    rows = own["batch_size"] + own["prior_rows"] / own["prior_every"]
    return round(rows * (_NUM_FRAMES if is_small else 1))
