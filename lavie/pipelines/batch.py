"""One prompt and one generator for each video of a call, checked at the door."""

from collections.abc import Sequence

import torch

from lavie.errors import InputError
from lavie.pipelines import limits


def one_prompt_each(
    prompt: str | Sequence[str] | None, field: str, batch_size: int | None = None
) -> list[str]:
    """Give a checked text per video; a single text is for all.

    Args:
        prompt: One text or several, each as `limits.check_prompt` allows.
        field: ``prompt`` or ``negative_prompt``.
        batch_size: How many videos there are; None: as many as there are texts.

    Raises:
        InputError: A text breaks its rule, or there are too few or too many.
    """
    texts = prompt if isinstance(prompt, list | tuple) else [prompt]
    prompts = [limits.check_prompt(text, field) for text in texts]
    if batch_size is not None and len(prompts) == 1:
        prompts *= batch_size
    if not prompts or len(prompts) != (batch_size or len(prompts)):
        raise InputError(f"{len(prompts)} values of {field} for {batch_size or 1} videos.", field)
    return prompts


def one_generator_each(
    generator: torch.Generator | Sequence[torch.Generator] | None, batch_size: int
) -> list[torch.Generator]:
    """Give a generator per video, fresh ones for None.

    Raises:
        InputError: There are too few or too many.
    """
    if generator is None:
        generators = [torch.Generator() for _ in range(batch_size)]
        for fresh in generators:
            fresh.seed()
        return generators
    generators = [generator] if isinstance(generator, torch.Generator) else list(generator)
    if len(generators) != batch_size:
        raise InputError(
            f"{len(generators)} generators for {batch_size} videos. Pass one for each, so that a "
            "video does not depend on its neighbours.",
            "generator",
        )
    return generators
