"""Checks of an architecture's config: every key is known, every value can be built."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from lavie.errors import ConfigError


def take_fixed_values(
    config: Mapping[str, Any], expected: Collection[str], fixed: Mapping[str, Any], model: str
) -> dict[str, Any]:
    """Return the config without the keys that may have one value only, after checking all keys.

    Args:
        config: A published or saved config; keys that begin with an underscore are diffusers' own.
        expected: The arguments of the model.
        fixed: Further keys, with the one value each may have.
        model: Name of the model, for the message.

    Returns:
        The keys among ``expected`` and diffusers' own, untouched.

    Raises:
        ConfigError: A key is unknown, or a fixed one has another value than it may.
    """
    free = {}
    for key, value in config.items():
        if key in expected or key.startswith("_"):
            free[key] = value
        elif key not in fixed:
            raise ConfigError(_unknown_key(key, [*expected, *fixed], model))
        elif value != fixed[key]:
            raise ConfigError(
                f"{key} {value!r} is not supported by {model}: "
                f"it is {fixed[key]!r} in this architecture. Correct or remove the key."
            )
    return free


def _unknown_key(key: str, known: list[str], model: str) -> str:
    nearest = get_close_matches(key, known, n=1)
    way_out = f"Did you mean {nearest[0]}?" if nearest else "Remove it."
    return f"{model} has no option {key}. {way_out}"


def check_positive(**values: object) -> None:
    """Raise unless every value is a whole number of at least 1.

    Raises:
        ConfigError: One is not.
    """
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"{name} {value!r} must be a whole number of at least 1.")


def check_block_types(
    name: str, types: Collection[str], allowed: Collection[str], count: int
) -> None:
    """Raise unless there is one known type per level.

    Raises:
        ConfigError: A type is unknown, or there are too few or too many.
    """
    for block_type in types:
        if block_type not in allowed:
            raise ConfigError(f"{name} has {block_type!r}; choose from {', '.join(allowed)}.")
    if len(types) != count:
        raise ConfigError(
            f"{name} names {len(types)} blocks, but block_out_channels has {count} levels; "
            "give one of each per level."
        )


def check_widths(
    widths: Collection[int], heads: Collection[int], groups: int, min_head_width: int
) -> None:
    """Raise unless channels divide into groups, and into heads that are wide enough.

    Args:
        widths: Channels per level.
        heads: Number of heads per level.
        groups: ``norm_num_groups``.
        min_head_width: Components of a head that rotary positions need.

    Raises:
        ConfigError: They do not.
    """
    for width, count in zip(widths, heads, strict=True):
        if width % groups:
            raise ConfigError(
                f"block_out_channels {width} is not a multiple of norm_num_groups {groups}."
            )
        if width % count or width // count < min_head_width:
            raise ConfigError(
                f"attention_head_dim {count} (a number of heads) does not divide {width} channels "
                f"into heads of at least {min_head_width}; use {max(1, width // min_head_width)} "
                "or another divisor below it."
            )
