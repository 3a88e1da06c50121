"""What happens when something on the tab Models is used. On a server of one's own only."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import gradio as gr
from gradio.blocks import Block

from app import model_list, texts
from app.handlers.alerts import alert
from app.handlers.browser import bring_into_view
from app.model_card import read_model_card
from app.model_work import ModelWork, Work
from app.models import InstalledModel, ModelLibrary, Offer
from app.restart import Restart
from app.service import Service
from app.tabs.models import QUESTION_ID, WORK_ID, YES_ID, ModelsTab
from lavie.cli.shared import stage_flag
from lavie.errors import InputError, LaVieError
from lavie.pipelines.model_folder import LATER_STAGES
from lavie.runtime.profiles import AUTO

Updates = dict[Block, Any]

_POLL_SECONDS = 0.2


class ModelsHandlers:
    """What happens when something on the tab Models is used.

    Args:
        service: Makes videos with the model in use.
        tab: The components to read and update.
        library: Knows the models.
        work: The download or conversion that the server is at.
        restart: Starts the server with another model; None: that can't be.
    """

    def __init__(
        self,
        service: Service,
        tab: ModelsTab,
        library: ModelLibrary,
        work: ModelWork,
        restart: Restart | None = None,
    ) -> None:
        self._service = service
        self._tab = tab
        self._library = library
        self._work = work
        self._restart = restart

    def refresh(self) -> Updates:
        """Show everything as it is now."""
        return {**self.show_use(), **self._profile(), **self._lists()}

    def show_use(self) -> Updates:
        """Show what makes the videos now; again in a moment if that is not known yet."""
        setups, error = self._service.setups(), self._service.model_error
        is_loading = not setups and not error and self._service.has_workers
        status = error or (texts.MODEL_IS_LOADING if is_loading else texts.WORKERS_ELSEWHERE)
        card, to_come = self._service.card, self._service.profile
        return {
            self._tab.in_use: model_list.in_use(card, setups, to_come, status),
            self._tab.in_use_timer: gr.Timer(active=is_loading),
        }

    def use_profile(self, name: str) -> Updates:
        """Have videos made in another memory profile from now on."""
        try:
            self._service.use_profile(name)
        except InputError as error:
            raise alert(error) from error
        return self.show_use()

    def choose(self, event: gr.EventData) -> Updates:
        """Do what a button of a list says, or ask first."""
        action, subject = getattr(event, "action", ""), getattr(event, "subject", "")
        if action == model_list.USE:
            return self._use(self._find_model(subject))
        if action == model_list.DELETE:
            model = self._find_model(subject)
            return self._ask(
                (action, subject),
                model_list.question(texts.delete_question(model.name, model.num_bytes)),
                texts.DELETE_FOR_GOOD,
            )
        if action == model_list.DOWNLOAD:
            offer = self._find_offer(subject)
            sentence = texts.download_question(offer.title, offer.num_bytes)
            text = model_list.question(sentence, offer.licences)
            return self._ask((action, subject), text, texts.ACCEPT_AND_DOWNLOAD)
        if action == model_list.FORGET and isinstance(subject, str):
            return self._change(self._library.remove_folder, subject)
        return {}

    def answer_yes(self, asked: Sequence[str]) -> Updates:
        """Do what was asked about."""
        action, subject = asked or ("", "")
        done = self.answer_no()
        if action == model_list.DELETE:
            return done | self._change(self._library.delete, self._deletable(subject))
        if action == model_list.DOWNLOAD:
            offer = self._find_offer(subject)
            here = offer.num_bytes_here
            return done | self._begin(
                texts.downloading(offer.title),
                lambda hear, cancel: self._library.install(
                    offer.network, on_event=hear, cancel=cancel
                ),
                texts.goes_on(here) if here else "",
            )
        return done

    def answer_no(self) -> Updates:
        """Ask no more."""
        question = self._tab.question
        return {question.asked: (), question.panel: gr.Column(visible=False)}

    def convert(self, path: str, parts: str, name: str) -> Updates:
        """Make a model of files on this machine; what is wrong with them is said beside them."""
        given = path, name.strip() or None
        parts_folder = parts.strip() or None
        try:
            self._library.check_conversion(*given, stable_diffusion=parts_folder)
        except LaVieError as error:
            self._work.dismiss()  # how an earlier one ended is not how this one did
            return {self._tab.convert_note: _refusal(error), **self._show_work(self._work.now)}
        begun = self._begin(
            texts.converting(path.strip()),
            lambda hear, cancel: self._library.convert(
                *given, stable_diffusion=parts_folder, on_event=hear, cancel=cancel
            ),
        )
        return {self._tab.convert_note: _refusal(None), **begun}

    def add_folder(self, folder: str) -> Updates:
        """Look for models in one more folder, or say beside it why that can't be."""
        try:
            self._library.add_folder(folder)
        except LaVieError as error:
            return {self._tab.folder_note: _refusal(error)}
        return {self._tab.folder_note: _refusal(None), self._tab.folder: "", **self._lists()}

    def stop(self) -> Updates:
        """Stop what is being done; or put away how it ended."""
        if self._work.is_busy:
            self._work.stop()
        else:
            self._work.dismiss()
        return self._show_work(self._work.now)

    async def follow(self) -> AsyncIterator[Updates]:
        """Show a download or conversion until it is over, and then what there is."""
        shown: Work | None = None
        while True:
            work = self._work.now
            if work != shown or work is None:
                shown = work
                yield self._show_work(work)
            if work is None or work.is_over:
                break
            await asyncio.sleep(_POLL_SECONDS)
        if work is not None:
            yield await asyncio.to_thread(self._lists)

    def _use(self, model: InstalledModel) -> Updates:
        if self._restart is None:
            raise alert(texts.START_WITH_IT)
        if self._work.is_busy:
            raise alert(texts.MODEL_WORK_IS_BUSY)
        if self._service.queue():
            raise alert(texts.WAIT_FOR_THE_QUEUE)
        if "base" not in model.stages and len(model.stages) != 1:
            raise alert(texts.later_stage_alone(model.stages, model.name))
        try:
            if "base" in model.stages:  # what later stages there were go with the model before
                read_model_card(model.name)
                flags = {"--model": model.name, **dict.fromkeys(map(stage_flag, LATER_STAGES))}
            else:
                (stage,) = model.stages
                read_model_card(self._service.card.name, {stage: model.name})
                flags = {stage_flag(stage): model.name}
        except LaVieError as error:
            raise alert(error) from error
        profile = self._service.profile
        self._restart.ask(flags | ({"--profile": profile} if profile else {}))
        return {self._tab.restart: model_list.restart(model.name)}

    def _find_model(self, name: object) -> InstalledModel:
        for model in self._library.installed():
            if model.name == name:
                return model
        raise alert(texts.NO_SUCH_MODEL)

    def _find_offer(self, network: object) -> Offer:
        for offer in self._library.offers():
            if offer.network == network:
                return offer
        raise alert(texts.unknown_offer(str(network)))

    def _deletable(self, name: str) -> str:
        model = self._find_model(name)
        if model_list.is_in_use(model, self._service.card):
            raise alert(texts.MODEL_IS_IN_USE)
        return model.name

    def _ask(self, asked: tuple[str, str], text: str, yes: str) -> Updates:
        question = self._tab.question
        return {
            question.asked: asked,
            question.panel: gr.Column(visible=True),
            question.text: text,
            question.yes: gr.Button(yes),
        }

    def _begin(self, title: str, do: Any, note: str = "") -> Updates:  # noqa: ANN401 - `Do`
        try:
            self._work.begin(title, do, note)
        except InputError as error:
            raise alert(error) from error
        return self._show_work(self._work.now)

    def _change(self, change: Any, subject: str) -> Updates:  # noqa: ANN401 - of the library
        try:
            change(subject)
        except LaVieError as error:
            raise alert(error) from error
        return self._lists()

    def _show_work(self, work: Work | None) -> Updates:
        if work is None:
            return {self._tab.work_panel: gr.Column(visible=False)}
        label = texts.CLOSE if work.is_over else texts.STOP_MODEL_WORK
        return {
            self._tab.work_panel: gr.Column(visible=True),
            self._tab.work: model_list.work(work),
            self._tab.stop: gr.Button(label, interactive=not work.is_stopping or work.is_over),
        }

    def _profile(self) -> Updates:
        asked = [setup.asked for setup in self._service.setups()]
        return {self._tab.profile: self._service.profile or (asked[0] if asked else AUTO)}

    def _lists(self) -> Updates:
        library, card = self._library, self._service.card
        can_restart = self._restart is not None
        return {
            self._tab.installed: model_list.installed(library.installed(), card, can_restart),
            self._tab.offers: model_list.offers(library.offers(), library.is_offline),
            self._tab.folders: model_list.folders(library.custom_folders),
        }


def _refusal(error: LaVieError | None) -> gr.HTML:
    """What is wrong, beside what it is about; or nothing any more."""
    return gr.HTML(model_list.refusal(str(error)) if error else "", visible=error is not None)


def bind_models(tab: ModelsTab, handlers: ModelsHandlers) -> None:
    """Say which events of the tab do what."""
    question = tab.question
    asking = [question.asked, question.panel, question.text, question.yes]
    work = [tab.work_panel, tab.work, tab.stop]
    lists = [tab.installed, tab.offers, tab.folders]
    use = [tab.in_use, tab.in_use_timer]
    follow: dict[str, Any] = {"fn": handlers.follow, "outputs": [*work, *lists]}
    tab.tab.select(handlers.refresh, None, [*use, tab.profile, *lists])
    tab.tab.select(**follow)
    tab.in_use_timer.tick(handlers.show_use, None, use)
    tab.profile.input(handlers.use_profile, tab.profile, use)
    gr.on(
        [tab.installed.select, tab.offers.select, tab.folders.select],
        handlers.choose,
        None,
        [tab.restart, *asking, *lists],
    ).success(js=bring_into_view(QUESTION_ID, focus=f"#{YES_ID}"))
    question.no.click(handlers.answer_no, None, asking[:2])
    question.yes.click(handlers.answer_yes, question.asked, [*asking[:2], *work, *lists]).success(
        **follow
    )
    begun = gr.on(
        [tab.convert.click, tab.path.submit],
        handlers.convert,
        [tab.path, tab.parts, tab.name],
        [tab.convert_note, *work],
    )
    begun.success(**follow)
    begun.success(js=bring_into_view(WORK_ID))
    gr.on(
        [tab.add_folder.click, tab.folder.submit],
        handlers.add_folder,
        tab.folder,
        [tab.folder_note, tab.folder, *lists],
    )
    tab.stop.click(handlers.stop, None, work)
