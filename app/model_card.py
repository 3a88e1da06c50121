"""What a model folder says about itself, read from its small JSON files: no weights, no torch."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from app.request import MAX_SEED, STEP_FIELDS, Range, steps_range
from lavie.convert.published import NETWORKS
from lavie.convert.sources import (
    find_source,
    is_original_folder,
    published_stages,
)
from lavie.convert.stages import check_has_stage
from lavie.errors import CheckpointError
from lavie.pipelines.model_folder import (
    LATER_STAGES,
    STAGE_PIPELINES,
    find_model_folder,
    find_part,
    find_stage_folder,
    read_model_index,
    stages_in,
)
from lavie.types import SchedulerName, StageName

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CLOSED_VOCABULARY_SIZE = 10_000  # CLIP's own has 49,408 tokens
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SCHEDULERS: dict[str, SchedulerName] = {
    "DPMSolverMultistepScheduler": "dpm++",
    "DDIMScheduler": "ddim",
    "DDPMScheduler": "ddpm",
    "EulerDiscreteScheduler": "euler",
}
_ONE_LETTER_WORD = "a"  # the other letters are in a tokenizer to spell with


@dataclass(frozen=True)
class PromptReader:
    """How a model reads a prompt.

    Args:
        tokenizer: Its tokenizer.json.
        num_tokens: So many it reads, the marks of begin and end among them.
    """

    tokenizer: Path
    num_tokens: int

    def end_of(self, text: str) -> int:
        """Where in a text the reading ends; before a word that would be read in part."""
        encoding = _load_tokenizer(self.tokenizer).encode(text)
        if len(encoding.ids) <= self.num_tokens:
            return len(text)
        first_unread = encoding.offsets[self.num_tokens - 1][0]
        return len(text[: first_unread + 1].rstrip().rpartition(" ")[0])


@cache
def _load_tokenizer(path: Path) -> "Tokenizer":
    from tokenizers import Tokenizer  # a fifth of a second; needs no torch

    return Tokenizer.from_file(str(path))


@dataclass(frozen=True)
class ModelCard:
    """A model as the page needs to know it before it is loaded.

    Args:
        name: What `lavie.Cascade.from_pretrained` takes.
        ranges: The numbers each setting may take, with the model's own defaults.
        vocabulary: All words it was taught, in lower case; None for a model of open language.
        stages: What it can do, in order.
        weights: What one step of each stage costs per frame and pixel, relative to the others: how
            large its network is, how often a step asks it, and how many of its cells stand for a
            pixel.
        own_settings: What each stage does where it is not told otherwise, under the pipelines'
            argument names.
        reader: Knows how much of a prompt it reads; None if that is not known before it is loaded.
        taken_from: Other models that later stages are loaded from.
        model_hash: Of its weights; empty before it is loaded.
    """

    name: str
    ranges: Mapping[str, Range]
    vocabulary: frozenset[str] | None = None
    stages: tuple[StageName, ...] = ("base",)
    weights: Mapping[StageName, float] = field(default_factory=dict)
    own_settings: Mapping[StageName, Mapping[str, Any]] = field(default_factory=dict)
    reader: PromptReader | None = None
    taken_from: Mapping[StageName, str] = field(default_factory=dict)
    model_hash: str = ""

    @property
    def goes_on_from_frames(self) -> bool:
        """Whether it has a network that is given the frames that a video goes on from."""
        return "long_video" in self.stages

    def with_words(self, words: Iterable[str]) -> "ModelCard":
        """The same model, where it knows some words more, by LoRAs."""
        if self.vocabulary is None:
            return self
        more = (part for word in words for part in _words(word))
        return replace(self, vocabulary=self.vocabulary.union(more))

    def unknown_words(self, text: str) -> list[str]:
        """The words of a text that the model was never taught, in order, each once."""
        if self.vocabulary is None:
            return []
        return [word for word in _words(text) if word not in self.vocabulary]

    def unread_words(self, text: str) -> list[str]:
        """The words at the end of a text that are beyond what the model reads."""
        text = " ".join(text.split())
        end = len(text) if self.reader is None else self.reader.end_of(text)
        return _WORD.findall(text[end:])

    def knows_nothing_of(self, text: str) -> bool:
        """Whether none of a text's words is one that the model was taught."""
        return self.vocabulary is not None and self.vocabulary.isdisjoint(_words(text))


def read_model_card(model: str, stages: Mapping[StageName, str] | None = None) -> ModelCard:
    """Read what a model says about itself.

    Args:
        model: A model folder, ``"miniature"``, or an id on the hub. An id or a folder in the
            published layout says nothing before it is loaded; there the published sizes hold.
        stages: Models that later stages are loaded from instead.

    Raises:
        CheckpointError: There is no such folder, it is no model, or a file in it is broken; or a
            stage is not where it is to be loaded from, or does not go with the model.
    """
    card = _read_card(model)
    for stage, elsewhere in (stages or {}).items():
        card = _with_stage(card, stage, elsewhere)
    return card


def _read_card(model: str) -> ModelCard:
    folder = find_model_folder(model)
    if folder is None:
        return _published_card(model, published_stages(model))
    if is_original_folder(folder):
        find_source(folder, NETWORKS["base"])  # says so now if a file is missing
        return _published_card(model, published_stages(folder))
    folders: dict[StageName, Path] = {"base": folder}
    folders |= {stage: folder / stage for stage in stages_in(folder)[1:]}
    indexes: dict[StageName, dict[str, Any]] = {
        stage: read_model_index(own, STAGE_PIPELINES[stage]) for stage, own in folders.items()
    }
    return ModelCard(
        name=model,
        ranges=_ranges(indexes, _vae_factor(folder / "vae")),
        vocabulary=_read_vocabulary(folder / "tokenizer"),
        stages=tuple(indexes),
        weights={stage: _weight(own, stage, indexes[stage]) for stage, own in folders.items()},
        own_settings={stage: _own_settings(stage, index) for stage, index in indexes.items()},
        reader=_find_reader(folder),
    )


def _with_stage(card: ModelCard, stage: StageName, elsewhere: str) -> ModelCard:
    """The same model with a stage of another one."""
    folder = find_model_folder(elsewhere)
    vocabulary = None
    if folder is None or is_original_folder(folder):
        check_has_stage(elsewhere, stage)
        if folder is not None:
            find_source(folder, NETWORKS[stage])  # says so now if a file is missing
        index, weight = {}, _published_weight(stage)
    else:
        own = find_stage_folder(folder, STAGE_PIPELINES[stage])
        index = read_model_index(own, STAGE_PIPELINES[stage])
        weight = _weight(own, stage, index)
        if stage == "long_video":
            vocabulary = _read_vocabulary(find_part(own, "tokenizer"))
    settings = _own_settings(stage, index)
    if stage == "long_video":
        _check_same_size(card.own_settings.get("base", {}), settings, elsewhere)
        _check_same_words(card.vocabulary, vocabulary, elsewhere)
    steps = {STEP_FIELDS[stage]: _step_range(stage, {stage: index})} if stage in STEP_FIELDS else {}
    return replace(
        card,
        ranges={**card.ranges, **steps},
        stages=tuple(name for name in get_args(StageName) if name in {*card.stages, stage}),
        weights={**card.weights, stage: weight},
        own_settings={**card.own_settings, stage: settings},
        taken_from={**card.taken_from, stage: elsewhere},
    )


def _check_same_size(base: Mapping[str, Any], windows: Mapping[str, Any], elsewhere: str) -> None:
    sizes = [tuple(own.get(side) for side in ("width", "height")) for own in (base, windows)]
    if sizes[0] != sizes[1]:
        made, asked = ("x".join(map(str, size)) for size in sizes)
        raise CheckpointError(
            f"'{elsewhere}' makes films of {asked}, but the model makes videos of {made}. Use it "
            "with a model of its own size."
        )


def _check_same_words(
    base: frozenset[str] | None, windows: frozenset[str] | None, elsewhere: str
) -> None:
    if base != windows:
        raise CheckpointError(
            f"'{elsewhere}' was taught other words than the model, so neither would understand the "
            "prompts of the other. Use it with a model of its own words."
        )


def _published_card(model: str, stages: tuple[StageName, ...]) -> ModelCard:
    has = {"base", *stages}
    known: list[StageName] = [stage for stage in get_args(StageName) if stage in has]
    return ModelCard(
        name=model,
        ranges=_ranges({}, NETWORKS["base"].parts.vae_factor),
        stages=stages or ("base",),
        weights={stage: _published_weight(stage) for stage in known},
        own_settings={stage: _own_settings(stage, {}) for stage in known},
    )


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))


def _weight(own: Path, stage: StageName, index: Mapping[str, Any]) -> float:
    num_bytes = sum(file.stat().st_size for file in (own / "unet").glob("*.safetensors"))
    weight = max(num_bytes, 1) / _vae_factor(find_part(own, "vae")) ** 2
    return weight * _num_passes(stage, index)


def _published_weight(stage: StageName) -> float:
    network = NETWORKS[stage]
    return network.num_bytes / network.parts.vae_factor**2 * _num_passes(stage, {})


def _num_passes(stage: StageName, index: Mapping[str, Any]) -> int:
    """How often a step asks the network: with guidance once more, for what is to be kept out."""
    guidance_scale = {**NETWORKS[stage].defaults, **index}["default_guidance_scale"]
    return 2 if guidance_scale > 1 else 1


def _ranges(indexes: Mapping[StageName, Mapping[str, Any]], factor: int) -> dict[str, Range]:
    own = {**NETWORKS["base"].defaults, **indexes.get("base", {})}
    num_frames = own["default_num_frames"]
    return {
        "seed": Range(0, MAX_SEED, default=None),
        "num_inference_steps": steps_range(own["default_num_inference_steps"]),
        "guidance_scale": Range(1, 20, own["default_guidance_scale"], step=0),
        "width": _size_range(own["default_width"], factor),
        "height": _size_range(own["default_height"], factor),
        "num_frames": Range(2, num_frames * 2, num_frames),
        **{
            STEP_FIELDS[stage]: _step_range(stage, indexes)
            for stage in LATER_STAGES
            if stage in STEP_FIELDS  # films have a form of their own
        },
    }


def _own_settings(stage: StageName, index: Mapping[str, Any]) -> dict[str, Any]:
    known = {**NETWORKS[stage].defaults, **index}
    prefix = "default_"
    own = {
        name.removeprefix(prefix): value for name, value in known.items() if name.startswith(prefix)
    }
    match index.get("scheduler"):
        case [_, str(class_name)] if class_name in _SCHEDULERS:
            own["scheduler"] = _SCHEDULERS[class_name]
        case None:
            own["scheduler"] = NETWORKS[stage].sampler
    return own


def _step_range(stage: StageName, indexes: Mapping[StageName, Mapping[str, Any]]) -> Range:
    index = {**NETWORKS[stage].defaults, **indexes.get(stage, {})}
    return steps_range(index["default_num_inference_steps"])


def _size_range(usual: int, factor: int) -> Range:
    """From half to twice what the model was made for: beyond that, videos fall apart."""
    minimum = max(usual // 2 // factor, 4) * factor
    return Range(minimum, usual * 2, usual, step=factor)


def _vae_factor(vae: Path) -> int:
    levels = _read_json(vae / "config.json").get("block_out_channels")
    if not isinstance(levels, list):
        raise CheckpointError(f"{vae / 'config.json'} lacks its block_out_channels.")
    return 2 ** (len(levels) - 1)


def _read_vocabulary(tokenizer: Path) -> frozenset[str] | None:
    """The whole words of a tokenizer, if they are few enough to be a language of their own."""
    if (tokenizer / "vocab.json").exists():
        tokens = _read_json(tokenizer / "vocab.json")
    else:
        tokens = _read_json(tokenizer / "tokenizer.json")["model"]["vocab"]
    if len(tokens) > _CLOSED_VOCABULARY_SIZE:
        return None
    words = {token.removesuffix("</w>") for token in tokens if token.endswith("</w>")}
    return frozenset(word for word in words if len(word) > 1 or word == _ONE_LETTER_WORD)


def _find_reader(folder: Path) -> PromptReader | None:
    tokenizer = folder / "tokenizer" / "tokenizer.json"
    own = folder / "tokenizer" / "tokenizer_config.json"
    encoder = folder / "text_encoder" / "config.json"
    if not all(file.exists() for file in (tokenizer, own, encoder)):
        return None
    limits = [_read_json(own).get("model_max_length")]
    limits.append(_read_json(encoder).get("max_position_embeddings"))
    known = [limit for limit in limits if isinstance(limit, int)]
    return PromptReader(tokenizer, min(known)) if known else None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from error
