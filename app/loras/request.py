"""A LoRA that somebody wants trained. Every value has been checked; see `app.loras.check`."""

from dataclasses import dataclass
from typing import Literal

from app.films.request import GivenFile
from app.result import DataFile, Effort, Result
from lavie.types import StageName
from lora.efforts import Effort as LoraEffort
from lora.efforts import Kind as LoraKind


@dataclass(frozen=True)
class LoraTrainingRequest:
    """A LoRA to train on pictures, and a video to see it by.

    Args:
        name: What its owner calls it.
        token: The trigger word, by which prompts will name it.
        class_word: What it is, such as ``animal``; may be empty.
        lora_kind: What is to be learnt of the pictures.
        effort: How long to learn.
        seed: Of the training and of the video.
        pictures: What it learns from; none once they were deleted.
        captions: What each shows, or nothing: then it is put together from the words above.
        keeps_pictures: Whether they are kept when it is trained.
        sample_prompt: What the video shows.
        training: What is asked of the network.
        sample: What is asked of it for the video.
        num_steps_asked: So many steps instead of what the effort says.
        owner: Whose LoRA it will be.
        shelf: The folder of the registry that it goes into.
        num_pictures: How many there were.
    """

    name: str
    token: str
    class_word: str
    lora_kind: LoraKind
    effort: LoraEffort
    seed: int
    pictures: tuple[GivenFile, ...]
    captions: tuple[str, ...]
    keeps_pictures: bool
    sample_prompt: str
    training: Effort
    sample: Effort
    shelf: DataFile
    num_steps_asked: int | None = None
    owner: str = ""
    num_pictures: int = 0
    kind: Literal["lora"] = "lora"

    @property
    def prompt(self) -> str:
        """By which it is found in lists."""
        return self.name

    @property
    def given(self) -> tuple[Result, ...]:
        """No stage has run before it."""
        return ()

    @property
    def stages(self) -> tuple[StageName, ...]:
        """Its one result is a video of the first stage."""
        return ("base",)

    @property
    def num_steps(self) -> dict[StageName, int]:
        """The denoising steps of the video."""
        return {"base": self.sample.num_steps}

    @property
    def efforts(self) -> tuple[Effort, Effort]:
        """What is asked of the network, in order."""
        return self.training, self.sample
