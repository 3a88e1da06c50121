"""Settings of a personal LoRA: what a person says, and what the model and the effort decide."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator

from lavie.config import Config
from lavie.data.world import HEIGHT, MOTIONS, PLACES, WIDTH
from lavie.errors import ConfigError, InputError
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.training.config import OptimizerConfig
from lavie.training.diffusion import DiffusionConfig
from lavie.training.model import VideoConfig, check_size
from lavie.training.stages.denoising import DenoisingConfig
from lora.efforts import Effort, Kind, recipe
from lora.inject import SpatialPart
from lora.limits import (
    MAX_CLASS_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PICTURES,
    MAX_TRIGGER_LENGTH,
)
from lora.words import Tokenizer, check_trigger, known_words, spells, world_words

Share = Annotated[float, Field(ge=0, le=1)]
Levels = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(le=1000)]]


class PersonalConfig(Config):
    """What is to be learnt, from which pictures. All that is null, the model and effort decide."""

    model: str = "miniature"
    """A model folder, a hub id, or "miniature"."""
    output: Path
    """Folder of the run: checkpoints, metrics.jsonl, samples, and in the end lora.safetensors."""
    images: Annotated[tuple[Path, ...], Field(min_length=1, max_length=MAX_PICTURES)]
    """Pictures of one thing, one character or one style."""
    captions: tuple[str, ...] = ()
    """One for each picture, or none; an empty one is made from the template of the kind."""
    tells_captions: bool = False
    """Whether the file tells the captions to whoever gets it, as other programs' files do."""
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH)]
    """Title, shown to people."""
    token: Annotated[str, Field(min_length=1, max_length=MAX_TRIGGER_LENGTH)]
    """The word that calls it, best a made-up one, as "zog"."""
    class_word: Annotated[str, Field(max_length=MAX_CLASS_LENGTH)] = ""
    """What it is, as "fox" or "dog"; may be empty."""
    kind: Kind = "thing"
    """A thing, a character, which is learnt as a thing is and only listed apart, or a style: how
    pictures look, so that nothing is cut out of them."""
    effort: Effort = "normal"
    """How long to train."""
    recipe: Literal["small", "large"] | None = None
    """Whose settings hold where none are given: those for networks as small as the miniature, or as
    large as the published one; null: as the model's size says."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides the first weights, the order of the pictures and all noise."""

    num_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    """Peak learning rate of the layers."""
    embedding_learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    """Peak learning rate of the trigger word's embedding."""
    rank: Annotated[int, Field(ge=1, le=256)] | None = None
    """Rank of the matrices: more can hold more, and forgets more."""
    alpha: Annotated[float, Field(gt=0)] | None = None
    """Scale of the product, divided by the rank; null: the rank. Given, no layer learns as a whole;
    likewise of a dropout."""
    moves: bool | None = None
    """Whether a thing that can be taken off its ground is shown in clips of the model's own world,
    doing what the caption says, instead of in stills; only a model of that world can."""
    whole: bool | None = None
    """Whether layers learn as a whole, and the file gets the LoRA of ``rank`` that is nearest to
    what they came to: faster than a LoRA where a layer has hardly more channels than that. Tried
    on the miniature alone."""
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Share of a layer's inputs that its LoRA does not see while it learns."""
    parts: tuple[SpatialPart, ...] | None = None
    """Which spatial layers learn: attention, feed_forward, projections, convolutions,
    conditioning."""
    also_temporal: bool = False
    """Whether attention over time learns too: an ablation."""
    train_text_encoder: bool | None = None
    """Whether the text encoder's attention learns as well."""
    train_embedding: bool | None = None
    """Whether the trigger word gets an embedding of its own; null: if the model would spell it."""
    batch_size: Annotated[int, Field(ge=1)] | None = None
    """Stills of the new thing, or clips, in a step."""
    prior_weight: Annotated[float, Field(ge=0)] | None = None
    """How much stills count that the model has made of its own, so that it stays what it was."""
    prior_rows: Annotated[int, Field(ge=0)] | None = None
    """Such stills, or clips, in a step, besides those of the new thing."""
    prior_every: Annotated[int, Field(ge=1)] | None = None
    """Steps from one that sees them to the next."""
    num_prior_images: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Such stills or clips in all; 0 makes none."""
    min_snr_gamma: Annotated[float, Field(ge=0)] | None = None
    """Min-SNR loss weighting (arXiv:2303.09556); 0: none."""
    timesteps: Levels | None = None
    """Noise levels that are trained, from the first to before the second."""
    high_noise_share: Share | None = None
    """Share of stills that get a level of `high_noise`."""
    high_noise: Levels | None = None
    """The noisiest levels, which decide what a picture shows."""
    focus_weight: Annotated[float, Field(ge=0)] | None = None
    """How much more the place counts where the subject is."""
    caption_dropout: Share | None = None
    """Share of the captions of the model's own that are left out.

    What is shown without a caption, from which guidance leads away, stays the model's own so.
    """
    num_variants: Annotated[int, Field(ge=1, le=256)] | None = None
    """Crops of each picture, a little shifted and scaled."""
    shift: Annotated[float, Field(ge=0, le=0.5)] | None = None
    """The most that a crop is shifted, as a share of its sides; of stills only."""
    zoom: Annotated[float, Field(ge=0, le=0.5)] | None = None
    """The most that a crop is wider or narrower, as a share of its sides; of stills only."""
    mirror: bool | None = None
    """Whether every second crop is mirrored; null: no, as faces and letters have a side."""
    schedule: Literal["constant", "linear", "cosine"] | None = None
    """What the learning rate does after the warm-up."""
    warmup_steps: Annotated[int, Field(ge=0)] | None = None
    """Steps over which the learning rate rises from 0."""
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    """Decoupled weight decay of the layers."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Decay of the running average, which is what is kept."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1)] | None = None
    """Forward passes per step."""
    gradient_checkpointing: bool | None = None
    """Compute activations again in the backward pass: less memory, more time."""
    mixed_precision: Literal["no", "fp16", "bf16"] | None = None
    """Arithmetic; null: half precision on a GPU."""
    optimizer_8bit: bool | None = None
    """Keep AdamW's means in 8 bits; null: on a GPU with bitsandbytes."""
    height: Annotated[int, Field(ge=8)] | None = None
    """Height of the stills in pixels; null: the model's own."""
    width: Annotated[int, Field(ge=8)] | None = None
    """Width of the stills in pixels; null: the model's own."""
    held_out: bool = False
    """Keep the last picture apart: the state that predicts it best is kept, and if it does not get
    better for a while, training stops."""
    evaluate_every: Annotated[int, Field(ge=1)] | None = None
    """Steps between two looks at the picture kept apart."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Steps without a better look after which training stops."""
    sample_every: Annotated[int, Field(ge=0)] | None = None
    """Steps between two sample videos; 0 makes none; null: four on the way, or fewer."""
    num_samples: Annotated[int, Field(ge=1, le=8)] = 1
    """Videos of each sample."""
    sample_prompts: tuple[str, ...] = ()
    """What the samples show; empty: the thing in motion."""
    checkpoint_every: Annotated[int, Field(ge=1)] | None = None
    """Steps between two checkpoints: the most that a kill can lose."""

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.captions and len(self.captions) != len(self.images):
            raise ValueError(
                f"There are {len(self.captions)} captions for {len(self.images)} images. "
                "Give one for each, or none."
            )
        if self.whole and (self.alpha is not None or self.dropout):
            raise ValueError(
                "Layers that learn as a whole have no alpha and no dropout. Leave both out, or set "
                "whole to false."
            )
        if self.whole and self.weight_decay:
            raise ValueError(
                "Layers that learn as a whole would decay to nothing instead of to what they were. "
                "Leave weight_decay out, or set whole to false."
            )
        if self.held_out and len(self.images) < 3:
            raise ValueError(
                f"Of {len(self.images)} images none can be kept apart. Use 3, or no held_out."
            )
        return self


class PersonalRun(DenoisingConfig):
    """All settings of a run, with nothing left open."""

    made_of: ClassVar[Mapping[str, str]] = {
        "pictures": "was trained on other pictures, captions or another class. Give another "
        "--token or --output.",
        "base": "was trained on another model. Give another --output.",
    }
    pictures: str
    """Hash of the pictures and their captions."""
    base: str
    """The model it is for, by the hash of its weights."""
    token: str
    """See `PersonalConfig`, as for the following."""
    kind: Kind
    rank: int
    alpha: float
    whole: bool
    dropout: float
    parts: tuple[SpatialPart, ...]
    also_temporal: bool
    train_embedding: bool
    embedding_learning_rate: float
    prior_weight: float
    prior_rows: int
    prior_every: int
    num_prior_images: int
    num_variants: int
    shift: float
    zoom: float
    mirror: bool
    held_out: bool
    patience: int
    num_samples: int
    places: tuple[str, ...]
    """Places of the world that a cut-out stands in, for a model that knows them."""
    motions: tuple[str, ...]
    """What it does there, in clips; none: it is shown in stills."""
    is_small: Annotated[bool, Field(exclude=True)] = False
    """Whether the network is as small as the miniature; ``base`` says it in the record of a run."""

    @property
    def num_frames(self) -> int:
        """F, of what it learns from: 1 for stills."""
        return self.video.num_frames if self.motions else 1


_NUM_SAMPLES = 4  # on the way
_LEAST_BETWEEN = 50  # steps; a sample takes as long as many of them
_SMALL_WEIGHTS = 100_000_000
"""A network of fewer weights learns as the miniature does."""


def resolve(config: PersonalConfig, pipeline: TextToVideoPipeline, base: str) -> PersonalRun:
    """Fill in what was left open, as the model and the effort say.

    Args:
        config: What a person has said.
        pipeline: The model.
        base: Hash of its weights.

    Raises:
        InputError: The trigger word cannot be one.
        ConfigError: A size is none of the model's, or the pictures cannot be moved as asked for.
    """
    check_trigger(config.token, known_words(pipeline.tokenizer))
    is_small = pipeline.unet.num_parameters() < _SMALL_WEIGHTS
    video = _video(config, pipeline)
    is_of_world = bool(world_words(pipeline.tokenizer))
    is_in_world = is_of_world and (video.height, video.width) == (HEIGHT, WIDTH)
    values = _values(config, is_small, is_in_world)
    on_gpu = torch.cuda.is_available()
    decided: dict[str, Any] = {
        "mixed_precision": values.get("mixed_precision", usual_precision() if on_gpu else "no"),
        "optimizer": _optimizer(values, on_gpu),
        "log_every": 5,
        "keep_checkpoints": 2,
        "evaluate_every": values["evaluate_every"] if config.held_out else 0,
        "preview_every": values.get("sample_every", _sample_every(values["num_steps"])),
        "video": video,
        "diffusion": _diffusion(pipeline, values),
        "pictures": _hash_pictures(config),
        "base": base,
        "alpha": values.get("alpha", float(values["rank"])),
        "train_embedding": _learns_word(config, pipeline.tokenizer, is_of_world),
        "places": tuple(PLACES) if is_in_world else (),
        "motions": tuple(MOTIONS) if values["moves"] else (),
        "is_small": is_small,
    }
    of_same_name = {name: values[name] for name in PersonalRun.model_fields if name in values}
    return PersonalRun(**{**of_same_name, **decided})


def _values(config: PersonalConfig, is_small: bool, is_in_world: bool) -> dict[str, Any]:
    """What was said, and what the recipe says where nothing was.

    Raises:
        ConfigError: The pictures cannot be moved as asked for.
    """
    given = {name: value for name, value in config.model_dump().items() if value is not None}
    learns_as_small = is_small if config.recipe is None else config.recipe == "small"
    wanted = {**recipe(config.effort, learns_as_small), **given}["moves"]
    moves = _moves(config, wanted, is_in_world)
    usual = recipe(config.effort, learns_as_small, moves, config.kind == "style")
    values: dict[str, Any] = {**usual, **given, "moves": moves}
    if config.alpha is not None or config.dropout or config.weight_decay:
        values["whole"] = False  # these are of a LoRA
    if not (values["num_prior_images"] and values["prior_rows"]):
        values |= {"num_prior_images": 0, "prior_rows": 0, "prior_weight": 0.0}
    return values


def _learns_word(config: PersonalConfig, tokenizer: Tokenizer, is_of_world: bool) -> bool:
    """Whether the trigger word gets an embedding of its own.

    Raises:
        InputError: It may not, and the model would not learn the word without.
    """
    if config.train_embedding is None:
        return is_of_world or spells(tokenizer, config.token)
    if is_of_world and not config.train_embedding:
        raise InputError(
            f"The model only spells '{config.token}' and would not learn it. Leave out "
            "train_embedding.",
            "train_embedding",
        )
    return config.train_embedding


def _sample_every(num_steps: int) -> int:
    return max(_LEAST_BETWEEN, -(-num_steps // _NUM_SAMPLES))


def _moves(config: PersonalConfig, wanted: bool, is_in_world: bool) -> bool:
    """Whether the pictures are shown in clips: not unless half of them have no caption.

    Raises:
        ConfigError: That was asked for, and they cannot.
    """
    if not wanted:
        return False
    captions = config.captions or ("",) * len(config.images)
    num_told = sum(bool(caption.strip()) for caption in captions)
    can = is_in_world and config.kind != "style" and 2 * num_told <= len(config.images)
    if config.moves and not can:
        raise ConfigError(
            "These pictures cannot be shown moving: that takes a thing, at least half of them "
            "without a caption, and a model of the world in its own size. Leave out moves."
        )
    return can


def _video(config: PersonalConfig, pipeline: TextToVideoPipeline) -> VideoConfig:
    """The model's own videos, in the size of the stills.

    Raises:
        ConfigError: The model's VAE does not take that size.
    """
    own: Any = pipeline.config
    height, width = config.height or own.default_height, config.width or own.default_width
    check_size(pipeline.vae, height, width)
    return VideoConfig(
        num_frames=own.default_num_frames,
        height=height,
        width=width,
        fps=own.default_fps,
        num_inference_steps=own.default_num_inference_steps,
        guidance_scale=own.default_guidance_scale,
    )


def _optimizer(values: Mapping[str, Any], on_gpu: bool) -> OptimizerConfig:
    """AdamW, in 8 bits where that is to be had; a short run warms up over half of it at most."""
    return OptimizerConfig(
        learning_rate=values["learning_rate"],
        weight_decay=values["weight_decay"],
        memory="8-bit" if values.get("optimizer_8bit", on_gpu and _has_8bit()) else "full",
        schedule=values["schedule"],
        warmup_steps=min(values["warmup_steps"], values["num_steps"] // 2),
    )


def _diffusion(pipeline: TextToVideoPipeline, values: Mapping[str, Any]) -> DiffusionConfig:
    """The model's own noise process: a LoRA learns in the one it will be used in."""
    noise: Any = pipeline.scheduler.config
    return DiffusionConfig(
        prediction_type=noise.prediction_type,
        beta_start=noise.beta_start,
        beta_end=noise.beta_end,
        beta_schedule=noise.beta_schedule,
        timesteps=values["timesteps"],
        high_noise_share=values["high_noise_share"],
        high_noise=values["high_noise"],
        min_snr_gamma=values.get("min_snr_gamma") or None,
    )


def usual_precision() -> Literal["fp16", "bf16"]:
    """Arithmetic on this machine's GPU where nothing else is said."""
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"


def _has_8bit() -> bool:
    import importlib.util

    return importlib.util.find_spec("bitsandbytes") is not None


def _hash_pictures(config: PersonalConfig) -> str:
    digest = hashlib.sha256(repr((config.captions, config.class_word)).encode())
    for path in config.images:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
