import re
from dataclasses import replace

import pytest

from app import gallery, texts
from tests.unit.app.files import make_result

HOSTILE = "<img src=x onerror=alert(1)> ${alert(1)} {{constructor}} \"' panda"


@pytest.fixture
def job(values, service, tmp_path):
    service.pause(True)
    job = service.submit({**values, "prompt": HOSTILE})
    return replace(job, results=(make_result(tmp_path / job.folder),))


def test_a_card_is_a_button_that_knows_its_job_and_shows_still_and_moving_picture(job):
    html = gallery.cards([job], opened="", is_searched=False)
    assert f'<button type="button" class="card" data-job="{job.id}">' in html
    assert [name_of(url) for url in re.findall(r'src="([^"]+)"', html)] == [
        "base.poster",
        "base.thumbnail",
    ]
    assert "First version" in html
    assert "card-star" not in html
    assert "aria-current" not in html


def name_of(url: str) -> str:
    assert url.startswith("gradio_api/file=/")
    return url.rpartition("/")[2]


def test_a_starred_and_opened_card_says_so(job):
    html = gallery.cards([replace(job, is_starred=True)], opened=job.id, is_searched=False)
    assert 'aria-label="Starred"' in html
    assert 'aria-current="true"' in html


def test_a_prompt_is_text_wherever_it_stands(job):
    result = job.results[0]
    for html in (
        gallery.cards([job], "", is_searched=False),
        gallery.about(job, result),
        gallery.pair((job, result), (job, result)),
        gallery.undo_note(texts.deleted(job.request.prompt)),
    ):
        for steering in ("<img src=x", "${", "{{", "\"' panda"):
            assert steering not in html


def test_the_loras_of_a_video_are_named_with_what_they_counted(job):
    used = [{"name": "<b>Tin robot</b>", "weight": 1}, {"name": "Biscuit", "weight": 0.5}]
    result = replace(job.results[0], metadata={"loras": used})
    job = replace(job, results=(result,))
    told = "with &lt;b&gt;Tin robot&lt;/b&gt; 1.00, Biscuit 0.50"
    assert told in gallery.cards([job], opened="", is_searched=False)
    assert told in gallery.about(job, result)
    assert gallery.pair((job, result), (job, result)).count(told) == 2


def test_an_empty_history_says_what_belongs_there():
    assert texts.NOTHING_MADE in gallery.cards([], "", is_searched=False)
    assert texts.NOTHING_FOUND in gallery.cards([], "", is_searched=True)
