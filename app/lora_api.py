"""LoRAs for programs: the endpoints that train, list, change, hand out and take in."""

from typing import Any

import gradio as gr

from app.api import told
from app.downloads import handed_out
from app.loras.service import Loras
from app.schema import job_json, lora_json
from app.service import Service
from app.texts import NOT_A_JOB_ID
from app.texts import lora_rules as texts
from app.visitors import Visitors
from lavie.errors import InputError


class LoraApi:
    """The endpoints.

    Args:
        service: Keeps the jobs.
        visitors: Tells to whom what is made belongs.
    """

    def __init__(self, service: Service, visitors: Visitors) -> None:
        self._service = service
        self._loras = Loras(service)
        self._visitors = visitors

    @told
    def train_lora(
        self,
        request: gr.Request,
        files: list[str],
        name: str,
        token: str,
        class_word: str = "",
        kind: str = "thing",
        effort: str = "normal",
        captions: list[str] | None = None,
        seed: str = "",
        num_steps: str = "",
        prompt: str = "",
        keeps_pictures: bool = False,
    ) -> dict[str, Any]:
        """Queue the training of a LoRA on pictures and return its job at once.

        The job has one field more, ``advice``: what would make the pictures teach more, or nothing.
        The job has copies of the pictures; what was uploaded is deleted after about an hour.

        Args:
            files: PNG, JPEG or WebP pictures of one thing, character or style; 4 to 8 are best.
            name: What to call it.
            token: The trigger word, by which prompts will name it: made up, such as zog.
            class_word: What it is, such as dog; may be empty.
            kind: thing, character, which is learnt as a thing is, or style.
            effort: quick, normal or thorough.
            captions: What each picture shows; left out, it is put together from the words above.
            seed: The same seed gives the same LoRA; left out, a new one is drawn.
            num_steps: So many steps instead of those of the effort.
            prompt: What its first video shows; left out, it in motion.
            keeps_pictures: Whether the pictures are kept when it is trained.
        """
        values = {
            "pictures": files,
            "name": name,
            "token": token,
            "class_word": class_word,
            "kind": kind,
            "effort": effort,
            "captions": captions,
            "seed": seed,
            "num_steps": num_steps,
            "prompt": prompt,
            "keeps_pictures": keeps_pictures,
        }
        job = self._loras.submit(values, *self._visitors.visitor(request))
        advice = self._loras.advise_set(self._loras.check_pictures(files))
        return {**job_json(self._service.status(job)), "advice": advice}

    @told
    def training(self, request: gr.Request, job_id: str) -> dict[str, Any]:
        """Say how a training gets on: its loss by step, the steps, the LoRA that came of it.

        Args:
            job_id: The id that train_lora gave.
        """
        owner = self._visitors.owner(request)
        view = self._loras.view(self._service.find(_id(job_id), owner), owner)
        if view is None:
            raise InputError(texts.NOT_A_TRAINING, "job_id")
        return {
            "step": view.step,
            "num_steps": view.num_steps,
            "loss": [list(point) for point in view.points],
            "is_paused": view.is_paused,
            "can_finish": view.can_finish,
            "lora_id": view.entry_id,
        }

    @told
    def finish_training(self, request: gr.Request, job_id: str) -> dict[str, Any]:
        """Stop a training and keep what it has learnt so far; cancel pauses it instead.

        Args:
            job_id: The id that train_lora gave.
        """
        job = self._loras.finish(_id(job_id), *self._visitors.visitor(request))
        return job_json(self._service.status(job))

    @told
    def discard_training(self, request: gr.Request, job_id: str) -> dict[str, Any]:
        """Stop a training for good: what it has learnt and its copies of the pictures go at once.

        Args:
            job_id: The id that train_lora gave.
        """
        job = self._loras.discard(_id(job_id), self._visitors.owner(request))
        return job_json(self._service.status(job))

    @told
    def loras(self, request: gr.Request) -> list[dict[str, Any]]:
        """List the LoRAs that videos can be made with, newest first."""
        return [lora_json(entry) for entry in self._loras.list(self._visitors.owner(request))]

    @told
    def rename_lora(self, request: gr.Request, lora_id: str, name: str) -> dict[str, Any]:
        """Call a LoRA something else.

        Args:
            lora_id: As loras lists it.
            name: Its new name; its trigger word stays.
        """
        return lora_json(self._loras.rename(lora_id, name, self._visitors.owner(request)))

    @told
    def tag_lora(self, request: gr.Request, lora_id: str, tags: list[str]) -> dict[str, Any]:
        """Give a LoRA other tags.

        Args:
            lora_id: As loras lists it.
            tags: Short texts, in place of those that it has.
        """
        return lora_json(self._loras.tag(lora_id, tags, self._visitors.owner(request)))

    @told
    def delete_lora(self, request: gr.Request, lora_id: str, undo: bool = False) -> dict[str, Any]:
        """Throw a LoRA away, or bring it back within a week.

        Args:
            lora_id: As loras lists it.
            undo: Bring it back instead.
        """
        change = self._loras.undelete if undo is True else self._loras.delete
        return lora_json(change(lora_id, self._visitors.owner(request)))

    @told
    def export_lora(self, request: gr.Request, lora_id: str, format: str = "kohya") -> str:  # noqa: A002
        """Download a LoRA for other programs.

        Args:
            lora_id: As loras lists it.
            format: kohya (most programs), diffusers, or peft (a zip).
        """
        with self._loras.export(lora_id, format, self._visitors.owner(request)) as path:
            return handed_out(path)

    @told
    def import_lora(self, request: gr.Request, file: str, name: str = "") -> dict[str, Any]:
        """Take in a LoRA that was made elsewhere, for Stable Diffusion 1.x or for LaVie.

        Args:
            file: A .safetensors file, or a .zip of peft's.
            name: What to call it; left out, as the file calls itself. What you have keeps its name.
        """
        return lora_json(self._loras.import_file(file, name, self._visitors.owner(request)))


def add_lora_api(service: Service, visitors: Visitors) -> None:
    """Offer the endpoints on the page that is being built."""
    api = LoraApi(service, visitors)
    for endpoint in (
        api.training,
        api.finish_training,
        api.discard_training,
        api.loras,
        api.rename_lora,
        api.tag_lora,
        api.delete_lora,
    ):
        gr.api(endpoint, api_name=endpoint.__name__)
    with gr.Row(visible=False):  # Gradio moves files only through components
        pictures, file = gr.File(label="files", file_count="multiple"), gr.File(label="file")
        answer, found, captions = gr.JSON(), gr.File(label="result"), gr.JSON(label="captions")
        name, token, lora_id = (gr.Textbox(label=label) for label in ("name", "token", "lora_id"))
        class_word, seed, num_steps, prompt, called = (
            gr.Textbox("", label=label)
            for label in ("class_word", "seed", "num_steps", "prompt", "name")
        )
        kind, effort = gr.Textbox("thing", label="kind"), gr.Textbox("normal", label="effort")
        style = gr.Textbox("kohya", label="format")
        keeps = gr.Checkbox(False, label="keeps_pictures")
        start = gr.Button()
    words = [name, token, class_word, kind, effort, captions, seed, num_steps, prompt, keeps]
    start.click(api.train_lora, [pictures, *words], answer, api_name="train_lora")
    start.click(api.export_lora, [lora_id, style], found, api_name="export_lora")
    start.click(api.import_lora, [file, called], answer, api_name="import_lora")


def _id(job_id: object) -> str:
    if not isinstance(job_id, str):
        raise InputError(NOT_A_JOB_ID, "job_id")
    return job_id
