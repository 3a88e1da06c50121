import csv
import json
import logging
from collections import Counter
from itertools import islice

import pytest
import torch

from lavie.data.config import SourceConfig
from lavie.data.opening import open_source
from lavie.errors import InputError
from tests.unit.data.media_files import (
    captions,
    grey_frames,
    write_captioned,
    write_clip,
    write_picture,
)


def open_at(path, kind="folder", num_frames=4, **settings):
    config = SourceConfig(kind=kind, path=path, **settings)
    return open_source(config, num_frames, 24, 32, 8.0)


@pytest.fixture
def folder(tmp_path):
    """Six good clips, one of them in a folder below."""
    for index in range(5):
        write_captioned(tmp_path, f"clip{index}", 40 * index + 20)
    write_captioned(tmp_path / "below", "clip5", 220)
    return tmp_path


def test_clips_come_with_the_text_beside_them(folder):
    samples = list(islice(open_at(folder).iterate(0), 6))
    assert samples[0].pixels.shape == (3, 4, 24, 32)
    for sample in samples:
        index = int(sample.caption[-1])
        assert sample.caption == f"a clip called clip{index}"
        assert abs(float(sample.pixels.mean() + 1) * 127.5 - (40 * index + 20)) < 4


def test_every_epoch_has_each_clip_once_in_a_new_order(folder):
    source = open_at(folder)
    names = captions(source, 18)
    epochs = [names[i : i + 6] for i in (0, 6, 12)]
    assert source.num_clips == 6
    assert all(len(set(epoch)) == 6 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    in_order = [f"a clip called clip{index}" for index in (5, 0, 1, 2, 3, 4)]  # below/ is first
    assert captions(open_at(folder, shuffle=False), 6) == in_order


def test_a_resumed_run_sees_the_same_pixels(folder):
    whole = list(islice(open_at(folder, crop="random").iterate(7), 10))
    rest = list(islice(open_at(folder, crop="random").iterate(7, start=4, num_threads=2), 6))
    for before, after in zip(whole[4:], rest, strict=True):
        assert before.caption == after.caption
        assert torch.equal(before.pixels, after.pixels)


def test_two_processes_share_an_epoch_without_overlap(folder):
    halves = [captions(open_at(folder), 3, rank=rank, world_size=2) for rank in (0, 1)]
    assert not set(halves[0]) & set(halves[1])
    assert len(set(halves[0] + halves[1])) == 6


def test_broken_clips_are_replaced_counted_and_reported(folder, caplog):
    (folder / "clip1.mp4").write_text("no video")
    (folder / "clip2.mp4").write_bytes(b"")
    write_captioned(folder, "clip3", 100, num_frames=2)
    (folder / "clip4.txt").write_text(" \n")
    (folder / "orphan.mp4").write_bytes(b"")
    (folder / "._clip0.mp4").write_bytes(b"")
    source = open_at(folder)
    with caplog.at_level(logging.WARNING):
        names = captions(source, 24)
    assert set(Counter(names)) == {"a clip called clip0", "a clip called clip5"}
    report = source.reports[0]
    assert report.counts == {"without caption": 2, "unreadable": 2, "too short": 1}
    assert report.num_samples == 24
    assert "Skipped 5 of the files" in caplog.text
    assert "clip3.mp4: 0.25 of 0.38 seconds" in caplog.text


def test_what_is_skipped_is_told_while_reading_and_not_for_every_clip(folder, caplog):
    for index in (0, 2, 3, 4):
        (folder / f"clip{index}.mp4").write_text("no video")
    samples = open_at(folder, shuffle=False).iterate(seed=0)
    with caplog.at_level(logging.WARNING):
        for _ in range(24):
            next(samples)
        told = [record.message.split(" of ")[0] for record in caplog.records]
    samples.close()
    assert told == ["Skipped 1", "Skipped 4"]


def test_a_replacement_is_the_same_after_a_restart(folder):
    (folder / "clip1.mp4").write_text("no video")
    whole = captions(open_at(folder), 20)
    assert captions(open_at(folder), 13, start=7) == whole[7:]
    assert captions(open_at(folder), 10, rank=1, world_size=2) == whole[1::2]


def test_a_folder_of_broken_clips_is_one_clear_sentence(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_text("no video")
        (tmp_path / f"{name}.txt").write_text("a caption")
    with pytest.raises(InputError, match=r"2 clips in a row can't be used.*2 unreadable") as caught:
        next(open_at(tmp_path).iterate(0))
    assert "\n" not in str(caught.value)


def test_folders_without_anything_usable_are_refused_at_once(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        open_at(tmp_path / "absent")
    with pytest.raises(InputError, match="no captioned clips"):
        open_at(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(InputError, match=r"no a\.txt beside it"):
        open_at(tmp_path)


def test_stills_are_pictures_and_single_frames(folder):
    write_picture(folder / "picture.png", level=130)
    (folder / "picture.txt").write_text("a picture")
    assert "a picture" not in captions(open_at(folder), 6)
    samples = list(islice(open_at(folder, stills=True).iterate(0), 7))
    assert all(sample.pixels.shape == (3, 1, 24, 32) for sample in samples)
    picture = next(sample for sample in samples if sample.caption == "a picture")
    assert torch.allclose(picture.pixels, torch.full_like(picture.pixels, 130 / 127.5 - 1))


def test_links_out_of_the_folder_are_not_followed(folder, tmp_path_factory):
    outside = write_clip(tmp_path_factory.mktemp("other") / "x.mp4", grey_frames([10] * 8))
    (folder / "clip1.mp4").unlink()
    (folder / "clip1.mp4").symlink_to(outside)
    source = open_at(folder)
    assert "a clip called clip1" not in captions(source, 12)
    assert source.reports[0].counts == {"outside the folder": 1}


def write_rows(folder, rows, name="metadata.jsonl"):
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    (folder / name).write_text(text, encoding="utf-8-sig")


def test_jsonl_rows_name_files_and_captions(folder):
    write_rows(
        folder,
        [
            {"file_name": "clip0.mp4", "text": "zero"},
            {"video": "below/clip5.mp4", "caption": "five", "more": [1]},
            "",
        ],
    )
    for path in (folder, folder / "metadata.jsonl"):
        assert set(captions(open_at(path, "metadata"), 4)) == {"zero", "five"}


def test_csv_rows_name_files_and_captions(folder):
    with (folder / "metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "caption"])
        writer.writerow(["clip0.mp4", 'zero, "quoted"\nand long'])
        writer.writerow(["clip1.mp4", "x" * 200_000])  # beyond what a csv field may hold
        writer.writerow(["clip2.mp4", "two"])
        writer.writerow(["clip3.mp4"])
    source = open_at(folder, "metadata")
    assert set(captions(source, 4)) == {'zero, "quoted" and long', "two"}
    assert sum(source.reports[0].counts.values()) == 2


def test_rows_that_lie_are_skipped_one_by_one(folder, tmp_path_factory):
    outside = write_captioned(tmp_path_factory.mktemp("other"), "secret", 10)
    write_rows(
        folder,
        [
            {"file_name": "clip0.mp4", "text": "good"},
            {"file_name": str(outside), "text": "absolute"},
            {"file_name": f"../{outside.parent.name}/secret.mp4", "text": "upwards"},
            {"file_name": "absent.mp4", "text": "absent"},
            {"file_name": "a" * 5000 + ".mp4", "text": "long"},
            {"file_name": "nul\0.mp4", "text": "nul"},
            {"file_name": "clip0.txt", "text": "kind"},
            {"file_name": ["clip0.mp4"], "text": "list"},
            {"file_name": "clip0.mp4"},
            {"file_name": "clip0.mp4", "text": 7},
            "{broken",
            "[1, 2]",
            "[" * 100_000,
        ],
    )
    source = open_at(folder, "metadata")
    assert set(captions(source, 20)) == {"good"}
    assert source.reports[0].counts == {
        "outside the folder": 2,
        "missing": 2,
        "in a bad row": 5,
        "of an unknown kind": 1,
        "without caption": 2,
    }


def test_missing_metadata_is_refused(folder):
    for path in (folder, folder / "absent", folder / "clip0.txt"):
        with pytest.raises(InputError, match=r"no metadata\.jsonl"):
            open_at(path, "metadata")
