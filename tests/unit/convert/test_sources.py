import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from lavie.convert.download import Hub
from lavie.convert.published import NETWORKS, STABLE_DIFFUSION, UPSCALER
from lavie.convert.sources import (
    choose_source,
    download_notice,
    download_source,
    find_source,
    is_original_folder,
    network_of,
    networks_of,
)
from lavie.errors import CheckpointError, InputError
from tests.fake_hub import serve_hub

BASE = NETWORKS["base"]
FILES = {
    "unet/config.json",
    "vae/config.json",
    "vae/diffusion_pytorch_model.bin",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "text_encoder/pytorch_model.bin",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json",
    "tokenizer/special_tokens_map.json",
    "unet/diffusion_pytorch_model.bin",
}


def touch_all(folder: Path, names: set[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def original(tmp_path) -> Path:
    folder = tmp_path / "pretrained_models"
    touch_all(folder / "stable-diffusion-v1-4", FILES)
    return touch_all(folder, {"lavie_base.pt"})


@pytest.fixture
def published(tmp_path) -> dict[str, Path]:
    return {
        "Vchitect/LaVie": touch_all(tmp_path / "hub" / "lavie", {"lavie_base.pt"}),
        STABLE_DIFFUSION.repository: touch_all(tmp_path / "hub" / "sd", FILES),
    }


def test_original_folder_is_recognised(original, tmp_path):
    assert is_original_folder(original)
    assert not is_original_folder(original / "stable-diffusion-v1-4")
    assert not is_original_folder(tmp_path / "absent")


@pytest.mark.parametrize("named", ["folder", "file"])
def test_files_of_the_original_folder_are_found(original, named):
    path = original if named == "folder" else original / "lavie_base.pt"
    source = find_source(path, BASE)
    assert source.checkpoint == original / "lavie_base.pt"
    assert source.stable_diffusion == original / "stable-diffusion-v1-4"


def test_missing_checkpoint_is_named_with_where_to_get_it(original):
    with pytest.raises(CheckpointError, match=r"seine\.pt in xinyuanc91/SEINE"):
        find_source(original, NETWORKS["long_video"])


def test_missing_stable_diffusion_part_is_named(original):
    (original / "stable-diffusion-v1-4" / "vae" / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"vae/config\.json does not exist"):
        find_source(original, BASE)


def test_unknown_network_lists_the_known_ones():
    with pytest.raises(InputError, match="base, interpolation, .*long_video, cascade"):
        network_of(None, "bas")


def test_download_fetches_what_is_used_and_nothing_else(published, tmp_path):
    with serve_hub(published) as hub:
        source = download_source(BASE, hub=Hub(tmp_path / "cache", hub.endpoint))
    assert source.checkpoint.read_text() == "lavie_base.pt"
    assert (source.stable_diffusion / "text_encoder" / "model.safetensors").is_file()
    assert (source.stable_diffusion / "vae" / "diffusion_pytorch_model.bin").is_file()
    unused = FILES - {"unet/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin"}
    assert sorted(hub.fetched) == sorted([Path(name).name for name in unused] + ["lavie_base.pt"])


def test_second_download_comes_from_the_cache(published, tmp_path):
    with serve_hub(published) as hub:
        first = download_source(BASE, hub=Hub(tmp_path / "cache", hub.endpoint))
        hub.fetched.clear()
        second = download_source(BASE, hub=Hub(tmp_path / "cache", hub.endpoint))
    assert second == first
    assert hub.fetched == []


def test_mirror_is_used_where_the_first_repository_fails(published, tmp_path):
    published["YaohuiW/LaVie"] = published.pop("Vchitect/LaVie")
    with serve_hub(published) as hub:
        source = download_source(BASE, hub=Hub(tmp_path / "cache", hub.endpoint))
    assert "YaohuiW" in str(source.checkpoint)


def test_absent_repositories_give_one_sentence_with_each_reason(tmp_path):
    with serve_hub({}) as hub, pytest.raises(CheckpointError) as caught:
        download_source(BASE, hub=Hub(tmp_path / "cache", hub.endpoint))
    message = str(caught.value)
    assert "Vchitect/LaVie: " in message
    assert "YaohuiW/LaVie: " in message
    assert "\n" not in message


def test_unreachable_hub_is_said_so(published, tmp_path, monkeypatch):
    monkeypatch.setattr("lavie.convert.download._WAITS", (0,))
    with serve_hub(published) as hub:
        endpoint = hub.endpoint
    with pytest.raises(CheckpointError, match="could not be downloaded"):
        download_source(BASE, hub=Hub(tmp_path / "cache", endpoint))


def test_stable_diffusion_at_hand_is_not_downloaded(original, published, tmp_path):
    published.pop(STABLE_DIFFUSION.repository)
    with serve_hub(published) as hub:
        source = download_source(
            BASE,
            stable_diffusion=original / "stable-diffusion-v1-4",
            hub=Hub(tmp_path / "cache", hub.endpoint),
        )
    assert source.stable_diffusion == original / "stable-diffusion-v1-4"
    assert hub.fetched == ["lavie_base.pt"]


def test_too_small_disk_stops_before_the_download(published, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10e9, 10e9, 9))
    with serve_hub(published) as hub, pytest.raises(CheckpointError, match="GB are needed"):
        download_source(BASE, hub=Hub(tmp_path / "cache", hub.endpoint))
    assert hub.fetched == []


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (None, "base"),
        ("xinyuanc91/SEINE", "long_video"),
        ("YaohuiW/LaVie", "base"),
        ("somewhere/seine.pt", "long_video"),
        ("somewhere/my-own.pt", "base"),
    ],
)
def test_network_follows_from_where_it_comes(where, name):
    assert network_of(where).name == name


def test_network_follows_from_what_a_folder_holds(original):
    (original / "lavie_base.pt").rename(original / "seine.pt")
    assert choose_source(str(original)).network.name == "long_video"


def test_notice_names_sizes_and_licences():
    checkpoint, parts = download_notice(BASE)
    assert "3.64 GB from Vchitect/LaVie" in checkpoint
    assert "OpenRAIL" in parts


def test_notice_of_the_cascade_names_every_file_once():
    lines = download_notice(*networks_of(None, "cascade"))
    assert [line.split(": ")[0] for line in lines] == [
        "lavie_base.pt",
        "lavie_interpolation.pt",
        "lavie_vsr.pt",
        "Stable Diffusion 1.4 (VAE, text encoder)",
        "Stable Diffusion x4 upscaler (VAE, text encoder)",
    ]
    assert "2.76 GB" in lines[2]
    assert "licence: CreativeML OpenRAIL++-M" in lines[4]


def test_super_resolution_downloads_the_upscalers_parts(published, tmp_path):
    touch_all(published["Vchitect/LaVie"], {"lavie_vsr.pt"})
    published[UPSCALER.repository] = published.pop(STABLE_DIFFUSION.repository)
    with serve_hub(published) as hub:
        source = download_source(
            NETWORKS["super_resolution"], hub=Hub(tmp_path / "cache", hub.endpoint)
        )
    assert source.checkpoint.name == "lavie_vsr.pt"
    assert "stable-diffusion-x4-upscaler" in str(source.stable_diffusion)
    assert "lavie_base.pt" not in hub.fetched


def networks(where, name=None) -> list[str]:
    return [network.name for network in networks_of(where and str(where), name)]


def test_a_folder_with_several_stages_gives_them_all(original):
    touch_all(original, {"seine.pt"})
    assert networks(original) == ["base", "long_video"]
    touch_all(original, {"lavie_vsr.pt"})
    assert networks(original) == ["base", "long_video", "super_resolution"]
    assert networks(original, "super_resolution") == ["super_resolution"]
    touch_all(original, {"lavie_interpolation.pt"})
    assert networks(original) == ["base", "long_video", "interpolation", "super_resolution"]
    assert networks(original, "cascade") == ["base", "interpolation", "super_resolution"]


def test_the_hub_gives_one_network_unless_asked_for_more():
    assert networks(None) == networks("Vchitect/LaVie") == ["base"]
    assert len(networks("Vchitect/LaVie", "cascade")) == 3


def test_later_stages_without_the_base_go_into_no_common_folder(original):
    touch_all(original, {"lavie_vsr.pt", "lavie_interpolation.pt"})
    (original / "lavie_base.pt").unlink()
    with pytest.raises(InputError, match="but not lavie_base.pt"):
        networks_of(str(original))


def test_one_file_is_no_cascade(original):
    with pytest.raises(InputError, match="is one file, and the cascade is three"):
        networks_of(str(original / "lavie_base.pt"), "cascade")
