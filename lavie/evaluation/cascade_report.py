"""What the later stages are worth, as numbers beside targets, as a table and as pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from lavie.data.world import contact_sheet
from lavie.evaluation.cascade_prompts import JudgedStages
from lavie.evaluation.measured import MeasuredClip, means, write_json
from lavie.evaluation.rates import Rate
from lavie.types import CASCADE_STAGES, Frames, StageName

_ATTRIBUTES = ("subject", "place", "motion")

# Rows of the table: what it says, and the names of the numbers in its columns.
_INTERPOLATION_ROWS = {
    "PSNR of new frames, dB": "psnr",
    "roughness of the motion, px": "roughness",
}
_SUPER_RESOLUTION_ROWS = {
    "PSNR, dB": "psnr",
    "sharpness, of the truth's": "sharpness",
    "flicker, levels": "flicker",
}
_COLUMNS = {
    "ours": "",
    "cross-fade": "_cross_fade",
    "repetition": "_repetition",
    "Lanczos": "_lanczos",
    "frame by frame": "_frame_by_frame",
    "same noise": "_same_noise",
    "VAE alone": "_vae",
    "truth": "_truth",
    "exact": "_exact",
    "whole": "_whole",
    "tiled": "_tiled",
}
_SINGLE_ROWS = {
    "key_psnr": "given frames against what became of them, PSNR, dB",
    "key_psnr_vae": "  the same, VAE alone",
    "key_difference": "given frames against what became of them, mean levels",
    "fast_vs_exact": "default against the published 50 steps, PSNR, dB",
    "seam_strength": "change at window borders, of that beside them",
    "seam_strength_truth": "  the same of the truth",
    "windowed_vs_whole": "windows against one window (other noise), PSNR, dB",
    "other_noise_vs_whole": "  one window against itself with other noise",
    "tiled_vs_whole_frames": "tiles against whole frames, PSNR, dB",
}


@dataclass(frozen=True)
class Target:
    """A number the cascade is measured by.

    Args:
        part: ``interpolation``, ``super_resolution`` or ``prompts``.
        measure: What it is, in words.
        value: What came out.
        limit: Where the target lies.
        is_least: Whether the limit is a least, not a most.
    """

    part: str
    measure: str
    value: float
    limit: float
    is_least: bool

    @property
    def is_reached(self) -> bool:
        """Whether the value is on the right side of its limit."""
        return self.value >= self.limit if self.is_least else self.value <= self.limit


def summarize(
    interpolation: Sequence[MeasuredClip],
    super_resolution: Sequence[MeasuredClip],
    prompts: Sequence[JudgedStages],
) -> dict[str, Any]:
    """All numbers of an evaluation.

    Args:
        interpolation: Measured clips; none if the part was left out, likewise the others.
        super_resolution: As above.
        prompts: Videos judged after every stage.

    Returns:
        Per part, ``means`` and every clip's ``numbers``; of prompts, rates by stage and how many
        videos lost or gained what was asked for. ``targets`` say what is reached.
    """
    summary: dict[str, Any] = {}
    targets: list[Target] = []
    if interpolation:
        summary["interpolation"] = _numbers(interpolation)
        targets += _interpolation_targets(means(interpolation))
    if super_resolution:
        summary["super_resolution"] = _numbers(super_resolution)
        targets += _super_resolution_targets(means(super_resolution))
    if prompts:
        summary["prompts"] = _prompt_numbers(prompts)
        targets += _prompt_targets(prompts)
    summary["targets"] = [asdict(target) | {"is_reached": target.is_reached} for target in targets]
    return summary


def write_report(
    folder: Path,
    settings: dict[str, Any],
    interpolation: Sequence[MeasuredClip] = (),
    super_resolution: Sequence[MeasuredClip] = (),
    prompts: Sequence[JudgedStages] = (),
) -> dict[str, Any]:
    """Write ``report.json``, and a sheet of pictures for each stage that was measured alone.

    Args:
        folder: Made if it is not there; reports in it are replaced.
        settings: How the clips were made, kept in the report.
        interpolation: As in `summarize`; likewise the others.
        super_resolution: As above.
        prompts: As above.

    Returns:
        What the JSON file holds.
    """
    summary = {"settings": settings} | summarize(interpolation, super_resolution, prompts)
    write_json(folder / "report.json", summary)
    if interpolation:
        sheet(interpolation, 4).save(folder / "sheet-interpolation.png")
    if super_resolution:
        sheet(super_resolution, 2, zoom=2).save(folder / "sheet-super-resolution.png")
    return summary


def table(summary: Mapping[str, Any]) -> list[str]:
    """The main numbers of a summary and its targets, in lines of text."""
    lines = []
    for part, rows in (
        ("interpolation", _INTERPOLATION_ROWS),
        ("super_resolution", _SUPER_RESOLUTION_ROWS),
    ):
        if part in summary:
            lines += [f"{part} (clips: {len(summary[part]['clips'])})"]
            lines += _part_table(summary[part]["means"], rows)
    if "prompts" in summary:
        lines += _prompt_table(summary["prompts"]["rates"])
    return [*lines, "targets", *map(_target_line, summary["targets"])]


def sheet(clips: Sequence[MeasuredClip], frames_per_clip: int, zoom: int = 4) -> Image:
    """Moments of the first clips, each way of making them in a row of its own.

    Args:
        clips: At least one, with pictures.
        frames_per_clip: Moments shown of each clip.
        zoom: Enlargement of every pixel.
    """
    rows = [
        (f"{name} | {clip.caption}", _moments(video, frames_per_clip))
        for clip in clips[:4]
        for name, video in clip.pictures.items()
    ]
    return contact_sheet(rows, frames_per_clip, 1, zoom)


def _moments(video: Frames, count: int) -> Frames:
    """Frames spread evenly, each in the middle between two given ones where it was interpolated."""
    places = (np.arange(count) + 0.5) / count * len(video)
    return video[np.minimum(places.astype(int) // 4 * 4 + 2, len(video) - 1)]


def _numbers(clips: Sequence[MeasuredClip]) -> dict[str, Any]:
    return {
        "means": {name: round(value, 4) for name, value in means(clips).items()},
        "clips": [
            {"caption": clip.caption}
            | {name: round(value, 4) for name, value in clip.numbers.items()}
            for clip in clips
        ],
    }


def _interpolation_targets(mean: Mapping[str, float]) -> list[Target]:
    gain = mean["psnr"] - mean["psnr_cross_fade"]
    roughness = _ratio(mean["roughness"], mean["roughness_repetition"])
    return [
        Target("interpolation", "PSNR above cross-fading, dB,", gain, 2.0, True),
        Target("interpolation", "roughness of repetition's", roughness, 1.0, False),
    ]


def _super_resolution_targets(mean: Mapping[str, float]) -> list[Target]:
    gain = mean["psnr"] - mean["psnr_lanczos"]
    flicker = _ratio(mean["flicker"], mean["flicker_frame_by_frame"])
    targets = [
        Target("super_resolution", "PSNR above Lanczos, dB,", gain, 1.5, True),
        Target("super_resolution", "flicker of frame by frame's", flicker, 1.0, False),
    ]
    if "seam_strength" in mean:
        seam = mean["seam_strength"]
        targets.append(Target("super_resolution", "seam strength", seam, 1.1, False))
    return targets


def _prompt_targets(prompts: Sequence[JudgedStages]) -> list[Target]:
    rates = _prompt_rates(prompts)
    return [
        Target(
            "prompts",
            f"{name} lost after {stage}",
            round(rates["base"][name].share - rates[stage][name].share, 4),
            0.03,
            False,
        )
        for stage in CASCADE_STAGES[1:]
        for name in _ATTRIBUTES
    ]


def _prompt_rates(prompts: Sequence[JudgedStages]) -> dict[StageName, dict[str, Rate]]:
    return {
        stage: {
            name: Rate.of(judged[stage].is_right(name) for judged in prompts)
            for name in (*_ATTRIBUTES, "one_whole_subject")
        }
        for stage in prompts[0]
    }


def _prompt_numbers(prompts: Sequence[JudgedStages]) -> dict[str, Any]:
    return {
        "rates": {
            stage: {name: rate.as_json() for name, rate in rates.items()}
            for stage, rates in _prompt_rates(prompts).items()
        },
        "changed": {
            stage: {name: _changes(prompts, stage, name) for name in _ATTRIBUTES}
            for stage in CASCADE_STAGES[1:]
        },
    }


def _changes(prompts: Sequence[JudgedStages], stage: StageName, name: str) -> dict[str, int]:
    pairs = [(judged["base"].is_right(name), judged[stage].is_right(name)) for judged in prompts]
    return {"lost": pairs.count((True, False)), "gained": pairs.count((False, True))}


def _part_table(mean: Mapping[str, float], rows: Mapping[str, str]) -> list[str]:
    columns = {
        title: ending
        for title, ending in _COLUMNS.items()
        if any(f"{name}{ending}" in mean for name in rows.values())
    }
    lines = [f"{'':30}" + "".join(f"{title:>15}" for title in columns)]
    for title, name in rows.items():
        cells = [mean.get(f"{name}{ending}") for ending in columns.values()]
        shown = ["-" if cell is None else f"{cell:.3f}" for cell in cells]
        lines.append(f"  {title:28}" + "".join(f"{text:>15}" for text in shown))
    singles = [(title, mean[name]) for name, title in _SINGLE_ROWS.items() if name in mean]
    return lines + [f"  {title:56}{value:>9.3f}" for title, value in singles]


def _prompt_table(rates: Mapping[str, Mapping[str, Any]]) -> list[str]:
    first = next(iter(rates["base"].values()))
    lines = [f"prompts (videos: {first['n']})", f"{'':30}" + "".join(f"{s:>22}" for s in rates)]
    for name in rates["base"]:
        cells = [part[name] for part in rates.values()]
        shown = [str(Rate(cell["hits"], cell["n"])) for cell in cells]
        lines.append(f"  {name:28}" + "".join(f"{text:>22}" for text in shown))
    return lines


def _target_line(target: Mapping[str, Any]) -> str:
    rule = "at least" if target["is_least"] else "at most"
    verdict = "reached" if target["is_reached"] else "NOT REACHED"
    value, limit = target["value"], target["limit"]
    return f"  {target['part']}: {target['measure']} {value:.3f} ({rule} {limit:g}) {verdict}"


def _ratio(value: float, other: float) -> float:
    return value / other if other else 1.0
