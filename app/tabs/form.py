"""The form in which a video is asked for, and the words that can be clicked together for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import gradio as gr
from gradio.components import Component

from app import texts
from app.model_card import ModelCard
from app.request import FIELDS, MAX_SEED, SCHEDULERS, STEP_FIELDS, Range
from app.words import Choice, Words


class Composer(NamedTuple):
    """The words that can be clicked together."""

    subject: gr.Radio
    motion: gr.Radio
    place: gr.Radio
    style: gr.Radio


@dataclass(frozen=True)
class Form:
    """One control for each field of the request, by the field's name."""

    prompt: gr.Textbox
    negative_prompt: gr.Textbox
    seed: gr.Textbox
    num_inference_steps: gr.Slider
    guidance_scale: gr.Slider
    scheduler: gr.Dropdown
    width: gr.Number
    height: gr.Number
    num_frames: gr.Slider
    smooth: gr.Checkbox
    upscale: gr.Checkbox
    smoothing_steps: gr.Slider
    upscaling_steps: gr.Slider
    loras: gr.Textbox

    def controls(self) -> list[Component]:
        """The controls in the order of `FIELDS`."""
        return [getattr(self, field) for field in FIELDS]


def create_prompt_box() -> gr.Textbox:
    """Where the sentence is typed."""
    return gr.Textbox(
        label=texts.PROMPT_LABEL,
        info=texts.PROMPT_INFO,
        placeholder=texts.PROMPT_PLACEHOLDER,
        lines=2,
        max_lines=5,
        autofocus=True,
        elem_id="prompt",
    )


def create_switches(
    card: ModelCard, smooth_info: str, upscale_info: str, prefix: str = ""
) -> tuple[gr.Checkbox, gr.Checkbox]:
    """What else can be done with a video, as far as the model has the stages.

    Args:
        card: Of the model.
        smooth_info: What is said below the first switch.
        upscale_info: What is said below the second.
        prefix: Of the names of their elements.
    """
    with gr.Row(elem_id=f"{prefix}switches", visible=len(card.stages) > 1):
        smooth = gr.Checkbox(
            label=texts.SMOOTH_LABEL,
            info=smooth_info,
            visible="interpolation" in card.stages,
            min_width=150,
            elem_id=f"{prefix}smooth",
        )
        upscale = gr.Checkbox(
            label=texts.UPSCALE_LABEL,
            info=upscale_info,
            visible="super_resolution" in card.stages,
            min_width=150,
            elem_id=f"{prefix}upscale",
        )
    return smooth, upscale


def create_composer(words: Words) -> Composer:
    """The words of a small model, to be clicked."""
    gr.Markdown(f"### {texts.WORDS_HEADING}")

    def radio(
        name: str, choices: list[Choice], label: str, info: str, value: str | None = None
    ) -> gr.Radio:
        return gr.Radio(
            choices,
            value=value,
            label=label,
            info=info,
            visible=len(choices) > 1,
            elem_id=f"word-{name}",
            elem_classes="chips",
        )

    return Composer(
        subject=radio("subject", words.subjects, texts.SUBJECT_LABEL, texts.SUBJECT_INFO),
        motion=radio("motion", words.motions, texts.MOTION_LABEL, texts.MOTION_INFO),
        place=radio("place", words.places, texts.PLACE_LABEL, texts.PLACE_INFO),
        style=radio("style", words.styles, texts.STYLE_LABEL, texts.STYLE_INFO, words.styles[0][1]),
    )


def create_form(
    card: ModelCard,
    prompt: gr.Textbox,
    smooth: gr.Checkbox,
    upscale: gr.Checkbox,
    loras: gr.Textbox,
) -> Form:
    """The settings, beside the controls that stand elsewhere; all in one record."""
    ranges = card.ranges
    negative_prompt = gr.Textbox(
        label=texts.NEGATIVE_LABEL, info=texts.NEGATIVE_INFO, elem_id="negative_prompt"
    )
    with gr.Row():
        width = _number("width", ranges, texts.WIDTH_LABEL)
        height = _number("height", ranges, texts.HEIGHT_LABEL)
    sliders = create_sliders(
        card,
        ranges,
        {
            "num_frames": (texts.FRAMES_LABEL, texts.FRAMES_INFO),
            "num_inference_steps": (texts.STEPS_LABEL, texts.STEPS_INFO),
            "guidance_scale": (texts.GUIDANCE_LABEL, texts.GUIDANCE_INFO),
            "smoothing_steps": (texts.SMOOTHING_STEPS_LABEL, texts.SMOOTHING_STEPS_INFO),
            "upscaling_steps": (texts.UPSCALING_STEPS_LABEL, texts.UPSCALING_STEPS_INFO),
        },
    )
    with gr.Row():
        seed = gr.Textbox(
            label=texts.SEED_LABEL,
            info=texts.SEED_INFO,
            placeholder=texts.SEED_PLACEHOLDER,
            max_length=len(str(MAX_SEED)),
            min_width=220,
            elem_id="seed",
        )
        scheduler = gr.Dropdown(
            [(texts.SCHEDULER_NAMES[name], name) for name in SCHEDULERS],
            value=SCHEDULERS[0],
            label=texts.SCHEDULER_LABEL,
            info=texts.SCHEDULER_INFO,
            min_width=220,
            elem_id="scheduler",
        )
    return Form(
        prompt=prompt,
        negative_prompt=negative_prompt,
        seed=seed,
        scheduler=scheduler,
        width=width,
        height=height,
        smooth=smooth,
        upscale=upscale,
        loras=loras,
        **sliders,
    )


def _number(name: str, ranges: Mapping[str, Range], label: str) -> gr.Number:
    limits = ranges[name]
    return gr.Number(
        label=label,
        info=texts.size_info(limits.minimum, limits.maximum, limits.step),
        value=limits.default,
        minimum=limits.minimum,
        maximum=limits.maximum,
        step=limits.step,
        elem_id=name,
    )


def create_sliders(
    card: ModelCard,
    ranges: Mapping[str, Range],
    told: Mapping[str, tuple[str, str]],
    prefix: str = "",
) -> dict[str, gr.Slider]:
    """A slider for each setting; those of stages that the model lacks are not seen.

    Args:
        card: Of the model.
        ranges: The limits of each setting.
        told: Label and info of each.
        prefix: Of the names of their elements.
    """
    stages = {field: stage for stage, field in STEP_FIELDS.items()}
    return {
        name: gr.Slider(
            ranges[name].minimum,
            ranges[name].maximum,
            value=ranges[name].default,
            step=ranges[name].step or 0.1,
            label=label,
            info=info,
            visible=stages.get(name, "base") in card.stages,
            elem_id=f"{prefix}{name}",
        )
        for name, (label, info) in told.items()
    }
