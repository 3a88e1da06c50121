"""The tab Personalised LoRA as its users meet it. Nothing depends on how well it learns."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from app.loras import cards
from lavie.media import read_metadata
from lora.limits import MAX_LORAS
from tests.ui.conftest import PATIENCE
from tests.ui.test_text_to_video import download, fits_a_phone
from tests.unit.app.loras.test_lora_page import entry

pytestmark = pytest.mark.ui

SIZE = 160
COLOURS = ("khaki", "skyblue", "seagreen", "plum")


@pytest.fixture
def page(open_page) -> Page:
    return open_tab(open_page())


@pytest.fixture
def pictures(tmp_path):
    """A creature that nobody has seen before, in front of different walls."""
    files = []
    for number, colour in enumerate(COLOURS):
        picture = Image.new("RGB", (SIZE, SIZE), colour)
        draw, left = ImageDraw.Draw(picture), 15 + 15 * number
        draw.ellipse((left, 40, left + 80, 130), fill="orange", outline="black", width=4)
        for eye in (left + 22, left + 48):
            draw.rectangle((eye, 70, eye + 8, 84), fill="black")
        draw.polygon([(left + 30, 42), (left + 40, 10), (left + 50, 42)], fill="crimson")
        files.append(tmp_path / f"biscuit-{number}.png")
        picture.save(files[-1])
    return files


def open_tab(page: Page) -> Page:
    page.get_by_role("tab", name="Personalised LoRA").click()
    expect(page.get_by_role("heading", name="Teach it something of yours")).to_be_visible()
    return page


def give(page: Page, files) -> None:
    page.locator("#lora-files input[type=file]").set_input_files(files)


def field(page: Page, name: str):
    return page.locator(f"#lora-{name} :is(input, textarea)")


def row(page: Page, name: str):
    return page.locator(".lora-picture", has_text=name)


def card(page: Page, name: str):
    return page.locator("#lora-cards .card", has_text=name)


def fill_in(page: Page, pictures) -> None:
    give(page, pictures)
    expect(page.locator(".lora-picture.fine")).to_have_count(len(pictures))
    field(page, "name").fill("Biscuit")
    expect(field(page, "token")).to_have_value("bsctzq")
    page.locator("#lora-effort").get_by_text("Quick").click()


def test_from_pictures_to_videos_and_a_file(page, pictures, server, tmp_path):
    (tmp_path / "text.png").write_text("a text, no picture")
    fill_in(page, pictures)
    give(page, tmp_path / "text.png")
    expect(row(page, "text.png")).to_contain_text("Left out")
    expect(row(page, "text.png").locator(".lora-reason")).not_to_be_empty()
    page.get_by_role("button", name="Remove text.png").click()
    expect(page.locator(".lora-picture")).to_have_count(len(pictures))
    page.get_by_label("What biscuit-1.png shows").fill("a picture of bsctzq at a wall")
    page.get_by_role("button", name="Teach it").click()

    curve = page.get_by_role("img", name=re.compile("How far off it still is: from .* to "))
    expect(curve).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused. “Go on” takes it up")).to_be_visible()
    page.reload()
    open_tab(page)
    expect(page.get_by_label("What biscuit-1.png shows")).to_have_value(re.compile("at a wall"))
    page.locator("#lora-retry").click()
    expect(page.locator("#lora-pause")).to_be_enabled()
    page.reload()
    open_tab(page)
    expect(page.get_by_role("heading", name="Learning: Biscuit")).to_be_visible()
    expect(curve).to_be_visible()
    sample = page.get_by_alt_text(re.compile("What it makes of them: Step"))
    expect(sample).to_be_visible(timeout=2 * PATIENCE)
    page.get_by_role("button", name="Stop here and keep this one").click()

    expect(page.get_by_role("heading", name="Learnt: Biscuit")).to_be_visible()
    expect(field(page, "prompt")).to_have_value(re.compile("bsctzq"))
    expect(page.locator(".lora-picture")).to_have_count(0)  # they are deleted
    expect(card(page, "Biscuit")).to_have_count(1)
    expect(page.locator("#lora-export-peft")).to_be_disabled()  # no room for the trigger word
    file = download(page, "Kohya", tmp_path)
    mixed_with_another(page, file, tmp_path)
    compared(page)
    deleted_and_brought_back(page)
    below_the_screen_of_a_phone(page)
    offered_elsewhere(page)


def mixed_with_another(page: Page, file, tmp_path) -> None:
    """The same file under another name and trigger word comes back in, and both make a video."""
    page.locator("#lora-import input[type=file]").set_input_files(
        under_another_name(file, tmp_path)
    )
    expect(card(page, "Zog")).to_have_attribute("aria-current", "true")
    choice = page.locator("#lora-loras")
    expect(choice.get_by_label("Strength of Zog")).to_be_visible()
    choice.locator(".lora-chip", has_text="Biscuit").click()
    choice.get_by_label("Strength of Biscuit").fill("0.5")
    choice.get_by_role("button", name="Put “bsctzq").click()
    expect(field(page, "prompt")).to_have_value(re.compile("zogzog .*bsctzq"))
    page.get_by_role("button", name="Make a video with it").click()
    video = page.locator("#lora-video video")
    expect(video).to_be_visible()
    address = video.get_attribute("src") or ""
    (tmp_path / "mixed.mp4").write_bytes(page.request.get(address).body())
    recipe = read_metadata(tmp_path / "mixed.mp4") or {}
    assert sorted((use["name"], use["weight"]) for use in recipe["loras"]) == [
        ("Biscuit", 0.5),
        ("Zog", 1),
    ]


def under_another_name(file, folder):
    with safe_open(file, "pt") as opened:
        metadata = {k: v.replace("bsctzq", "zogzog") for k, v in opened.metadata().items()}
    tensors = {k.replace("bsctzq", "zogzog"): tensor for k, tensor in load_file(file).items()}
    save_file(tensors, folder / "Zog.safetensors", {**metadata, "modelspec.title": "Zog"})
    return folder / "Zog.safetensors"


def compared(page: Page) -> None:
    page.get_by_role("button", name="Compare with and without").click()
    expect(page.locator("#lora-pair video")).to_have_count(2)
    expect(page.locator("#lora-pair figcaption").first).to_contain_text("With it")


def deleted_and_brought_back(page: Page) -> None:
    field(page, "new-name").fill("Zoggy")
    field(page, "tags").fill("orange, small")
    page.locator("#lora-rename").click()
    expect(card(page, "Zoggy")).to_contain_text("orange, small")
    page.locator("#lora-delete").click()
    expect(page.get_by_text("Deleted: Zoggy.")).to_be_visible()
    expect(page.locator("#lora-cards .card")).to_have_count(1)
    page.locator("#lora-undo").click()
    expect(page.locator("#lora-cards .card")).to_have_count(2)
    expect(page.get_by_role("heading", name="Zoggy")).to_be_visible()
    expect(page.locator("#lora-loras").get_by_label("Strength of Zoggy")).to_be_visible()


def below_the_screen_of_a_phone(page: Page) -> None:
    wide = page.viewport_size
    page.get_by_role("tab", name="Text to video").click()
    expect(page.locator("#loras .lora-chip")).to_have_count(2)
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("scrollTo(0, 0)")
    fits_a_phone(page)
    page.set_viewport_size(wide)


def offered_elsewhere(page: Page) -> None:
    for tab, prefix, field, told in (
        ("Text to video", "", "#prompt", "#vocabulary-note"),
        ("Long video", "film-", "#story", "#story-note"),
    ):
        page.get_by_role("tab", name=tab).click()
        sentence = page.locator(f"{field} textarea").first
        sentence.fill("a bsctzq moving left")
        note = page.locator(told)
        expect(note).to_contain_text("“bsctzq” is the trigger word of “Biscuit”. Tick that LoRA")
        choice = page.locator(f"#{prefix}loras")
        choice.locator(".lora-chip", has_text="Biscuit").click()
        expect(choice.get_by_label("Strength of Biscuit")).to_be_visible()
        sent = json.loads(page.locator(f"#{prefix}loras-text textarea").input_value())
        assert [use["weight"] for use in sent] == [1]
        expect(note).to_be_hidden()
        sentence.fill("a fox moving left")
        expect(note).to_contain_text("Nothing says “bsctzq”, the trigger word of “Biscuit”")


def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_lost(page, tmp_path):
    page.get_by_label("What is it?").fill("dog")
    page.get_by_role("button", name="Teach it").click()
    for sentence in ("There are no pictures", "has no name", "no trigger word"):
        said = page.locator("#lora-desk .validation-error, #lora-mistakes", has_text=sentence)
        expect(said.locator("visible=true").first).to_be_visible()
    expect(page.get_by_label("What is it?")).to_have_value("dog")
    (tmp_path / "text.safetensors").write_text("no tensors")
    page.locator("#lora-import input[type=file]").set_input_files(tmp_path / "text.safetensors")
    expect(page.locator("#lora-import-refused")).not_to_be_empty()


def test_a_training_that_is_cancelled_leaves_nothing(page, pictures, server):
    fill_in(page, pictures)
    before = {*server.data.rglob("training"), *server.data.glob("given/*")}
    page.get_by_role("button", name="Teach it").click()
    page.locator("#lora-cancel").click()
    expect(page.get_by_text("Cancelled. Nothing was kept")).to_be_visible()
    expect(page.locator(".lora-picture")).to_have_count(0)
    assert list(server.data.parent.glob("cache/**/biscuit-*.png")) == []
    assert {*server.data.rglob("training"), *server.data.glob("given/*")} <= before
    page.reload()
    open_tab(page)
    expect(page.get_by_role("heading", name="Learning: Biscuit")).to_have_count(0)


def test_a_training_is_found_again_elsewhere_and_when_it_has_stopped(page, pictures, open_page):
    fill_in(page, pictures)
    page.get_by_role("button", name="Teach it").click()
    expect(page.get_by_role("heading", name="Learning: Biscuit")).to_be_visible()
    elsewhere = open_tab(open_page())
    listed = elsewhere.locator("#lora-trainings button", has_text="Biscuit")
    listed.click()
    expect(elsewhere.get_by_role("heading", name="Learning: Biscuit")).to_be_visible()
    expect(listed).to_have_count(0)  # it is on the screen
    elsewhere.locator("#lora-pause").click()
    expect(elsewhere.get_by_text("Paused. “Go on” takes it up")).to_be_visible()
    third = open_tab(open_page())
    expect(third.locator("#lora-trainings button")).to_contain_text("Biscuit Paused")
    third.locator("#lora-trainings button").click()
    third.locator("#lora-cancel").click()
    expect(third.get_by_text("Cancelled. Nothing was kept")).to_be_visible()
    expect(third.locator("#lora-trainings button")).to_have_count(0)


@pytest.fixture
def choose(browser):
    """A choice of LoRAs, alone on a page, whose box holds something before it is shown."""
    page = browser.new_page()

    def show(uses, text):
        html = cards.picker(uses, "#box", "#sentence", "Your LoRAs", "", is_open=True)
        page.set_content(f'<textarea id="box"></textarea><div id="choices">{html}</div>')
        page.locator("#box").fill(text)
        page.evaluate(
            "box.addEventListener('input', () => window.numSent = (window.numSent ?? 0) + 1)"
        )
        script = (Path(cards.__file__).parents[1] / "lora-picker.js").read_text("utf-8")
        page.evaluate(
            "script => new Function('element', 'watch', script)(window.choices, () => {})", script
        )
        return page

    yield show
    page.close()


def test_a_choice_says_nothing_until_what_was_chosen_has_come(choose):
    use = entry()
    page = choose([use], "")
    assert page.evaluate("window.numSent") is None
    text = json.dumps([{"id": use.id, "weight": 1}])
    page.locator("#box").evaluate("(box, text) => box.value = text", text)
    page.evaluate(
        "text => window.dispatchEvent("
        "new CustomEvent('loras-chosen', { detail: { box: '#box', text } }))",
        text,
    )
    expect(page.get_by_role("checkbox")).to_be_checked()
    page.get_by_role("checkbox").uncheck()
    assert page.locator("#box").input_value() == ""


def test_a_choice_lets_go_of_what_is_gone(choose):
    use = entry()
    picks = [{"id": use.id, "weight": 1}, {"id": "gone", "weight": 1}]
    page = choose([use], json.dumps(picks))
    expect(page.locator("#box")).to_have_value(json.dumps(picks[:1], separators=(",", ":")))


def test_no_more_are_chosen_than_a_video_is_made_with(choose):
    page = choose([entry(id=f"{number:016}") for number in range(MAX_LORAS + 1)], "")
    checks = page.get_by_role("checkbox")
    for number in range(MAX_LORAS):
        checks.nth(number).check()
    expect(checks.last).to_be_disabled()
    expect(page.locator(".loras-limit")).to_have_text(re.compile("At most"))
    checks.first.uncheck()
    expect(checks.last).to_be_enabled()


@pytest.mark.parametrize(
    ("text", "start", "end", "then"),
    [
        ("", 0, 0, "zog dog"),
        ("a  moving left", 2, 2, "a zog dog moving left"),
        ("a panda moving left", 2, 7, "a zog dog moving left"),
        ("a panda moving left", 5, 5, "a panda zog dog moving left"),
        ("a panda moving left", 19, 19, "a panda moving left zog dog"),
    ],
)
def test_a_trigger_word_comes_where_somebody_writes(choose, text, start, end, then):
    use = entry(token="zog", class_word="dog")
    page = choose([use], json.dumps([{"id": use.id, "weight": 1}]))
    page.evaluate(
        "([text, start, end]) => { const area = document.createElement('textarea');"
        " area.id = 'sentence'; document.body.append(area); area.value = text;"
        " area.setSelectionRange(start, end); }",
        [text, start, end],
    )
    page.get_by_role("button", name="Put “zog dog”").click()
    expect(page.locator("#sentence")).to_have_value(then)


@pytest.mark.parametrize("weight", [2, -1.33, 0.33, 0.35, 1])
def test_a_choice_keeps_the_weight_that_a_recipe_asks_for(choose, weight):
    use = entry()
    page = choose([use], json.dumps([{"id": use.id, "weight": weight}]))
    box, strength = page.locator("#box"), page.get_by_label("Strength of Biscuit")
    expect(strength).to_have_value(str(weight))
    expect(page.locator("output")).to_have_text(f"{weight:.2f}")
    assert json.loads(box.input_value()) == [{"id": use.id, "weight": weight}]
    strength.fill("0.7")
    assert json.loads(box.input_value()) == [{"id": use.id, "weight": 0.7}]


@pytest.mark.parametrize("look", ["light", "dark"])
def test_the_tab_fits_a_phone_and_is_easy_to_read(open_page, pictures, tmp_path, look):
    from tests.ui.test_looks import FAINT_TEXTS

    page = open_tab(open_page(390, 844))
    page.evaluate("look => document.body.classList.toggle('dark', look === 'dark')", look)
    Image.new("RGB", (8, 8)).save(tmp_path / "tiny.png")
    fill_in(page, pictures)
    give(page, tmp_path / "tiny.png")
    expect(row(page, "tiny.png")).to_contain_text("Left out")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    desk, stage = (page.locator(f"#lora-{side}").bounding_box() for side in ("desk", "stage"))
    assert max(box["x"] + box["width"] for box in (desk, stage) if box) <= 390
    assert page.evaluate(FAINT_TEXTS)["faint"] == []
