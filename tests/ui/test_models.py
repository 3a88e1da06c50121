"""Models as their owner meets them: found, downloaded, converted, used, deleted."""

import re
import sys
import threading

import pytest
from playwright.sync_api import Page, expect

from lavie.convert.published import STABLE_DIFFUSION
from tests.fake_hub import serve_hub
from tests.published import write_original_folder
from tests.ui.conftest import serving
from tests.ui.test_history import open_tab

pytestmark = pytest.mark.ui


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "pretrained_models"
    write_original_folder(folder)
    (folder / STABLE_DIFFUSION.folder / "tokenizer" / "special_tokens_map.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def hub(original):
    parts = original / STABLE_DIFFUSION.folder
    with serve_hub({"Vchitect/LaVie": original, STABLE_DIFFUSION.repository: parts}) as hub:
        yield hub


@pytest.fixture(scope="module")
def server(hub, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models-server")
    command = [sys.executable, "app.py", "--models", str(folder / "models")]
    own = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(folder / "hf")}
    with serving(command, folder, **own) as server:
        yield server


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def work(page: Page):
    return page.locator("#models-work")


def model(page: Page, name: str):
    return page.locator("#models-installed li").filter(has=page.get_by_role("heading", name=name))


def convert(page: Page, path: str, name: str = "") -> None:
    page.get_by_label("Checkpoint or folder").fill(path)
    page.get_by_label("Name of the new model").fill(name)
    press(page, "Make a model of it")


def test_models_are_downloaded_converted_deleted_and_used(
    open_page, hub, server, original, tmp_path
):
    page = open_page()
    open_tab(page, "Models")
    expect(page.locator("#models-in-use")).to_contain_text("were free when the model was loaded")
    expect(model(page, "miniature")).to_contain_text("Apache-2.0")

    # Nothing comes before the licences are accepted; what is under way is found after a reload
    hub.silence = threading.Event()
    press(page, "Download: LaVie, first version only")
    expect(page.locator("#models-question")).to_contain_text("ask its authors first")
    expect(page.get_by_role("button", name="I accept, download it")).to_be_focused()
    assert hub.fetched == []
    page.keyboard.press("Enter")
    expect(work(page)).to_contain_text("Downloading LaVie, first version only")
    page.reload()
    open_tab(page, "Models")
    expect(work(page).get_by_role("progressbar")).to_be_visible()
    press(page, "Stop")
    expect(work(page)).to_contain_text("Stopped. What has come of a download is kept")
    hub.silence.set()
    hub.silence = None

    # It goes on where it stopped, also when the connection is cut
    hub.cuts = [20_000]
    press(page, "Download the rest: LaVie, first version only")
    press(page, "I accept, download it")
    expect(work(page)).to_contain_text(re.compile(r"\d+ bytes of it are here already: it goes on"))
    expect(work(page)).to_contain_text(re.compile("Done: .*lavie-base is on this machine now"))
    *_, resumed, cut = (int(name[14:]) for name in hub.fetched if name.startswith("lavie_base.pt@"))
    assert cut == resumed + 20_000
    expect(model(page, "lavie-base")).to_contain_text("open for research")
    expect(page.locator("#models-offers")).to_contain_text("It is on this machine.")
    press(page, "Close")
    expect(work(page)).to_be_hidden()

    # From files on this machine: broken, then whole, then deleted again
    broken = tmp_path / "lavie_base.pt"
    broken.write_bytes(b"PK\x03\x04" + b"x" * 100)
    page.get_by_label("Its Stable Diffusion").fill(str(original / STABLE_DIFFUSION.folder))
    convert(page, str(broken), "broken")
    expect(work(page).get_by_role("alert")).to_contain_text("cut short")
    convert(page, str(original), "<b>mine")
    refusal = page.locator("#models-convert-note").get_by_role("alert")
    expect(refusal).to_contain_text("“<b>mine” cannot be the name")
    expect(work(page)).to_be_hidden()
    convert(page, "/nowhere", "mine")
    expect(refusal).to_contain_text("“/nowhere” is not on this machine")
    expect(refusal).to_be_in_viewport()
    expect(work(page)).to_be_hidden()
    convert(page, str(original), "mine")
    expect(refusal).to_be_hidden()
    expect(work(page)).to_be_in_viewport()
    expect(work(page)).to_contain_text("mine is on this machine now")
    model(page, "mine").get_by_role("button", name="Delete").click()
    press(page, "Not now")
    model(page, "mine").get_by_role("button", name="Delete").click()
    press(page, "Delete it for good")
    expect(model(page, "mine")).to_have_count(0)

    # Folders of one's own
    (tmp_path / "empty").mkdir()
    page.get_by_label("Folder to look into").fill(str(tmp_path / "empty"))
    press(page, "Add")
    expect(page.locator("#models-folder-note")).to_contain_text("holds no LaVie model")
    expect(page.get_by_text("Error", exact=True).locator("visible=true")).to_have_count(0)
    page.get_by_label("Folder to look into").fill(str(original))
    press(page, "Add")
    expect(model(page, "pretrained_models")).to_contain_text("files as they were published")
    press(page, f"Look there no more: {original}")
    expect(model(page, "pretrained_models")).to_have_count(0)
    assert original.is_dir()

    # Another profile and another model
    page.get_by_label("Memory profile").click()
    page.get_by_role("option", name="8gb").click()
    expect(page.locator("#models-in-use")).to_contain_text("From the next video on: 8gb")
    model(page, "lavie-base").get_by_role("button", name="Use this model").click()
    expect(page.get_by_text("This page comes back by itself.")).to_be_visible()
    expect(page.locator("#model")).to_contain_text("lavie-base")
    open_tab(page, "Models")
    expect(page.locator("#models-in-use")).to_contain_text("8gb, as it was chosen")
    expect(model(page, "lavie-base")).to_contain_text("In use")
    assert "Traceback" not in server.log

    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
