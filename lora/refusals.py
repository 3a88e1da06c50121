"""Why a file can't be used as a LoRA of these models: one sentence for each kind."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from lavie.errors import CheckpointError
from lora.limits import MAX_TENSORS

ONLY_LORA = "Only plain LoRA of Stable Diffusion 1.x or of LaVie fits."
"""The end of every refusal of another kind."""

# What a key looks like, what the file is then, and the way out. The first one that fits says it.
_TEMPORAL = "made for layers in time"
_KINDS: tuple[tuple[str, str], ...] = (
    (r"(^model\.diffusion_model\.|^first_stage_model\.|^cond_stage_model\.)", "a whole model"),
    (r"^control_model\.|controlnet_|^lora_controlnet", "a ControlNet"),
    (r"motion_modules|_motion_|temporal_transformer|attn_temp", _TEMPORAL),
    (r"dora_scale|lora_magnitude_vector", "a DoRA"),
    (r"\.[wb]_norm$", "a LyCORIS of kind Norm"),
    (r"\.[ab][12]\.weight$", "a LyCORIS of kind GLoRA"),
    (r"hada_w[12]|hada_t[12]", "a LyCORIS of kind LoHa"),
    (r"lokr_w[12]|lokr_t2", "a LyCORIS of kind LoKr"),
    (r"oft_(blocks|diag|R)|\.oft_", "a LyCORIS of kind OFT"),
    (r"on_input|\.ia3_", "a LyCORIS of kind IA3"),
    (r"lora_mid\.|\.lora_mid", "a LoCon with an inner convolution"),
    (r"vera_lambda", "a VeRA"),
    (r"\.diff(_b)?$", "a difference of whole weights"),
    (
        r"^lora_te2_|^text_encoder_2\.|add_embedding|_transformer_blocks_[2-9]_|"
        r"transformer_blocks\.[2-9]\.(attn|ff)|^lora_unet_(input|middle|output)_block",
        "made for Stable Diffusion XL",
    ),
    (r"double_blocks|single_blocks|single_transformer_blocks", "made for Flux"),
    (r"joint_blocks|^lora_te3_|^text_encoder_3\.", "made for Stable Diffusion 3"),
    (
        r"^(diffusion_model\.|transformer\.|lora_transformer_|lora_unet_blocks_\d)",
        "made for a network of transformers alone",
    ),
    (r"^lora_(prior|decoder)_|^(prior|decoder)\.", "made for a cascade of another kind"),
)
# What metadata says of the model a file was made for, as kohya and the model spec name models.
_BASE = ("modelspec.architecture", "ss_base_model_version")
_BASES: tuple[tuple[str, str], ...] = (
    (r"stable-diffusion-v2|sd_v2", "Stable Diffusion 2.x"),
    (r"stable-diffusion-xl|sdxl", "Stable Diffusion XL"),
    (r"stable-diffusion-v?3|sd3", "Stable Diffusion 3"),
    (r"flux", "Flux"),
)
_PICKLES = (".ckpt", ".pt", ".pth", ".bin")
_MAX_BYTES = 2 << 30
_EMBEDDING = re.compile(r"^(emb_params|string_to_param|clip_l|clip_g|\*)$|string_to_param\.")


def one_line(text: str, length: int = 100) -> str:
    """What a file says, which may be anything, to stand in a sentence: printable, and not long."""
    text = text[: 10 * length]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:length].strip()


def refuse_unopened(file: Path, name: str) -> None:
    """Raise if a file is not even opened: a pickle, or far larger than any LoRA.

    Args:
        file: It need not exist to be a pickle.
        name: What the sentence calls it.

    Raises:
        CheckpointError: It is not; the text says why.
        OSError: There is no such file.
    """
    if file.suffix.lower() in _PICKLES:
        raise CheckpointError(
            f"'{name}' is a pickle, which can run code of its author when it is opened. Get the "
            ".safetensors of it."
        )
    size = file.stat().st_size
    if size > _MAX_BYTES:
        raise CheckpointError(
            f"'{name}' is {size >> 20} MiB. A LoRA has at most {_MAX_BYTES >> 20} MiB."
        )


def refuse_other_kinds(
    name: str, keys: Sequence[str], metadata: Mapping[str, str], allow_temporal: bool = False
) -> None:
    """Raise if a file is something else than a plain LoRA for these models, as far as it says.

    Args:
        name: Of the file, for the sentence.
        keys: Names of its tensors.
        metadata: What it says besides of the model that it was made for.
        allow_temporal: Whether it may be one of layers over time.

    Raises:
        CheckpointError: It is; the text says what. Or it has more tensors than a LoRA has.
    """
    if not keys:
        raise CheckpointError(f"'{name}' holds no weights. Save or download it again.")
    if len(keys) > MAX_TENSORS:  # first, as what follows looks at each many times
        raise CheckpointError(
            f"'{name}' holds {len(keys)} tensors. A LoRA has at most {MAX_TENSORS}."
        )
    for pattern, what in _KINDS:
        if allow_temporal and what == _TEMPORAL:
            continue
        if any(map(re.compile(pattern).search, keys)):
            raise CheckpointError(f"'{name}' is {what}. {ONLY_LORA}")
    if not any("lora" in key.lower() for key in keys):
        if all(map(_EMBEDDING.search, keys)):
            raise CheckpointError(f"'{name}' is a textual embedding without a LoRA. {ONLY_LORA}")
        raise CheckpointError(f"'{name}' holds weights, but no LoRA. {ONLY_LORA}")
    for said in (metadata.get(key, "")[:200].lower() for key in _BASE):
        for pattern, base in _BASES:
            if re.match(pattern, said):
                raise CheckpointError(f"'{name}' says that it was made for {base}. {ONLY_LORA}")


def refuse_other_base(
    name: str, layer: str, wanted: Sequence[int], found: Sequence[int]
) -> NoReturn:
    """Say that a layer of a LoRA has another shape than the model's.

    Args:
        name: Of the file.
        layer: Name of the layer.
        wanted: Its shape in the model.
        found: Its shape in the file.

    Raises:
        CheckpointError: Always; a known base model is named.
    """
    if layer.endswith(("attn2.to_k", "attn2.to_v")) and found[1] != wanted[1]:
        bases = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "SDXL"}
        raise CheckpointError(
            f"'{name}' was made for {bases.get(found[1], 'another model')}: its text is {found[1]} "
            f"wide, this model's {wanted[1]}. Choose one made for this model."
        )
    shapes = " instead of ".join("x".join(map(str, shape)) for shape in (found, wanted))
    raise CheckpointError(
        f"'{name}' was made for another model: {layer} is {shapes}. Choose one made for this."
    )
