from app.filmstrip import Frame, filmstrip


def test_each_part_is_a_frame_and_the_one_at_work_is_the_current_step():
    html = filmstrip(
        [
            Frame("One <1>", "done", "gradio_api/file=a&b.webp", 1.0),
            Frame("Two", "now", fraction=0.25),
            Frame("Three", "later"),
        ]
    )
    assert html.count("<li") == 3
    assert html.count("aria-current") == 1
    assert (
        '<li class="now" aria-current="step"><span class="frame" style="--fraction:0.25">' in html
    )
    assert "One &lt;1&gt;" in html
    assert 'src="gradio_api/file=a&amp;b.webp" alt=""' in html
