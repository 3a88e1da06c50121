"""What is asked for of a training, checked against the model: a form, or what a program sends."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from app.films.request import GivenFile
from app.loras.pictures import look_at
from app.loras.request import LoraEffort, LoraKind, LoraTrainingRequest
from app.loras.shelf import LORAS_FOLDER
from app.mistakes import Mistakes
from app.model_card import ModelCard
from app.plain_text import clean_text
from app.request import MAX_SEED, Range
from app.result import Effort
from app.texts import lora_rules as texts
from app.texts import not_on_or_off
from lavie.errors import InputError
from lavie.pipelines.limits import MAX_PROMPT_LENGTH, check_prompt
from lora import registry
from lora.limits import MAX_CLASS_LENGTH, MAX_PICTURES

if TYPE_CHECKING:
    from lora.captions import Language

LORA_FIELDS = (
    "pictures",
    "captions",
    "name",
    "token",
    "class_word",
    "kind",
    "effort",
    "keeps_pictures",
)
"""What a form has of a training; programs may add ``seed``, ``num_steps`` and ``prompt``."""

_SEED = Range(0, MAX_SEED, default=None)
_STEPS = Range(1, 100_000, default=200)


def check_training(
    values: Mapping[str, object], card: ModelCard, data: Path
) -> LoraTrainingRequest | list[InputError]:
    """Turn the values of a form into a training, or into everything wrong with them.

    Its pictures are where they were sent to: `app.loras.pictures.keep_pictures` keeps them.

    Args:
        values: Of `LORA_FIELDS`, as typed; ``pictures`` are paths of files that were sent.
        card: Of the model.
        data: The data folder.
    """
    errors = Mistakes()
    checked = errors.checked
    files = checked(check_files, values.get("pictures"))
    captions = checked(_check_captions, values.get("captions"), files or ())
    name = checked(check_name, values.get("name"))
    token = checked(_check_token, values.get("token"), card)
    class_word = checked(_check_class, values.get("class_word"))
    kind = checked(_check_one_of, values.get("kind"), LoraKind, texts.NOT_A_KIND, "kind")
    effort = checked(_check_one_of, values.get("effort"), LoraEffort, texts.NOT_AN_EFFORT, "effort")
    keeps = checked(_check_switch, values.get("keeps_pictures"))
    seed = checked(_check_seed, values.get("seed"))
    num_steps = checked(_check_steps, values.get("num_steps"))
    prompt = checked(_check_sample, values.get("prompt"))
    if errors:
        return errors
    return LoraTrainingRequest(
        name=name,
        token=token,
        class_word=class_word,
        lora_kind=kind,
        effort=effort,
        seed=seed,
        pictures=tuple(GivenFile(file, "picture", file.name) for file in files),
        captions=captions,
        keeps_pictures=keeps,
        sample_prompt=prompt or language_of(card, token, class_word, kind).sample_prompts()[0],
        training=training_effort(card, effort, num_steps),
        sample=_sample_effort(card),
        shelf=data / LORAS_FOLDER,
        num_steps_asked=num_steps,
        num_pictures=len(files),
    )


def check_files(value: object) -> list[Path]:
    """The pictures of a form, each of which can be used.

    Raises:
        InputError: There are none, or too many; or the first one that cannot be used.
    """
    if value in (None, "", []):
        raise InputError(texts.NO_PICTURES, "pictures")
    if not isinstance(value, list | tuple) or not all(isinstance(f, str | Path) for f in value):
        raise InputError(texts.PICTURES_UNREADABLE, "pictures")
    if len(value) > MAX_PICTURES:
        raise InputError(texts.too_many_pictures(MAX_PICTURES), "pictures")
    from lora.pictures import check_set

    files = [Path(file) for file in value]
    checks = look_at(files)
    for number, check in enumerate(checks, start=1):
        if check.problem is not None:
            raise InputError(texts.about_picture(number, check.problem), "pictures")
    if (sentence := check_set(checks)) is not None:
        raise InputError(sentence, "pictures")
    return files


def check_name(value: object) -> str:
    """What a LoRA may be called: any text, which is nobody's path.

    Raises:
        InputError: It is empty, too long, or no text.
    """
    if not isinstance(value, str | None):
        raise InputError(texts.NOT_A_NAME, "name")
    return registry.check_name(value or "")


def training_effort(card: ModelCard, effort: LoraEffort, num_steps: int | None = None) -> Effort:
    """What a training asks of the network.

    Args:
        card: Of the model.
        effort: How long to learn.
        num_steps: So many steps instead.
    """
    from lora.efforts import num_pictures_per_step, num_steps_of

    is_small = card.vocabulary is not None
    steps = num_steps or num_steps_of(effort, is_small)
    shape = _own(card, "height"), _own(card, "width")
    return Effort("lora", steps, num_pictures_per_step(is_small), *shape)


def language_of(card: ModelCard, token: str, class_word: str, kind: LoraKind) -> "Language":
    """How sentences about the new thing are made for a model."""
    from lora.captions import Language

    return Language(token, class_word, kind, card.vocabulary is not None, False)


def _sample_effort(card: ModelCard) -> Effort:
    steps = _own(card, "num_inference_steps")
    return Effort("base", steps, *(_own(card, name) for name in ("num_frames", "height", "width")))


def _own(card: ModelCard, name: str) -> int:
    return int(card.ranges[name].default or 0)


def _check_captions(value: object, files: Sequence[Path]) -> tuple[str, ...]:
    if value in (None, "", [], ()):
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise InputError(texts.CAPTIONS_UNREADABLE, "captions")
    if files and len(value) != len(files):
        sentence = texts.wrong_number_of_captions(len(value), len(files))
        raise InputError(sentence, "captions")
    captions = tuple(" ".join(clean_text(text[: 2 * MAX_PROMPT_LENGTH]).split()) for text in value)
    for number, caption in enumerate(captions, start=1):
        if len(caption) > MAX_PROMPT_LENGTH:
            raise InputError(texts.caption_too_long(number, MAX_PROMPT_LENGTH), "captions")
    return captions if any(captions) else ()


def _check_token(value: object, card: ModelCard) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(texts.TOKEN_MISSING, "token")
    from lora.words import check_trigger

    check_trigger(token := value.strip(), card.vocabulary or ())
    return token


def _check_class(value: object) -> str:
    text = " ".join(clean_text(value).split()) if isinstance(value, str) else value or ""
    if not isinstance(text, str) or len(text) > MAX_CLASS_LENGTH:
        raise InputError(texts.NOT_A_CLASS, "class_word")
    return text


def _check_one_of(value: object, kind: object, sentence: str, field: str) -> str:
    if not isinstance(value, str) or value not in get_args(kind):
        raise InputError(sentence, field)
    return value


def _check_switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError(not_on_or_off("keeps_pictures", value), "keeps_pictures")
    return value


def _check_seed(value: object) -> int:
    return int(_SEED.check(random.randint(0, MAX_SEED) if value in (None, "") else value, "seed"))


def _check_steps(value: object) -> int | None:
    return None if value in (None, "") else int(_STEPS.check(value, "num_steps"))


def _check_sample(value: object) -> str:
    if value in (None, ""):
        return ""
    return check_prompt(" ".join(cast(str, value).split()) if isinstance(value, str) else value)
