"""From the hub to a model folder, on narrow networks and a hub that fails in every way it can."""

from pathlib import Path

import pytest

from lavie.convert.install import expected_bytes, install
from lavie.convert.published import NETWORKS, STABLE_DIFFUSION, UPSCALER
from lavie.convert.stages import find_stages
from lavie.errors import Cancelled, CheckpointError, InputError
from lavie.types import CancelToken, Event, Progress
from tests.fake_hub import FakeHub, serve_hub
from tests.published import write_original_folder

STAGES = ("base", "interpolation", "super_resolution")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hub") / "pretrained_models"
    for network in STAGES:
        write_original_folder(folder, network=network)
    for parts in (STABLE_DIFFUSION, UPSCALER):
        (folder / parts.folder / "tokenizer" / "special_tokens_map.json").write_text("{}")
    return folder


@pytest.fixture
def hub(published, monkeypatch):
    monkeypatch.setattr("lavie.convert.download._WAITS", (0.0, 0.0))
    repositories = {
        "Vchitect/LaVie": published,
        STABLE_DIFFUSION.repository: published / STABLE_DIFFUSION.folder,
        UPSCALER.repository: published / UPSCALER.folder,
    }
    with serve_hub(repositories) as hub:
        yield hub


def get(hub: FakeHub, tmp_path: Path, network: str = "base", **options):
    options = {"cache_dir": tmp_path / "cache", "endpoint": hub.endpoint} | options
    return install(network, tmp_path / "model", **options)


def nothing_made(tmp_path: Path) -> bool:
    return [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_the_cascade_becomes_one_folder_with_progress_of_both_parts(hub, tmp_path):
    events: list[Event] = []
    result = get(hub, tmp_path, "cascade", on_event=events.append)
    assert find_stages(result.folder) == STAGES
    assert result.folder == tmp_path / "model"
    steps = [event for event in events if isinstance(event, Progress)]
    assert list(dict.fromkeys(event.stage for event in steps)) == ["download", "convert"]
    downloaded = [event for event in steps if event.stage == "download"]
    sizes = sum(
        path.stat().st_size for path in (tmp_path / "cache").rglob("blobs/*") if path.is_file()
    )
    assert downloaded[-1].step == downloaded[-1].total == sizes
    assert [event.step for event in steps if event.stage == "convert"] == [0, 1, 2, 3]


def test_parts_at_hand_are_not_downloaded(hub, tmp_path, published):
    get(hub, tmp_path, parts=[published / STABLE_DIFFUSION.folder])
    assert hub.fetched == ["lavie_base.pt"]


def test_a_download_cut_for_good_leaves_no_folder_and_goes_on_next_time(hub, tmp_path):
    hub.cuts = [20_000, 0, 0, 0]
    with pytest.raises(CheckpointError, match="did not finish: the connection was lost after 0.0"):
        get(hub, tmp_path)
    assert nothing_made(tmp_path)
    hub.fetched.clear()
    hub.cuts = []
    get(hub, tmp_path)
    assert hub.fetched[0] == "lavie_base.pt@20000"


def test_a_damaged_download_leaves_no_folder(hub, tmp_path):
    hub.damaged = {"diffusion_pytorch_model.bin"}
    with pytest.raises(CheckpointError, match="diffusion_pytorch_model.bin arrived damaged"):
        get(hub, tmp_path)
    assert nothing_made(tmp_path)


@pytest.mark.parametrize("stage", ["download", "convert"])
def test_cancelling_leaves_no_folder(hub, tmp_path, stage):
    cancel = CancelToken()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == stage:
            cancel.cancel()

    with pytest.raises(Cancelled):
        get(hub, tmp_path, on_event=stop, cancel=cancel)
    assert nothing_made(tmp_path)


def test_offline_says_what_is_missing_and_does_with_what_is_here(hub, tmp_path):
    with pytest.raises(CheckpointError, match="offline mode does not download it. Unset HF_HUB_OF"):
        get(hub, tmp_path, offline=True)
    get(hub, tmp_path)
    hub.is_busy = True
    get(hub, tmp_path, offline=True, overwrite=True)


def test_a_folder_that_is_taken_is_said_so_before_the_download(hub, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "letter.txt").touch()
    with pytest.raises(InputError, match="is not empty"):
        get(hub, tmp_path)
    assert hub.fetched == []


def test_a_disk_too_small_for_the_folder_is_said_so_before_the_download(hub, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "lavie.convert.install.check_space", lambda where, num_bytes: asked.append(where)
    )
    get(hub, tmp_path)
    assert asked == [tmp_path / "model"]


def test_the_published_folder_is_expected_at_half_the_size_of_its_files():
    base = NETWORKS["base"]
    assert expected_bytes([base]) == (base.num_bytes + 827_000_000) // 2
    assert expected_bytes([base], "fp32") == base.num_bytes + 827_000_000
    both = [base, NETWORKS["interpolation"]]
    assert expected_bytes(both) < 2 * expected_bytes([base])
