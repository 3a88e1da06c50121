from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from lavie.errors import CheckpointError, InputError
from lora import write_lora
from lora.formats import read_lora
from lora.limits import MAX_NAME_LENGTH
from lora.registry import Registry, file_stem
from lora.rewriting import check_fits, shapes_for
from lora.weights import Lora


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "kept")


@pytest.fixture
def file(pipeline, make_lora, tmp_path):
    lora = make_lora(pipeline, words=["zog"])
    about = {"lavie.trigger_word": "zog", "lavie.class_word": "fox", "lavie.kind": "thing"}
    about["modelspec.title"] = "Theirs"
    return write_lora(Lora(lora.layers, lora.embeddings, about), tmp_path / "mine.safetensors")


@pytest.fixture
def miniature(file):
    """The bundled model's shapes, without its weights."""
    unet, text_encoder = shapes_for(file, "miniature")
    return SimpleNamespace(unet=unet, text_encoder=text_encoder)


HOSTILE = ["../../etc/passwd", "a/b", "..", "con", "x" * 80, "<script>", "名前", "a\nb", "."]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_never_paths(registry, file, name, tmp_path):
    entry = registry.add(file, name)
    assert entry.file.resolve().is_relative_to(registry.folder.resolve())
    assert len(entry.id) == 16
    path = registry.export(entry.id, tmp_path / "out")
    assert path.parent == tmp_path / "out"
    assert path.name.isascii()
    assert load_file(path).keys() == load_file(file).keys()


def test_what_is_added_is_listed_with_what_the_file_says(registry, file):
    entry = registry.add(file, "  My\tthing ", owner="me", tags=["sea", "sea", " "])
    assert registry.get(entry.id) == entry == registry.list("me")[0]
    assert (entry.name, entry.token, entry.kind, entry.rank) == ("My thing", "zog", "thing", 2)
    assert (entry.class_word, entry.tags) == ("fox", ("sea",))
    assert entry.num_bytes == file.stat().st_size
    assert len(entry.sha256) == 64
    assert registry.list("you") == []
    assert registry.list() == [entry]
    assert registry.list("") == []


def test_renaming_and_tagging_last(registry, file):
    entry = registry.add(file, "First")
    registry.rename(entry.id, "Second")
    registry.tag(entry.id, ["a", "b"])
    again = Registry(registry.folder).get(entry.id)
    assert (again.name, again.tags, again.sha256) == ("Second", ("a", "b"), entry.sha256)


def test_what_is_deleted_can_be_had_back_for_a_week(registry, file):
    entry = registry.add(file, "Mine")
    deleted = registry.delete(entry.id)
    assert registry.list() == []
    assert registry.get(entry.id).deleted is not None
    assert registry.delete(entry.id).deleted == deleted.deleted
    assert registry.undelete(entry.id) == entry
    registry.delete(entry.id)
    now = datetime.now(UTC)
    assert registry.sweep(now + timedelta(days=6)) == 0
    assert registry.sweep(now + timedelta(days=8)) == 1
    with pytest.raises(InputError, match="There is no LoRA"):
        registry.undelete(entry.id)
    assert list(registry.folder.iterdir()) == []


def test_only_ids_are_looked_up(registry, file):
    registry.add(file, "Mine")
    for wrong in ("..", "", "../kept", "x" * 16, "0" * 15):
        with pytest.raises(InputError, match="There is no LoRA"):
            registry.get(wrong)


@pytest.mark.parametrize("name", ["", "  \n", "x" * 81])
def test_names_that_are_none_are_refused(registry, file, name):
    with pytest.raises(InputError) as error:
        registry.add(file, name)
    assert error.value.field == "name"
    assert registry.list() == []


def test_too_many_or_too_long_tags_are_refused(registry, file):
    entry = registry.add(file, "Mine")
    for tags in ([str(n) for n in range(21)], ["x" * 41]):
        with pytest.raises(InputError) as error:
            registry.tag(entry.id, tags)
        assert error.value.field == "tags"


def test_a_foreign_file_is_taken_in_if_it_fits(registry, file, model_folder, tmp_path):
    check = partial(check_fits, model=str(model_folder))
    entry = registry.import_file(file, owner="me", check=check)
    assert entry.name == "Theirs"
    other = tmp_path / "other.safetensors"
    save_file({k: v.repeat(1, 2) if "down" in k else v for k, v in load_file(file).items()}, other)
    with pytest.raises(CheckpointError, match="another model"):
        registry.import_file(other, check=check)
    assert registry.list() == [entry]


def test_what_its_owner_has_is_taken_in_once(registry, file):
    entry = registry.import_file(file, "Mine", owner="me")
    assert registry.import_file(file, "Other", owner="me") == entry
    theirs = registry.import_file(file, owner="you")
    assert (theirs.name, theirs.owner) == ("Theirs", "you")
    registry.delete(entry.id)
    assert registry.import_file(file, owner="me").id != entry.id


@pytest.mark.parametrize("model", ["Vchitect/LaVie", "miniature"])
def test_a_file_fits_the_model_that_is_asked_for_or_none(pipeline, make_lora, tmp_path, model):
    small = {"modelspec.architecture": "lavie-base/lora"}
    lora = make_lora(pipeline)
    path = write_lora(Lora(lora.layers, {}, small), tmp_path / "tiny.safetensors")
    with pytest.raises(CheckpointError, match="made for another model"):
        check_fits(path, model)
    for name in ("Vchitect/LaVie", "miniature"):
        unet, text_encoder = shapes_for(path, name)
        lora = make_lora(SimpleNamespace(unet=unet, text_encoder=text_encoder), rank=1)
        path = write_lora(Lora(lora.layers, {}, small), tmp_path / "other.safetensors")
        if name == model:
            check_fits(path, model)
            continue
        with pytest.raises(CheckpointError, match="made for"):
            check_fits(path, model)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: {k.replace("lora_down", "hada_w1_a"): v for k, v in t.items()}, "LoHa"),
        (lambda t: {f"lora_te2_{k}": v for k, v in t.items()}, "Stable Diffusion XL"),
        (lambda t: {"x": next(iter(t.values()))}, "no LoRA"),
    ],
)
def test_other_kinds_are_told_without_loading_a_model(registry, file, tmp_path, change, match):
    other = tmp_path / "other.safetensors"
    save_file(change(load_file(file)), other)
    with pytest.raises(CheckpointError, match=match):
        registry.import_file(other)


@pytest.mark.parametrize("settings", ['{"a":"\\ud800"}', '{"a":' + "[" * 600 + "]" * 600 + "}"])
def test_the_settings_of_a_foreign_file_are_its_own_affair(
    registry, pipeline, make_lora, tmp_path, settings
):
    lora = make_lora(pipeline)
    path = write_lora(
        Lora(lora.layers, {}, {"lavie.settings": settings}), tmp_path / "a.safetensors"
    )
    entry = registry.import_file(path)
    assert registry.list() == [entry]


def test_however_much_a_foreign_file_says_of_itself_the_entry_stays_small(
    registry, pipeline, make_lora, tmp_path
):
    lora, much = make_lora(pipeline), "very " * 100_000
    names = ("trigger_word", "class_word", "kind", "base_model", "base_model_hash", "settings")
    about = {f"lavie.{name}": much for name in names} | {"modelspec.title": much}
    path = write_lora(Lora(lora.layers, {}, about), tmp_path / "a.safetensors")
    entry = registry.import_file(path)
    said = (entry.name, entry.token, entry.class_word, entry.kind, entry.base_model)
    assert all(text.startswith("very") and len(text) <= MAX_NAME_LENGTH for text in said)
    assert (registry.folder / entry.id / "entry.json").stat().st_size < 2_000


@pytest.mark.parametrize(
    ("title", "stem", "name"),
    [
        ("Fox " * 50, "mine", ("Fox " * 20).strip()),
        ("", "x" * 200, "x" * MAX_NAME_LENGTH),
        (" \n", "mine", "mine"),
        ("\n", "\t", "LoRA"),
    ],
)
def test_a_foreign_file_is_called_as_it_says_as_far_as_that_is_a_name(
    registry, pipeline, make_lora, tmp_path, title, stem, name
):
    lora = make_lora(pipeline)
    about = {"modelspec.title": title}
    path = write_lora(Lora(lora.layers, {}, about), tmp_path / f"{stem}.safetensors")
    assert registry.import_file(path).name == name


def test_nonsense_is_refused_in_a_sentence(registry, file, tmp_path):
    whole = file.read_bytes()
    header = b'{"a": {"shape": ["x"]}}'
    deep = b'{"__metadata__": {"a": ' + b"[" * 600 + b"]" * 600 + b"}}"
    contents = [
        b"",
        whole[:5],
        whole[:60],
        b"\xff" * 64,
        len(header).to_bytes(8, "little") + header,
        len(deep).to_bytes(8, "little") + deep,
    ]
    contents += [(1 << 40).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]"]
    for content in contents:
        path = tmp_path / "bad.safetensors"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="safetensors"):
            registry.import_file(path)
    (tmp_path / "bad.ckpt").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="pickle"):
        registry.import_file(tmp_path / "bad.ckpt")
    assert registry.list() == []


@pytest.mark.parametrize("name", ["mine.PT", "mine.bin"])
def test_what_is_called_a_pickle_is_refused_whatever_is_in_it(registry, miniature, file, name):
    called = file.rename(file.with_name(name))
    for look in (
        registry.import_file,
        partial(read_lora, unet=miniature.unet, text_encoder=miniature.text_encoder),
    ):
        with pytest.raises(CheckpointError, match=f"'{name}' is a pickle"):
            look(called)


def test_far_too_large_a_file_is_refused_unread(registry, miniature, tmp_path):
    large = tmp_path / "large.safetensors"
    with large.open("wb") as opened:
        opened.truncate(3 << 30)  # takes no room on the disk
    for look in (
        registry.import_file,
        partial(read_lora, unet=miniature.unet, text_encoder=miniature.text_encoder),
    ):
        with pytest.raises(CheckpointError, match="is 3072 MiB. A LoRA has at most 2048 MiB"):
            look(large)


def test_half_written_and_damaged_entries_are_not_listed(registry, file):
    entry = registry.add(file, "Mine")
    damaged = registry.add(file, "Other")
    (registry.folder / damaged.id / "entry.json").write_text('{"name": "Oth')
    (registry.folder / ("0" * 16)).mkdir()
    assert registry.list() == [entry]
    with pytest.raises(InputError):
        registry.get(damaged.id)


@pytest.mark.parametrize(
    ("style", "name", "first"),
    [
        ("kohya", "Mine.safetensors", "lora_unet_"),
        ("diffusers", "Mine.safetensors", "unet.down_blocks.0."),
        ("peft", "Mine/adapter_model.safetensors", "base_model.model.down_blocks.0."),
    ],
)
def test_exports_are_files_that_other_programs_name_alike(
    registry, miniature, make_lora, tmp_path, style, name, first
):
    lora = make_lora(miniature, text=())
    lora = Lora(lora.layers, {}, {"modelspec.architecture": "lavie-base/lora"})
    entry = registry.add(write_lora(lora, tmp_path / "file.safetensors"), "Mine")
    exported = registry.export(entry.id, tmp_path / "out", style)
    written = tmp_path / "out" / name
    assert written in (exported, exported / "adapter_model.safetensors")
    assert any(key.startswith(first) for key in load_file(written))
    again = read_lora(exported, miniature.unet, miniature.text_encoder).layers["unet"]
    assert again.keys() == lora.layers["unet"].keys()
    for layer, expected in lora.layers["unet"].items():
        assert torch.equal(again[layer].product(), expected.product())
    with pytest.raises(InputError, match="unknown"):
        registry.export(entry.id, tmp_path / "out", "pickle")


@pytest.mark.parametrize("style", ["kohya", "diffusers", "peft"])
def test_an_export_never_takes_the_place_of_another_loras(
    registry, miniature, make_lora, tmp_path, style
):
    entries = []
    for seed, name in enumerate(["狐", "猫", "犬"]):
        lora = make_lora(miniature, seed, text=())
        lora = Lora(lora.layers, {}, {"modelspec.architecture": "lavie-base/lora"})
        path = write_lora(lora, tmp_path / "file.safetensors")
        entries.append(registry.add(path, name))
    first, second, third = (registry.export(e.id, tmp_path / "out", style) for e in entries)
    assert first.stem == "lora"
    assert second.stem == f"lora-{entries[1].id}"
    assert third.stem == f"lora-{entries[2].id}"
    before = read_lora(first, miniature.unet, miniature.text_encoder)
    again = registry.export(entries[1].id, tmp_path / "out", style)
    assert again == second
    after = read_lora(first, miniature.unet, miniature.text_encoder)
    layer = next(iter(before.layers["unet"]))
    assert torch.equal(before.layers["unet"][layer].down, after.layers["unet"][layer].down)


def test_what_changes_the_text_encoder_too_is_not_exported_for_peft(
    registry, miniature, make_lora, tmp_path
):
    lora = make_lora(miniature, words=["zog"])
    lora = Lora(lora.layers, lora.embeddings, {"modelspec.architecture": "lavie-base/lora"})
    entry = registry.add(write_lora(lora, tmp_path / "file.safetensors"), "Mine")
    with pytest.raises(InputError, match="the text encoder too"):
        registry.export(entry.id, tmp_path / "out", "peft")


def test_file_names_are_plain():
    assert file_stem("Mein Fuchs, 2!") == "Mein-Fuchs-2"
    assert file_stem("../..") == "lora"


@pytest.mark.parametrize(("phrase", "word"), [("zog fox", "fox"), ("zog", "")])
def test_a_class_word_counts_only_where_prompts_say_it(
    registry, pipeline, make_lora, tmp_path, phrase, word
):
    lora = make_lora(pipeline, words=["zog"])
    about = {"lavie.class_word": "fox", "modelspec.trigger_phrase": phrase}
    path = write_lora(Lora(lora.layers, lora.embeddings, about), tmp_path / "one.safetensors")
    assert registry.add(path, "One").class_word == word
