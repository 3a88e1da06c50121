"""What is said of pictures: of the new thing, of what a model knows already, and in samples."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lavie.data.world import (
    MOTIONS,
    MOVING_SUBJECTS,
    PLACES,
    STILL_OPENINGS,
    STYLES,
    SUBJECTS,
    compose_caption,
)
from lora.efforts import Kind
from lora.words import Tokenizer, knows, world_words

_OPENINGS = ("", "a photo of ", "a picture of ", "a close-up photo of ")
_STYLE_TEMPLATES = ("a picture in {token} style", "{token} style", "a scene in {token} style")
_ORDINARY = (
    "a photo of a person",
    "a dog in a park",
    "a street in a city",
    "a table with food",
    "a landscape with mountains",
    "a car on a road",
    "a house with a garden",
    "a cat on a sofa",
)


@dataclass(frozen=True)
class Language:
    """How sentences about the new thing are made for one model.

    Args:
        token: The trigger word.
        class_word: What the new thing is; may be empty.
        kind: A thing, a character or a style.
        is_world: Whether the model speaks the language of the procedural world alone.
        class_is_known: Whether the model knows the class word there.
    """

    token: str
    class_word: str
    kind: Kind
    is_world: bool
    class_is_known: bool

    @classmethod
    def of(cls, token: str, class_word: str, kind: Kind, tokenizer: Tokenizer) -> "Language":
        """The language of a model about what is to be learnt; arguments as of the class."""
        is_world = bool(world_words(tokenizer))
        class_is_known = bool(class_word) and (
            not is_world or (knows(tokenizer, class_word) and class_word in SUBJECTS)
        )
        return cls(token, class_word, kind, is_world, class_is_known)

    @property
    def phrase(self) -> str:
        """What stands for the new thing in a prompt: the trigger word, and what it is."""
        if self.is_world or not self.class_word:
            return self.token
        return f"{self.token} {self.class_word}"

    def own_captions(self, given: str) -> tuple[str, ...]:
        """All that is said of a picture of the new thing, the plainest first.

        Args:
            given: The caption that a person gave; empty: none.
        """
        if given:
            return (self._with_trigger(given),)
        if self.kind == "style":
            if self.is_world:
                return (f"in {self.token}", f"a picture in {self.token}")
            return tuple(each.format(token=self.token) for each in _STYLE_TEMPLATES)
        openings = STILL_OPENINGS if self.is_world else _OPENINGS
        return tuple(f"{opening}{article(self.phrase)}" for opening in openings)

    def prior_captions(self, count: int, seed: int, moves: bool = False) -> list[str]:
        """Sentences without the trigger word, for what the model makes of its own.

        Of the class, where the model knows it; half of them, or all, of ordinary things, so that
        none of those becomes the new one.

        Args:
            count: How many.
            seed: Decides which.
            moves: Whether they are of clips, for a model of the world, instead of stills.
        """
        rng = np.random.default_rng([seed, 11])
        if self.is_world:
            caption = self._world_clip if moves else self._world_still
            return [caption(index, rng) for index in range(count)]
        openings = [o for o in _OPENINGS if "close" not in o]
        of_class = [f"{o}{article(self.class_word)}" for o in openings] if self.class_word else []
        captions: list[str] = []
        for index in range(count):
            choices = of_class if of_class and index % 4 else _ORDINARY
            captions.append(choices[int(rng.integers(len(choices)))])
        return captions

    def sample_prompts(self) -> tuple[str, ...]:
        """What sample videos show: the new thing in motion."""
        if self.kind == "style":
            return tuple(map(self._in_style, _scenes("fox")))
        if self.is_world:
            return _scenes(self.token)
        subject = article(self.phrase)
        return (f"{subject} moving slowly", f"{subject} on a beach", f"{subject} in the snow")

    def _world_still(self, index: int, rng: np.random.Generator) -> str:
        subjects = list(SUBJECTS)
        subject = subjects[int(rng.integers(len(subjects)))]
        if self.class_is_known and index % 2:
            subject = self.class_word
        place = list(PLACES)[index % len(PLACES)]
        return compose_caption(subject, place, None, _some_style(rng), rng)

    def _world_clip(self, index: int, rng: np.random.Generator) -> str:
        """Few can be made, so each moving subject comes in turn, doing anything anywhere."""
        subject = MOVING_SUBJECTS[index % len(MOVING_SUBJECTS)]
        place, motion = rng.choice(list(PLACES)), rng.choice(list(MOTIONS))
        return compose_caption(subject, str(place), str(motion), _some_style(rng), rng)

    def _with_trigger(self, caption: str) -> str:
        """A caption that names the new thing: as it is, or with what it is replaced by its name."""
        if re.search(rf"\b{re.escape(self.token)}\b", caption, re.IGNORECASE):
            return caption
        if self.kind == "style":
            return self._in_style(caption)
        word = re.compile(rf"\b{re.escape(self.class_word)}\b", re.IGNORECASE)
        if self.class_word and word.search(caption):
            return word.sub(lambda _: self.phrase, caption, count=1)
        return f"{article(self.phrase)} {caption}"

    def _in_style(self, scene: str) -> str:
        return f"{scene}, in {self.token}" if self.is_world else f"{scene}, {self.token} style"


def _some_style(rng: np.random.Generator) -> str:
    return "colour" if rng.random() < 0.8 else list(STYLES)[1 + int(rng.integers(2))]


def article(noun: str) -> str:
    """A noun with "a" or "an" before it."""
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def _scenes(subject: str) -> tuple[str, ...]:
    scenes: Sequence[str] = (
        "moving left over the ocean",
        "bouncing in the snow",
        "moving right at sunset",
        "growing on the grass",
        "moving up at night",
        "moving down in the desert",
    )
    return tuple(f"{article(subject)} {scene}" for scene in scenes)
