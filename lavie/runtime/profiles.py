"""Memory profiles: what is given up, step by step, where a device has less memory.

A profile is for an amount of free memory, whatever has it: the classes of GPUs, or the memory of an
Apple machine or of a CPU, where the networks work in float32 and need about twice as much.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from lavie.errors import InputError
from lavie.types import CASCADE_STAGES, StageName

if TYPE_CHECKING:  # the command line has its flags before torch is imported
    import torch

AUTO: Final = "auto"
"""What a user says who leaves the choice to `choose_profile`."""

GB = 10**9
HALF = 2  # bytes of a float16


@dataclass(frozen=True)
class Profile:
    """What is done about memory.

    Attributes:
        name: As the command line calls it, after the class of GPUs.
        free_bytes: Free memory that it is for, in float16.
        takes_turns: Whether the stages that do not work leave the device. Exact.
        tile_size: Side of the largest tiles of super-resolution, in pixels of the small video; less
            where less is free. None: whole frames. Approximate, as tests/laws measure.
        vae_tile_size: Side of the tiles in which super-resolution decodes, in pixels of the large
            video. None: whole frames, which take 8 GB at 1280x2048. Approximate: it changes
            colours most, by 8 of 255 on average where the miniature's frames are halved, so it
            comes last.
        guidance_takes_turns: Whether smoothing predicts with the prompt and without it one after
            the other, which halves what a step takes. The same up to rounding.
    """

    name: str
    free_bytes: int
    takes_turns: bool = False
    tile_size: int | None = None
    vae_tile_size: int | None = None
    guidance_takes_turns: bool = False


PROFILES: tuple[Profile, ...] = (
    Profile("large", 34 * GB),
    Profile("24gb", 20 * GB, tile_size=256),
    Profile("16gb", 13 * GB, takes_turns=True, tile_size=256),
    Profile("12gb", 9 * GB, takes_turns=True, tile_size=192, vae_tile_size=1024),
    Profile("8gb", 6_500_000_000, True, 128, 1024, guidance_takes_turns=True),
    Profile("6gb", 0, True, 96, 768, guidance_takes_turns=True),
)
"""From the most memory to the least."""

ProfileName = Literal["auto", "large", "24gb", "16gb", "12gb", "8gb", "6gb"]


def check_profile(name: str) -> ProfileName:
    """Give a name back that is a profile's, or auto.

    Raises:
        InputError: There is none of that name.
    """
    known: tuple[ProfileName, ...] = get_args(ProfileName)
    for profile in known:
        if profile == name:
            return profile
    raise InputError(f"Profile '{name:.40}' is unknown. Known: {', '.join(known)}.", "profile")


def choose_profile(
    device: "torch.device",
    free_bytes: int | None,
    dtype: "torch.dtype | None" = None,
    name: str = AUTO,
    num_weights: float | None = None,
) -> Profile:
    """Give the profile of that name, or the one that the free memory is enough for.

    Args:
        device: Where the networks are to work.
        free_bytes: As `free_memory` measures it; None, where the system does not say: the largest.
        dtype: In which the networks work; None: what `choose_dtype` gives for the device.
        name: ``"auto"`` or a profile's.
        num_weights: Of the base network: a smaller one than the published needs less in proportion.
            None: as many as that has.

    Raises:
        InputError: There is none of that name.
    """
    if check_profile(name) != AUTO:
        return next(profile for profile in PROFILES if profile.name == name)
    if free_bytes is None:
        return PROFILES[0]
    from lavie.runtime.devices import choose_dtype

    itemsize = (dtype or choose_dtype(device)).itemsize
    share = 1.0 if num_weights is None else min(num_weights / NUMBERS["unet"], 1.0)
    in_half = free_bytes * HALF // itemsize
    return next(profile for profile in PROFILES if in_half >= share * profile.free_bytes)


def next_smaller(profile: Profile) -> Profile | None:
    """The next profile that takes less memory, to try again with; None: there is none."""
    place = PROFILES.index(profile) + 1
    return PROFILES[place] if place < len(PROFILES) else None


# What the published networks take. Weights are counted in numbers. What a step computes is counted
# in bytes: of all tensors alive at once, in float16 with fused attention and guidance, on PyTorch's
# meta device, which does not know what the GPU's libraries need for themselves.
NUMBERS = {"unet": 909e6, "super_resolution_unet": 691e6}
VAE, _LARGE_VAE = 83.7e6, 55.3e6
TEXT_ENCODER, _LARGE_TEXT_ENCODER = 123e6, 340e6
_STEP_BYTES = {"base": 1.42e9, "interpolation": 5.43e9}  # 16 and 61 frames of 320x512
_STEP_BYTES_PER_CELL = 130_300.0  # of super-resolution, for 8 frames
_DECODE_BYTES = 2.01e9  # 8 frames of 320x512
_LARGE_DECODE_BYTES_PER_PIXEL = 8.06e9 / (1280 * 2048)  # one frame, in float32
SMALL_FRAME, _LARGE_FRAME = (320, 512), (1280, 2048)
FOR_LIBRARIES = 1.2


def estimate_peak(profile: Profile, stage: StageName) -> int:
    """Estimate the bytes that a stage of the published model takes at most, in float16.

    For the published sizes: 16 frames of 320x512, smoothed to 61, enlarged to 1280x2048. A fifth is
    added to what was counted, for what the GPU's libraries need.

    Args:
        profile: Under which.
        stage: Which.
    """
    if stage == "long_video":  # the base's network once more
        beside = 0 if profile.takes_turns else round(NUMBERS["unet"] * HALF)
        return estimate_peak(profile, "base") + beside
    base = (NUMBERS["unet"] + VAE + TEXT_ENCODER) * HALF
    weights: dict[StageName, float] = {
        "base": base,
        "interpolation": base,  # its own U-Net is as large, the rest is the same
        "super_resolution": (NUMBERS["super_resolution_unet"] + _LARGE_TEXT_ENCODER) * HALF
        + _LARGE_VAE * 2 * HALF,  # decodes in float32
    }
    resident = weights[stage]
    if not profile.takes_turns:
        shared = (VAE + TEXT_ENCODER) * HALF
        resident = sum(weights.values()) - shared
    if stage == "super_resolution":
        step = _STEP_BYTES_PER_CELL * _area(SMALL_FRAME, profile.tile_size)
        decoding = _LARGE_DECODE_BYTES_PER_PIXEL * _area(_LARGE_FRAME, profile.vae_tile_size)
    else:
        step, decoding = _STEP_BYTES[stage], _DECODE_BYTES
        if stage == "interpolation" and profile.guidance_takes_turns:
            step = step / 2
    return round(resident + FOR_LIBRARIES * max(step, decoding))


def profile_table() -> list[str]:
    """What each profile does and about what it takes, as lines of text."""
    titles = (
        "profile",
        "from GB free",
        "turns",
        "tiles",
        "decodes in",
        "guides in",
        "base",
        "smooth",
        "enlarge",
    )
    lines = ["".join(f"{title:>13}" for title in titles)]
    for profile in PROFILES:
        cells = (
            profile.name,
            f"{profile.free_bytes / GB:g}",
            "yes" if profile.takes_turns else "if needed",
            f"{profile.tile_size} px" if profile.tile_size else "whole",
            f"{profile.vae_tile_size} px" if profile.vae_tile_size else "whole",
            "two turns" if profile.guidance_takes_turns else "one",
            *(f"{estimate_peak(profile, stage) / GB:.1f} GB" for stage in CASCADE_STAGES),
        )
        lines.append("".join(f"{cell:>13}" for cell in cells))
    return [
        *lines,
        "Estimated, not measured: the published networks in float16, 16 frames of 320x512, "
        "smoothed to 61, enlarged to 1280x2048.",
    ]


def _area(frame: tuple[int, int], tile: int | None) -> int:
    height, width = frame
    return min(height, tile or height) * min(width, tile or width)
