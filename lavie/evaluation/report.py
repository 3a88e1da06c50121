"""What came out, as numbers, as a table and as a picture."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL.Image import Image

from lavie.data.world import contact_sheet
from lavie.evaluation.measured import write_json
from lavie.evaluation.prompt_accuracy import JudgedClip
from lavie.evaluation.questions import CAPTION_SETS
from lavie.evaluation.rates import Rate, difference
from lavie.pipelines.text_to_video import TextToVideoPipeline

CLIP_MEASURES = ("subject", "place", "motion", "style", "one_whole_subject", "moving_subject")
STILL_MEASURES = ("subject", "place", "style", "one_whole_subject")
_GAP_MEASURES = ("subject", "place", "motion", "one_whole_subject")

# (caption set, measure): (floor, aim), as the miniature's acceptance table has them
TARGETS: dict[tuple[str, str], tuple[float, float]] = {
    ("held_out", "subject"): (0.90, 0.97),
    ("held_out", "place"): (0.97, 0.99),
    ("held_out", "motion"): (0.80, 0.95),
    ("held_out", "one_whole_subject"): (0.80, 0.95),
    ("still_only", "moving_subject"): (0.70, 0.90),
    ("stills", "subject"): (0.95, 0.97),
}
GAP_TARGET = (0.10, 0.03)
"""How much worse held-out combinations may be than seen ones: floor and aim."""


def summarize(judged: list[JudgedClip]) -> dict[str, Any]:
    """All numbers of an evaluation.

    Args:
        judged: At least one clip, of any caption sets.

    Returns:
        ``sets``: by caption set, rates of every measure with 95 % intervals, the same by wording,
        and how often frames were in which state; ``gap``: seen minus held-out; ``targets``: each
        floor and aim, and whether it is reached; ``clips``: every verdict.
    """
    groups = {name: [c for c in judged if c.question.caption_set == name] for name in CAPTION_SETS}
    groups = {name: clips for name, clips in groups.items() if clips}
    rates = {name: _rates(clips) for name, clips in groups.items()}
    return {
        "sets": {
            name: {
                "rates": {measure: rate.as_json() for measure, rate in rates[name].items()},
                "by_wording": _by_wording(clips),
                "frame_states": _frame_states(clips),
            }
            for name, clips in groups.items()
        },
        "gap": _gap(rates),
        "targets": _targets(rates),
        "clips": [_as_json(clip) for clip in judged],
    }


def settings_of(
    pipeline: TextToVideoPipeline,
    model: str,
    num_inference_steps: int | None,
    guidance_scale: float | None,
    seed: int,
) -> dict[str, Any]:
    """How clips are made, with the model's own values where None is given.

    Raises:
        InputError: A value breaks its rule.
    """
    settings = pipeline.check_settings(
        num_inference_steps=num_inference_steps, guidance_scale=guidance_scale
    )
    return {"model": model, "seed": seed} | asdict(settings)


def write_report(
    folder: Path, judged: list[JudgedClip], settings: dict[str, Any]
) -> dict[str, Any]:
    """Write ``report.json`` and ``sheet.png``.

    Args:
        folder: Made if it is not there; reports in it are replaced.
        judged: At least one clip.
        settings: How they were made, kept in the report.

    Returns:
        What the JSON file holds.
    """
    summary = {"settings": settings} | summarize(judged)
    write_json(folder / "report.json", summary)
    sheet(judged).save(folder / "sheet.png")
    return summary


def table(summary: dict[str, Any]) -> list[str]:
    """The main numbers of a summary, in lines of text."""
    lines = [f"{'':18}" + "".join(f"{name:>22}" for name in summary["sets"])]
    for measure in (*CLIP_MEASURES, "everything"):
        cells = [part["rates"].get(measure) for part in summary["sets"].values()]
        shown = [str(Rate(cell["hits"], cell["n"])) if cell else "-" for cell in cells]
        lines.append(f"{measure:18}" + "".join(f"{text:>22}" for text in shown))
    sizes = [next(iter(part["rates"].values()))["n"] for part in summary["sets"].values()]
    lines.append(f"{'clips':18}" + "".join(f"{size:>22}" for size in sizes))
    return lines + [
        f"{target['set']} {target['measure']}: {target['value']:.3f} "
        f"(floor {target['floor']:.2f}, aim {target['aim']:.2f}) {target['verdict']}"
        for target in summary["targets"]
    ]


def sheet(judged: list[JudgedClip], count: int = 24) -> Image:
    """The first clips of each caption set, under their captions and verdicts.

    Args:
        judged: At least one clip.
        count: How many in all.
    """
    names = list(dict.fromkeys(clip.question.caption_set for clip in judged))
    share = -(-count // len(names))
    chosen = [
        clip
        for name in names
        for clip in [c for c in judged if c.question.caption_set == name][:share]
    ]
    rows = [(_describe(clip), clip.frames) for clip in chosen]
    if any(len(clip.frames) > 1 for clip in chosen):
        return contact_sheet(rows, 8, 2)
    return contact_sheet(rows, 1, 4, zoom=4)


def _describe(clip: JudgedClip) -> str:
    wrong = [name for name in clip.question.attributes if not clip.is_right(name)]
    seen = [f"{name}: {getattr(clip.verdict, name) or 'unclear'}" for name in wrong]
    if not clip.verdict.is_one_whole:
        counts = Counter(clip.verdict.states).most_common(2)
        seen.append(", ".join(f"{count} {state}" for state, count in counts))
    return f"{clip.question.caption} | {'; '.join(seen) or 'right'}"


def _rates(clips: list[JudgedClip]) -> dict[str, Rate]:
    is_moving = "motion" in clips[0].question.attributes
    measures = (*(CLIP_MEASURES if is_moving else STILL_MEASURES), "everything")
    return {measure: Rate.of(clip.is_right(measure) for clip in clips) for measure in measures}


def _by_wording(clips: list[JudgedClip]) -> dict[str, Any]:
    groups = {
        "canonical": [clip for clip in clips if clip.question.is_canonical],
        "varied": [clip for clip in clips if not clip.question.is_canonical],
    }
    return {
        name: {measure: rate.as_json() for measure, rate in _rates(group).items()}
        for name, group in groups.items()
        if group
    }


def _frame_states(clips: list[JudgedClip]) -> dict[str, float]:
    states = Counter(state for clip in clips for state in clip.verdict.states)
    return {state: round(count / states.total(), 4) for state, count in states.most_common()}


def _gap(rates: dict[str, dict[str, Rate]]) -> dict[str, dict[str, float]]:
    if not {"seen", "held_out"} <= rates.keys():
        return {}
    gaps = {}
    for measure in _GAP_MEASURES:
        numbers = difference(rates["seen"][measure], rates["held_out"][measure])
        pairs = zip(("value", "low", "high"), numbers, strict=True)
        gaps[measure] = {name: round(number, 4) for name, number in pairs}
    return gaps


def _targets(rates: dict[str, dict[str, Rate]]) -> list[dict[str, Any]]:
    rows = []
    for (name, measure), (floor, aim) in TARGETS.items():
        if name in rates:
            value = rates[name][measure].share
            rows.append((name, measure, value, floor, aim, value >= floor, value >= aim))
    gaps = _gap(rates)
    if gaps:
        floor, aim = GAP_TARGET
        value = max(gap["value"] for gap in gaps.values())
        rows.append(("seen - held_out", "worst", value, floor, aim, value <= floor, value <= aim))
    keys = ("set", "measure", "value", "floor", "aim", "verdict")
    return [dict(zip(keys, (*row[:5], _target_verdict(*row[5:])), strict=True)) for row in rows]


def _target_verdict(has_floor: bool, has_aim: bool) -> str:
    return "aim reached" if has_aim else "floor reached" if has_floor else "NOT REACHED"


def _as_json(clip: JudgedClip) -> dict[str, Any]:
    question, verdict = clip.question, clip.verdict
    return {
        "caption": question.caption,
        "set": question.caption_set,
        "is_canonical": question.is_canonical,
        "seed": question.seed,
        "asked": question.attributes,
        "seen": {name: getattr(verdict, name) for name in question.attributes},
        "is_one_whole": verdict.is_one_whole,
        "states": dict(Counter(verdict.states)),
        "path_error": None if verdict.path_error is None else round(verdict.path_error, 2),
    }
