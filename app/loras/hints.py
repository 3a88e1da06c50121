"""What is said of LoRAs while somebody writes: a trigger word and its LoRA belong together."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.loras.use import LoraUse
from app.texts import lora_rules as texts

if TYPE_CHECKING:
    from lora.registry import Entry


def trigger_hints(
    prompts: Sequence[str], uses: Sequence[LoraUse], entries: "Sequence[Entry]"
) -> list[str]:
    """Sentences about trigger words without their LoRA, and LoRAs without their trigger word.

    Args:
        prompts: What has been written so far.
        uses: The LoRAs that are chosen.
        entries: All that can be, the newest first.
    """
    text = "\n".join(prompts)
    if not text.strip():
        return []
    chosen = {use.token for use in uses}
    missing = {entry.token: entry for entry in reversed(entries) if _says(text, entry.token)}
    silent = [use for use in uses if use.token and not _says(text, use.token)]
    return [
        *(texts.tick_lora(missing[token].name, token) for token in missing if token not in chosen),
        *(texts.say_trigger(use.name, use.token) for use in silent),
    ]


def _says(text: str, token: str) -> bool:
    """Whether a trigger word stands somewhere, as a word or words of its own."""
    word = rf"(?<!\w){re.escape(token)}(?!\w)"
    return bool(token) and re.search(word, text, re.IGNORECASE) is not None
