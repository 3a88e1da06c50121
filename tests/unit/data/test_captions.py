import json

import pytest

from lavie.data.captions import MAX_CHARACTERS, caption_of, clean_caption, parse_caption
from lavie.data.report import UnusableClip


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  a panda\r\n\tmoving   left\n", "a panda moving left"),
        ("a\x1b[31m red\x00 fox", "a [31m red fox"),
        ("\ufeffa \u202eyob", "a yob"),
        ("cafe\u0301", "café"),
        ("a \ud800pig", "a pig"),
        ("👩\u200d🚀 on the moon", "👩\u200d🚀 on the moon"),
    ],
)
def test_captions_become_one_printable_line(text, clean):
    assert clean_caption(text) == clean


def test_long_captions_end_with_a_whole_word():
    caption = clean_caption("panda " * 100_000)
    assert len(caption) <= MAX_CHARACTERS
    assert caption.endswith("panda")
    assert len(clean_caption("x" * 5000)) == MAX_CHARACTERS


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\x01", "\u200b"])
def test_captions_without_a_word_are_refused(text):
    with pytest.raises(UnusableClip, match="without caption"):
        clean_caption(text)


def test_captions_are_found_in_text_and_in_json():
    assert parse_caption(b"\xef\xbb\xbfa fox\n", "txt") == "a fox"
    assert parse_caption(b"a \xff fox", "txt") == "a \ufffd fox"
    assert parse_caption(json.dumps({"text": "a fox"}).encode(), "json") == "a fox"
    assert caption_of({"caption": "first", "text": "second"}) == "first"
    for data in (b"{", b"[1]", b'{"caption": 3}', b"[" * 60_000):
        with pytest.raises(UnusableClip):
            parse_caption(data, "json")
