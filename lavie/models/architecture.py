"""Checks of an architecture's config: every key is known, every value can be built."""

from collections.abc import Collection, Mapping, Sequence
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


def check_lists(**values: object) -> None:
    """Raise unless every value is a list, with one entry per level.

    Raises:
        ConfigError: One is not.
    """
    for name, value in values.items():
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{name} {value!r} must be a list with one entry per level.")


def check_choice(value: object, choices: Sequence[str], name: str) -> None:
    """Raise unless a value is one of the choices.

    Raises:
        ConfigError: It is not.
    """
    if value not in choices:
        raise ConfigError(f"{name} {value!r} is unknown; choose {' or '.join(map(repr, choices))}.")


def check_block_types(name: str, types: Sequence[str], way: str, levels: int) -> None:
    """Raise unless there is one known type per level.

    Args:
        name: Name of the option.
        types: Its value.
        way: "Down" or "Up".
        levels: How many there must be.

    Raises:
        ConfigError: A type is unknown, or there are too few or too many.
    """
    for block_type in types:
        check_choice(block_type, (f"CrossAttn{way}Block3D", f"{way}Block3D"), name)
    if len(types) != levels:
        raise ConfigError(
            f"{name} names {len(types)} blocks, but block_out_channels has {levels} levels; "
            "give one of each per level."
        )


def check_groups(widths: Sequence[int], groups: int) -> None:
    """Raise unless there are channels on every level that divide into groups.

    Raises:
        ConfigError: There are none, or they do not.
    """
    if not widths:
        raise ConfigError("block_out_channels is empty; give the channels of at least one level.")
    for width in widths:
        if width % groups:
            raise ConfigError(
                f"block_out_channels {width} is not a multiple of norm_num_groups {groups}."
            )


def check_heads(
    heads: int | list[int] | tuple[int, ...],
    widths: Sequence[int],
    in_use: Sequence[bool],
    min_head_width: int,
) -> tuple[int, ...]:
    """Return the number of heads per level, after checking that all are wide enough.

    Args:
        heads: ``attention_head_dim``: one number for all levels, or one per level.
        widths: Channels per level.
        in_use: Whether a level has attention; the others are not checked.
        min_head_width: Components of a head that are needed, by rotary positions for example.

    Raises:
        ConfigError: A head would be too narrow, or the numbers do not fit together.
    """
    heads = tuple(heads) if isinstance(heads, list | tuple) else (heads,) * len(widths)
    if len(heads) != len(widths):
        raise ConfigError(f"attention_head_dim has {len(heads)} values for {len(widths)} levels.")
    for width, count, is_in_use in zip(widths, heads, in_use, strict=True):
        check_positive(block_out_channels=width, attention_head_dim=count)
        if is_in_use and (width % count or width // count < min_head_width):
            raise ConfigError(
                f"attention_head_dim {count} (a number of heads) does not divide {width} channels "
                f"into heads of at least {min_head_width}; use {max(1, width // min_head_width)} "
                "or another divisor below it."
            )
    return heads
