"""Loading libraries and weights: quickly, and without the libraries' own bars."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pause_garbage_collection() -> Iterator[None]:
    """Do what makes much and drops little, as imports do, without looking for garbage.

    The collector goes through all objects again and again while their number grows; for the
    imports of a pipeline that is a quarter of the processor time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def silence_loading_bars() -> None:
    """The libraries draw a bar for every component; ours is about the video."""
    from diffusers.utils.logging import disable_progress_bar as silence_diffusers
    from transformers.utils.logging import disable_progress_bar as silence_transformers

    silence_diffusers()
    silence_transformers()
