import io
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFilter

from lora import opening
from lora.opening import BadPicture, open_picture
from lora.pictures import advise_set, check_pictures, check_set, thumbnail
from tests.unit.lora.personal import draw_pictures


def noise(size, seed=0):
    """A picture of many coarse patches, each with fine grain: sharp, and like no other."""
    generator = np.random.default_rng(seed)
    patches = generator.integers(40, 216, (8, 12, 3)).astype(np.uint8)
    coarse = np.asarray(Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC), np.int16)
    grain = generator.integers(-30, 30, (size[1], size[0], 3))
    return Image.fromarray(np.clip(coarse + grain, 0, 255).astype(np.uint8))


def check_one(path):
    return check_pictures([path])[0]


def test_good_pictures_have_nothing_said_of_them(tmp_path):
    paths = []
    for index in range(4):
        paths.append(tmp_path / f"{index}.png")
        noise((300, 200), index).save(paths[-1])
    checks = check_pictures(paths)
    assert [(c.problem, c.warning, c.twin_of, c.width, c.height) for c in checks] == [
        (None, None, None, 300, 200)
    ] * 4
    assert check_set(checks) is None
    assert advise_set(checks) is None


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "an SVG"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"%PDF-1.4", "a PDF"),
        (b"PK\x03\x04", "an archive"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"", "can't be read"),
        (b"\x89PNG\r\n\x1a\n", "can't be read"),
        (b"\xff\xd8\xff\xe0" + b"x" * 50, "can't be read"),
    ],
)
def test_what_is_no_picture_gets_a_sentence_whatever_it_is_called(tmp_path, data, match):
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    check = check_one(path)
    assert match in check.problem
    assert "'photo.png'" in check.problem
    assert str(tmp_path) not in check.problem
    assert "\n" not in check.problem


def test_a_picture_cut_short_at_any_place_never_fails_the_check(tmp_path):
    file = io.BytesIO()
    noise((80, 60)).save(file, "JPEG")
    data = file.getvalue()
    for cut in range(0, len(data), max(1, len(data) // 40)):
        path = tmp_path / "cut.jpg"
        path.write_bytes(data[:cut])
        check = check_one(path)
        assert check.problem is None or check.problem.startswith("'cut.jpg'")


def test_small_plain_moving_and_empty_pictures_are_refused(tmp_path):
    noise((20, 90)).save(tmp_path / "small.png")
    Image.new("RGB", (90, 90), "red").save(tmp_path / "plain.png")
    Image.new("RGBA", (90, 90)).save(tmp_path / "clear.png")
    frames = [noise((60, 60), seed) for seed in range(3)]
    frames[0].save(tmp_path / "moves.gif", save_all=True, append_images=frames[1:])
    found = {c.name: c.problem for c in check_pictures(sorted(tmp_path.iterdir()))}
    assert "20x90 pixels" in found["small.png"]
    assert "one plain colour" in found["plain.png"]
    assert "all transparent" in found["clear.png"]
    assert "moves" in found["moves.gif"]


def test_of_a_photograph_with_a_second_one_in_it_the_first_is_taken(tmp_path):
    first, preview = noise((90, 60)), noise((45, 30), seed=1)
    first.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[preview])
    with Image.open(tmp_path / "phone.jpg") as image:
        assert image.n_frames == 2
    assert check_one(tmp_path / "phone.jpg").problem is None
    seen = open_picture(tmp_path / "phone.jpg")[..., :3].astype(int)
    assert np.abs(seen - np.asarray(first, int)).mean() < 20


@pytest.mark.parametrize("size", [(200, 150), (150, 200), (33, 400)])
def test_a_picture_smaller_than_the_models_videos_is_used_with_a_hint(tmp_path, size):
    noise(size).save(tmp_path / "a.png")
    (check,) = check_pictures([tmp_path / "a.png"], 320)
    assert check.problem is None
    assert f"only {size[0]}x{size[1]} pixels, and videos are 320 high" in check.warning
    assert check_pictures([tmp_path / "a.png"], 33)[0].warning is None


def test_a_picture_as_large_as_the_models_videos_is_fine(tmp_path):
    noise((320, 512)).save(tmp_path / "a.png")
    assert check_pictures([tmp_path / "a.png"], 320)[0].warning is None


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (12_000, 12_000)).save(path)
    assert "12000x12000 pixels" in check_one(path).problem
    assert path.stat().st_size < 100_000


def test_pictures_are_decoded_one_at_a_time(tmp_path, monkeypatch):
    at_once, most, decode = [], [], opening._decode

    def count(*given):
        at_once.append(1)
        time.sleep(0.01)
        most.append(len(at_once))
        at_once.pop()
        return decode(*given)

    monkeypatch.setattr(opening, "_decode", count)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_picture, draw_pictures(tmp_path, 4)))
    assert most == [1] * 4


def test_blur_is_warned_of_and_twins_are_found(tmp_path):
    sharp = noise((400, 300))
    sharp.save(tmp_path / "1.png")
    sharp.resize((360, 270)).save(tmp_path / "2.jpg", quality=80)
    noise((400, 300), seed=5).filter(ImageFilter.GaussianBlur(8)).save(tmp_path / "3.png")
    checks = check_pictures(sorted(tmp_path.iterdir()))
    assert [check.twin_of for check in checks] == [None, 0, None]
    assert "looks like '1.png'" in checks[1].warning
    assert "blurred" in checks[2].warning
    assert [check.problem for check in checks] == [None] * 3
    assert "only 2 different" in advise_set(checks)


def test_a_set_that_cannot_teach_is_told_in_a_sentence(tmp_path):
    good = check_pictures(draw_pictures(tmp_path, 1))
    assert "no pictures" in check_set([])
    assert check_set(good) is None
    assert "only 1 different" in advise_set(good)
    assert "101 pictures are too many" in check_set(good * 101)
    absent = check_pictures([tmp_path / "absent.png"])
    assert "does not exist" in absent[0].problem
    assert "None of the pictures" in check_set(absent)


def test_pictures_are_turned_as_their_camera_says(tmp_path):
    image = Image.new("RGB", (40, 60), "black")
    image.paste("red", (0, 0, 40, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # held at the right
    path = tmp_path / "turned.jpg"
    image.save(path, exif=exif, quality=95)
    upright = open_picture(path)
    assert upright.shape == (40, 60, 4)
    assert upright[20, 57, 0] > 200 > 100 > upright[20, 3, 0]
    assert (check_one(path).width, check_one(path).height) == (60, 40)


def test_a_picture_that_was_changed_is_looked_at_again(tmp_path):
    file = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(file)
    assert "only 8x8" in (check_pictures([file])[0].problem or "")
    draw = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(draw).save(file)
    assert check_pictures([file])[0].problem is None


def test_thumbnails_are_small_and_upright_on_white(tmp_path):
    image = Image.new("RGBA", (300, 150))
    image.paste((0, 0, 255, 255), (100, 0, 200, 150))
    image.save(tmp_path / "a.png")
    small = thumbnail(tmp_path / "a.png", 60)
    assert small.size == (60, 30)
    assert small.getpixel((2, 15)) == (255, 255, 255)
    assert small.getpixel((30, 15)) == (0, 0, 255)
    with pytest.raises(BadPicture):
        thumbnail(tmp_path / "absent.png")


@pytest.mark.parametrize(
    ("brightest", "kind", "shown"),
    [
        (65535, np.uint16, 255),
        (20_000, np.uint16, 78),  # a dark picture stays dark
        (4095, np.uint16, 255),  # 12 bits, as some cameras write them
        (2000, np.uint16, 125),
        (200, np.uint16, 200),  # 8 bits in a file of 16
        (0, np.uint16, 0),
        (2_000_000, np.int32, 255),
        (0.5, np.float32, 128),
        (100.0, np.float32, 100),
    ],
)
def test_grey_of_many_bits_is_as_bright_as_it_was_meant(tmp_path, brightest, kind, shown):
    ramp = np.linspace(0, brightest, 64 * 64).astype(kind).reshape(64, 64)
    Image.fromarray(ramp).save(tmp_path / "grey.tiff")
    grey = open_picture(tmp_path / "grey.tiff")[..., 0]
    assert int(grey.max()) == shown
    assert (np.diff(grey.ravel().astype(int)) >= 0).all()


def test_what_is_no_brightness_is_black(tmp_path):
    values = np.full((64, 64), 0.5, np.float32)
    values[0, 0], values[1, 1] = np.nan, -3
    Image.fromarray(values).save(tmp_path / "grey.tiff")
    grey = open_picture(tmp_path / "grey.tiff")[..., 0]
    assert (grey[0, 0], grey[1, 1], grey[2, 2]) == (0, 0, 128)


def test_sixteen_bits_palettes_and_grey_are_pictures_like_others(tmp_path):
    pixels = (np.arange(64 * 64).reshape(64, 64) * 16).astype(np.uint16)
    Image.fromarray(pixels).save(tmp_path / "16.png")
    noise((64, 64)).quantize(16).save(tmp_path / "p.png")
    noise((64, 64)).convert("L").save(tmp_path / "l.png")
    noise((64, 64)).convert("CMYK").save(tmp_path / "c.jpg")
    for check in check_pictures(sorted(tmp_path.iterdir())):
        assert check.problem is None, check
        assert open_picture(check.path).shape == (64, 64, 4)
