import json
from pathlib import Path

import pytest

from app import texts
from app.models import ModelLibrary
from lavie.convert.published import NETWORKS, STABLE_DIFFUSION
from lavie.errors import Cancelled, CheckpointError, InputError
from lavie.types import CancelToken, Event
from tests.fake_hub import serve_hub
from tests.published import write_original_folder

BAD_NAMES = [
    "",
    " ",
    ".",
    "..",
    "../out",
    "a/b",
    "a\\b",
    "/etc",
    ".hidden",
    "end.",
    "nul",
    "COM1.x",
    "Miniature",
    "a" * 61,
    "ä",
    "a\0b",
    "a\nb",
    "<b>",
]


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "pretrained_models"
    write_original_folder(folder)
    (folder / STABLE_DIFFUSION.folder / "tokenizer" / "special_tokens_map.json").write_text("{}")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("lavie.convert.download._WAITS", (0.0, 0.0))


@pytest.fixture
def library(tmp_path) -> ModelLibrary:
    return make_library(tmp_path)


def make_library(tmp_path: Path, **options) -> ModelLibrary:
    return ModelLibrary(tmp_path / "models", tmp_path / "data" / "models.json", **options)


def names(library: ModelLibrary) -> list[str]:
    return [Path(model.name).name for model in library.installed()]


def test_the_bundled_model_is_there_and_stays(library):
    (model,) = library.installed()
    assert (model.name, model.is_bundled, model.can_be_deleted) == ("miniature", True, False)
    assert model.stages[0] == "base"
    assert model.num_bytes > 0
    assert model.licence == "Apache-2.0"
    for name in ("miniature", str(model.path)):
        with pytest.raises(InputError, match="not deleted here"):
            library.delete(name)
    assert names(library) == ["miniature"]


def test_a_converted_checkpoint_is_a_model_that_can_be_deleted(library, original, tmp_path):
    events: list[Event] = []
    made = library.convert(str(original / "lavie_base.pt"), "mine", on_event=events.append)
    assert made in library.installed()
    assert (made.path, made.stages) == (tmp_path / "models" / "mine", ("base",))
    assert "open for research" in made.licence
    assert "OpenRAIL" in made.licence
    assert len(events) == 2
    library.delete(made.name)
    assert names(library) == ["miniature"]
    assert list((tmp_path / "models").iterdir()) == []


def test_an_original_folder_is_converted_under_the_usual_name(library, original):
    assert Path(library.convert(str(original)).name).name == "lavie-base"
    with pytest.raises(InputError, match="There is a model or folder “lavie-base” already"):
        library.convert(str(original))


@pytest.mark.parametrize("name", BAD_NAMES[1:])
def test_names_that_lead_elsewhere_are_refused(library, original, tmp_path, name):
    with pytest.raises(InputError, match="cannot be the name of a model"):
        library.convert(str(original), name)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    "path",
    ["", " ", "relative/folder", "\0", "/nowhere/at/all", "~nobody-here/x", "/a" * 5000],
)
def test_paths_that_lead_nowhere_are_refused(library, path):
    for work in (library.convert, library.add_folder):
        with pytest.raises(InputError, match="is not on this machine"):
            work(path)


def test_files_that_are_no_checkpoint_are_refused(library, tmp_path):
    (tmp_path / "letter.txt").write_text("x")
    for path in (tmp_path / "letter.txt", tmp_path):
        with pytest.raises(InputError, match="nothing that can be converted"):
            library.convert(str(path))


def test_a_broken_checkpoint_leaves_nothing(library, original, tmp_path):
    broken = tmp_path / "lavie_base.pt"
    broken.write_bytes(b"PK\x03\x04" + b"x" * 100)
    with pytest.raises(CheckpointError, match="cut short"):
        library.convert(str(broken), stable_diffusion=str(original / STABLE_DIFFUSION.folder))
    assert names(library) == ["miniature"]
    assert not (tmp_path / "models").exists()


def test_a_folder_of_others_is_shown_but_not_deleted(library, original, tmp_path):
    folder = library.add_folder(str(original))
    assert library.custom_folders == (folder,)
    model = library.installed()[1]
    assert (model.where, model.path, model.can_be_deleted) == ("published files", original, False)
    with pytest.raises(InputError):
        library.delete(str(original))
    assert (original / "lavie_base.pt").is_file()
    assert make_library(tmp_path).custom_folders == (folder,)
    library.remove_folder(str(folder))
    assert library.custom_folders == ()
    assert original.is_dir()


def test_a_folder_is_added_once_and_only_with_models_in_it(library, original, tmp_path):
    library.add_folder(str(original))
    library.add_folder(f" {original}/ ")
    assert len(library.custom_folders) == 1
    assert len(library.installed()) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no LaVie model"):
        library.add_folder(str(tmp_path / "empty"))


@pytest.mark.parametrize("content", ["", "[]", '{"folders": 3}', '{"folders": [3, null]}', "\xff"])
def test_a_broken_list_of_folders_is_as_good_as_none(library, tmp_path, content):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models.json").write_bytes(content.encode("latin-1"))
    assert library.custom_folders == ()
    assert names(library) == ["miniature"]


def test_the_list_is_written_whole_or_not_at_all(library, original, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    library.add_folder(str(original))
    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(InputError, match="cannot be saved: No space left"):
        library.remove_folder(str(original))
    saved = json.loads((tmp_path / "data" / "models.json").read_text())
    assert saved == {"folders": [str(original)]}


def test_what_links_out_of_our_folder_is_not_deleted(library, original, tmp_path):
    made = library.convert(str(original), "mine")
    elsewhere = tmp_path / "elsewhere"
    Path(made.name).rename(elsewhere)
    (tmp_path / "models" / "mine").symlink_to(elsewhere)
    for name in (made.name, str(elsewhere), f"{tmp_path}/models/../elsewhere", "", "/"):
        with pytest.raises(InputError):
            library.delete(name)
    assert (elsewhere / "model_index.json").is_file()


def test_a_folder_that_somebody_put_there_is_not_deleted(library, original):
    made = library.convert(str(original), "mine")
    (Path(made.name) / "provenance.json").unlink()
    with pytest.raises(InputError):
        library.delete(made.name)
    assert library.installed()[1].licence == texts.UNKNOWN_LICENCE


def test_offers_tell_size_licence_and_what_they_mean(library):
    offers = {offer.network: offer for offer in library.offers()}
    assert offers.keys() == {"cascade", *NETWORKS}
    assert offers["base"].num_bytes == NETWORKS["base"].num_bytes + 827_000_000
    assert offers["base"].mirrors == ("YaohuiW/LaVie",)
    both = offers["base"].num_bytes + offers["interpolation"].num_bytes
    assert both < offers["cascade"].num_bytes + 827_000_000
    assert all(meaning for offer in offers.values() for _, meaning in offer.licences)
    assert all(offer.num_bytes_here == 0 and offer.installed == () for offer in offers.values())


def test_a_download_becomes_a_model_after_a_cut(original, tmp_path):
    repositories = {
        "Vchitect/LaVie": original,
        STABLE_DIFFUSION.repository: original / STABLE_DIFFUSION.folder,
    }
    with serve_hub(repositories) as hub:
        library = make_library(tmp_path, endpoint=hub.endpoint)
        hub.cuts = [20_000, 0, 0, 0]
        with pytest.raises(CheckpointError, match="did not finish"):
            library.install("base")
        here = {offer.network: offer.num_bytes_here for offer in library.offers()}
        assert here["base"] == here["cascade"] == 20_000
        assert here["long_video"] == 0
        model = library.install("base")
    assert model in library.installed()
    (offer,) = (offer for offer in library.offers() if offer.network == "base")
    assert offer.installed == (tmp_path / "models" / "lavie-base",)
    assert offer.num_bytes_here > (original / "lavie_base.pt").stat().st_size


def test_a_cancelled_download_leaves_no_model(original, tmp_path):
    cancel = CancelToken()
    with serve_hub({"Vchitect/LaVie": original}) as hub:
        cancel.cancel()
        with pytest.raises(Cancelled):
            make_library(tmp_path, endpoint=hub.endpoint).install("base", cancel=cancel)
    assert not (tmp_path / "models").exists()


def test_offline_and_unknown_offers_are_sentences(tmp_path):
    library = make_library(tmp_path, offline=True)
    with pytest.raises(CheckpointError, match="offline mode does not download it"):
        library.install("base")
    with pytest.raises(InputError, match="“bse” is not offered"):
        library.install("bse")
