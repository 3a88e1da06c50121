"""What can be measured of the page's looks: contrast, width on a phone, keys, names."""

import pytest
from playwright.sync_api import Page, expect

from tests.ui.test_text_to_video import PROMPT, fill_in, generate_button, prompt_box, set_number

pytestmark = pytest.mark.ui

MIN_CONTRAST = 4.5
FAINT_TEXTS = """
() => {
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const over = (top, below) => top.rgb.map((c, i) => c * top.a + below[i] * (1 - top.a));
  const luminance = (rgb) => rgb
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const backgroundOf = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.unshift(getComputedStyle(e));
    return layers.reduce(
      (below, style) => over(parse(style.backgroundColor), below), [255, 255, 255]);
  };
  const isOff = (element) => element.closest(":disabled, [aria-disabled=true]") !== null;
  const faint = [];
  let numMeasured = 0;
  for (const element of document.querySelectorAll(".gradio-container *")) {
    const says = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const isField = element.matches("input:is([type=text], [type=number], :not([type])), textarea");
    if (!(says || isField) || isOff(element) || !element.checkVisibility({ opacityProperty: true,
        visibilityProperty: true, contentVisibilityAuto: true })) continue;
    const box = element.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const below = backgroundOf(element);
    const looks = [getComputedStyle(element)];
    if (isField && element.placeholder) looks.push(getComputedStyle(element, "::placeholder"));
    for (const look of looks) {
      const text = over(parse(look.color), below);
      const [dark, bright] = [luminance(text), luminance(below)].sort((a, b) => a - b);
      const contrast = (bright + 0.05) / (dark + 0.05);
      numMeasured += 1;
      if (contrast < MIN) faint.push([contrast.toFixed(2), element.tagName, element.className,
        (element.textContent || element.placeholder || "").trim().slice(0, 40)].join(" "));
    }
  }
  return { faint, numMeasured };
}
""".replace("MIN", str(MIN_CONTRAST))


def open_each_tab(page: Page):
    for tab in page.locator("[role=tab]:visible").all():
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        page.wait_for_timeout(500)
        yield tab.inner_text()


@pytest.mark.parametrize("look", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(page, look):
    page.evaluate("look => document.body.classList.toggle('dark', look === 'dark')", look)
    prompt_box(page).fill("a dragon")
    expect(page.locator("#vocabulary-note")).to_be_visible()
    page.locator("#seed input, #seed textarea").fill("many")
    generate_button(page).click()
    mistake = page.get_by_text("Seed 'many' is not a number")  # beside its field, or repeated below
    expect(mistake.locator("visible=true").first).to_be_visible()
    for name in open_each_tab(page):
        measured = page.evaluate(FAINT_TEXTS)
        assert measured["faint"] == [], name
        assert measured["numMeasured"] > 5


def test_no_tab_scrolls_sideways_on_a_phone(open_page):
    page = open_page(390, 844)
    for name in open_each_tab(page):
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        too_wide = page.evaluate(
            "[...document.querySelectorAll('.gradio-container button, .gradio-container input')]"
            ".filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > 391)"
            ".map((e) => e.id || e.className)"
        )
        assert too_wide == [], name


def test_the_head_has_a_name_and_the_page_an_icon_of_its_own(page, server):
    heading = page.get_by_role("heading", level=1)
    expect(heading.get_by_role("img", name="LaVie Studio")).to_be_visible()
    icon = page.request.get(f"{server.url}/favicon.ico")
    assert b"#ffb02e" in icon.body()


def test_the_typeface_comes_with_the_page(page):
    page.wait_for_function(
        "[...document.fonts].some(f => f.family.includes('Bricolage') && f.status === 'loaded')"
    )


def test_keys_make_a_video_and_stop_it(page):
    expect(generate_button(page)).to_have_attribute("aria-keyshortcuts", "Control+Enter Meta+Enter")
    cancel = page.locator("#cancel")
    expect(cancel).to_have_attribute("aria-keyshortcuts", "Escape")
    page.keyboard.press("Escape")  # nothing runs, so nothing happens
    expect(page.get_by_text("Your video will appear here.")).to_be_visible()

    fill_in(page, PROMPT, steps=100)
    number = page.locator("#guidance_scale input[type=number]")
    number.fill("2")
    number.press("Control+Enter")
    expect(cancel).to_be_enabled()
    expect(page.locator("#preview")).to_be_visible()

    preset = page.get_by_label("Preset")
    preset.click()
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Escape")  # closes what is open, and nothing more
    page.wait_for_timeout(500)
    expect(cancel).to_have_text("Cancel")
    preset.blur()
    expect(page.get_by_role("option")).to_have_count(0)

    page.keyboard.press("Escape")
    expect(page.get_by_text("Cancelled. Nothing was kept.")).to_be_visible()


def test_every_press_is_a_job_also_in_quick_succession(page):
    fill_in(page, PROMPT, steps=100)
    for _ in range(3):
        page.keyboard.press("Control+Enter")
    expect(page.locator("#queue .queue-job")).to_have_count(3)
    expect(page.locator("#queue .queue-job").first).to_contain_text("On the screen")
    page.wait_for_timeout(1000)
    expect(page.locator("#queue .queue-job")).to_have_count(3)
    for num_left in (1, 0):
        page.locator("#queue [data-action=remove]").last.click()
        expect(page.locator("#queue [data-action=remove]")).to_have_count(num_left)
    page.locator("#cancel").click()
    expect(page.get_by_text("Cancelled. Nothing was kept.")).to_be_visible()


def test_what_was_said_of_a_mistake_stays_until_it_is_corrected(page):
    prompt_box(page).fill(PROMPT)
    set_number(page, "num_frames", 4)
    page.locator("#width input").fill("63")
    generate_button(page).click()
    sentences = page.locator("#width .validation-error, #mistakes")
    sentence = sentences.filter(has_text="Width 63 is not a multiple of 4")
    expect(sentence.first).to_be_visible()
    page.locator("#smoothing_steps input[type=number]").focus()
    page.wait_for_timeout(2500)  # longer than the page waits before it asks for costs by itself
    expect(sentence).to_have_count(1)
    page.locator("#width input").fill("64")
    generate_button(page).click()
    expect(sentence).to_have_count(0)
    page.locator("#cancel").click()
