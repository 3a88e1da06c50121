"""Whether a part of one model is the same as that of another, so that it need be kept once."""

import json
from typing import Any

from torch import nn

from lavie.models.fingerprint import hash_weights

_ABOUT_FILES = ("architectures", "dtype", "torch_dtype", "transformers_version")
_STATE_OF_CALLS = ("padding", "truncation")


def is_same_part(part: Any, other: Any) -> bool:  # noqa: ANN401 - a network or a tokenizer
    """Whether two networks or tokenizers do the same.

    Networks must be of one class, with equal settings and weights that are equal in float16, as
    `hash_weights` says; tokenizers must give the same tokens for every text.

    Args:
        part: A network or a tokenizer, of diffusers or transformers.
        other: Another.
    """
    if type(part) is not type(other):
        return False
    if isinstance(part, nn.Module):
        return _settings(part) == _settings(other) and hash_weights(part) == hash_weights(other)
    return _rules(part) == _rules(other)


def _settings(network: Any) -> dict[str, Any]:  # noqa: ANN401 - no common type has a config
    config = network.config
    values = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    values = {
        key: value
        for key, value in values.items()
        if not key.startswith("_") and key not in _ABOUT_FILES
    }
    return json.loads(json.dumps(values, default=str))  # tuples become lists, as in files


def _rules(tokenizer: Any) -> dict[str, Any]:  # noqa: ANN401 - transformers' typing is loose
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    rules = {key: value for key, value in rules.items() if key not in _STATE_OF_CALLS}
    names = ("bos_token", "eos_token", "pad_token", "unk_token", "padding_side", "model_max_length")
    return rules | {name: getattr(tokenizer, name) for name in names}
