"""LoRAs of peft's are two files, which are taken in together or not at all."""

import json
import shutil
import zipfile
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from lavie.cli.lora import main
from lavie.errors import CheckpointError
from lora import with_loras, write_lora
from lora.alphas import IN_METADATA, SETTINGS, WEIGHTS
from lora.formats import read_lora
from lora.header import read_header
from lora.peft_files import look_into_zip
from lora.registry import Registry
from lora.rewriting import shapes_for
from lora.weights import Lora
from tests.unit.app.loras.files import write_lora as write_foreign

SMALL = {"modelspec.architecture": "lavie-base/lora"}


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "kept")


@pytest.fixture
def miniature(tmp_path):
    """The bundled model's shapes, without its weights."""
    unet, text_encoder = shapes_for(write_foreign(tmp_path / "a.safetensors"), "miniature")
    return SimpleNamespace(unet=unet, text_encoder=text_encoder)


@pytest.fixture
def folder(miniature, make_lora, tmp_path):
    """As peft writes it; rank 2, alpha 3."""
    lora = make_lora(miniature, alpha=3.0, text=())
    return write_lora(Lora(lora.layers, {}, SMALL), tmp_path / "My fox", "peft")


def pack(folder, kind=zipfile.ZIP_DEFLATED, inside=""):
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w", kind) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, inside + file.name)
    return path


def alphas_of(file, pipeline):
    layers = read_lora(file, pipeline.unet, pipeline.text_encoder).layers["unet"]
    return {layer.alpha for layer in layers.values()}


def test_weights_alone_are_read_with_the_settings_beside_them(folder, miniature):
    assert alphas_of(folder / WEIGHTS, miniature) == alphas_of(folder, miniature) == {3.0}


def test_settings_count_for_the_text_encoder_too(pipeline, folder, make_lora, tmp_path):
    layers = make_lora(pipeline).layers["text_encoder"]
    tensors = {}
    for name, layer in layers.items():
        tensors[f"base_model.model.text_model.{name}.lora_A.weight"] = layer.down
        tensors[f"base_model.model.text_model.{name}.lora_B.weight"] = layer.up
    save_file(tensors, folder / WEIGHTS)
    found = read_lora(folder, pipeline.unet, pipeline.text_encoder).layers["text_encoder"]
    assert found.keys() == layers.keys()
    assert {layer.alpha for layer in found.values()} == {3.0}


def test_settings_beside_weights_count_where_those_within_are_empty(folder, miniature, registry):
    save_file(load_file(folder / WEIGHTS), folder / WEIGHTS, {**SMALL, IN_METADATA: "{}"})
    for given in (folder, pack(folder)):
        assert alphas_of(registry.import_file(given).file, miniature) == {3.0}


def test_without_its_settings_a_file_of_peft_is_refused(folder, miniature, registry, capsys):
    (folder / SETTINGS).unlink()
    for look in (
        lambda: read_header(folder / WEIGHTS),
        lambda: alphas_of(folder / WEIGHTS, miniature),
        lambda: alphas_of(folder, miniature),
        lambda: registry.import_file(folder),
        lambda: registry.add(folder / WEIGHTS, "Mine"),
    ):
        with pytest.raises(CheckpointError, match=r"adapter_config\.json\. Keep both"):
            look()
    assert registry.list() == []


@pytest.mark.parametrize(
    "form", ["folder", "file", "zip", "stored", "zip of the folder", "zip called as its weights"]
)
def test_the_command_takes_in_what_peft_has_in_two_files(
    folder, miniature, registry, tmp_path, form
):
    given = {
        "folder": lambda: folder,
        "file": lambda: folder / WEIGHTS,
        "zip": lambda: pack(folder),
        "stored": lambda: pack(folder, zipfile.ZIP_STORED),
        "zip of the folder": lambda: pack(folder, inside="../../My fox/"),
        "zip called as its weights": lambda: pack(folder).rename(tmp_path / "adapter_model.zip"),
    }[form]()
    assert main(["import", str(given), "--registry", str(registry.folder)]) == 0
    (entry,) = registry.list()
    called = "adapter_model" if form == "zip called as its weights" else "My fox"
    assert (entry.name, entry.rank) == (called, 2)
    assert alphas_of(entry.file, miniature) == {3.0}
    assert [path.name for path in registry.folder.iterdir()] == [entry.id]
    for style in ("kohya", "diffusers", "peft"):
        exported = registry.export(entry.id, tmp_path / style, style)
        assert alphas_of(exported, miniature) == {3.0}
    again = registry.import_file(pack(exported))
    assert alphas_of(again.file, miniature) == {3.0}


def test_a_file_beside_one_that_is_not_peft_s_says_nothing_of_it(
    pipeline, folder, make_lora, registry
):
    file = write_lora(make_lora(pipeline, alpha=1.0), folder / "kohya.safetensors")
    assert alphas_of(file, pipeline) == {1.0}
    assert registry.import_file(file).num_bytes == file.stat().st_size


def test_settings_that_changed_count_at_once(pipeline, make_lora, tmp_path):
    folder = write_lora(make_lora(pipeline, text=()), tmp_path / "mine", "peft")
    settings = json.loads((folder / SETTINGS).read_text())
    outputs = []
    for alpha in (2.0, 8.0):
        (folder / SETTINGS).write_text(json.dumps({**settings, "lora_alpha": alpha}))
        with with_loras(pipeline, [(folder, 1.0)]):
            generator = torch.Generator().manual_seed(0)
            size = {"height": 16, "width": 32, "num_frames": 2, "num_inference_steps": 1}
            made = pipeline("a fox", generator=generator, output_type="latent", **size)
            outputs.append(made.frames)
    assert not torch.allclose(*outputs, atol=1e-3)


def rezip(path, *files, comment=b"", kind=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in files:
            archive.writestr(name, content)
        archive.comment = comment
    return path


ZEROS = b"\0" * (32 << 20)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("files", "more", "match"),
    [
        ([(WEIGHTS, b"x")], {}, "no zip of a LoRA of peft's"),
        ([(WEIGHTS, b"x"), (WEIGHTS, b"y"), (SETTINGS, b"{}")], {}, "each once"),
        ([(WEIGHTS, b"x"), (f"a/{WEIGHTS}", b"y"), (SETTINGS, b"{}")], {}, "each once"),
        ([(f"/etc/{WEIGHTS}x", b"x"), (SETTINGS, b"{}")], {}, "no zip of a LoRA"),
        ([(WEIGHTS, ZEROS), (SETTINGS, b"{}")], {}, "would unpack to 32 MiB"),
        ([(WEIGHTS, b"x"), (SETTINGS, ZEROS)], {}, "would unpack to 32 MiB"),
        ([(f"{n}", b"") for n in range(3000)], {}, "no zip that can be read"),
        ([(WEIGHTS, b"x"), (SETTINGS, b"{}")], {"comment": b"PK\5\6" * 9}, "a comment"),
        ([(WEIGHTS, b"x"), (SETTINGS, b"{}")], {"kind": zipfile.ZIP_LZMA}, "a plain zip"),
        ([(WEIGHTS, b"x"), (SETTINGS, b"{}")], {}, "no safetensors file"),
    ],
)
def test_zips_of_something_else_are_refused_and_leave_nothing(
    registry, tmp_path, files, more, match
):
    path = rezip(tmp_path / "some\nthing.zip", *files, **more)
    with pytest.raises(CheckpointError, match=match) as error:
        registry.import_file(path)
    assert str(error.value).isprintable()
    assert list(registry.folder.iterdir()) == []


def test_a_small_zip_does_not_become_a_large_lora(folder, miniature, make_lora, registry, tmp_path):
    tensors = load_file(folder / WEIGHTS)
    for tensor in tensors.values():
        tensor.zero_()
    tensors["base_model.model.large.lora_A.weight"] = torch.zeros(1, 1 << 20)  # 4 MiB
    save_file(tensors, folder / WEIGHTS)
    path = pack(folder)
    assert path.stat().st_size < 100_000
    with pytest.raises(CheckpointError, match="would unpack to 4 MiB"):
        registry.import_file(path)
    data = bytearray(path.read_bytes())
    size = zipfile.ZipFile(path).getinfo(WEIGHTS).compress_size.to_bytes(4, "little")
    at = data.rindex(size)  # in the list of files
    data[at : at + 4] = (4 << 20).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="would unpack to 4 MiB"):
        registry.import_file(path)
    lora = make_lora(miniature, text=())
    write_lora(Lora(lora.layers, {}, {**SMALL, "tags": " " * 900_000}), folder, "peft")
    assert registry.import_file(pack(folder)).rank == 2  # what it says of itself gets that small


def test_a_link_or_a_name_that_leads_elsewhere_is_unpacked_under_a_name_of_ours(
    folder, registry, tmp_path
):
    info = zipfile.ZipInfo(f"../../../{WEIGHTS}")
    info.external_attr = 0o120777 << 16  # a link
    weights, settings = (folder / WEIGHTS).read_bytes(), (folder / SETTINGS).read_text()
    entry = registry.import_file(
        rezip(tmp_path / "a.zip", (info, weights), (f"C:\\{SETTINGS}/{SETTINGS}", settings))
    )
    assert not entry.file.is_symlink()
    assert {path.name for path in tmp_path.iterdir()} >= {"a.zip", "kept"}
    assert not list(tmp_path.parent.glob("adapter*"))


def test_damaged_zips_get_a_sentence_each(folder, registry, tmp_path):
    data = pack(folder).read_bytes()
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(len(data), (60,), generator=generator).tolist()
    places += range(len(data) - 200, len(data))  # the list of files
    contents = [data[:place] for place in places[:40]]
    contents += [data[:at] + bytes([data[at] ^ 0x15]) + data[at + 1 :] for at in places]
    path, sentences, taken = tmp_path / "bad.zip", [], set()
    for content in contents:
        path.write_bytes(content)
        try:
            taken.add(registry.import_file(path).id)
        except CheckpointError as error:
            sentences.append(str(error))
    assert len(sentences) > 100
    assert all(text.isprintable() and len(text) < 600 for text in sentences)
    assert {entry.id for entry in registry.list()} == taken


def test_a_zip_that_lies_about_a_size_unpacks_to_no_more_than_it_says(
    tmp_path, registry, monkeypatch
):
    sizes = []

    def measure(folder, **how):
        sizes.extend(file.stat().st_size for file in folder.rglob("*.*") if file.is_file())
        rmtree(folder, **how)

    rmtree = shutil.rmtree
    path = rezip(tmp_path / "a.zip", (WEIGHTS, ZEROS), (SETTINGS, b"{}"))
    size = len(ZEROS).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (100).to_bytes(4, "little")))
    assert look_into_zip(path)[WEIGHTS].file_size == 100
    monkeypatch.setattr("lora.peft_files.shutil.rmtree", measure)
    with pytest.raises(CheckpointError, match="no zip that can be read"):
        registry.import_file(path)
    assert sizes
    assert sum(sizes) <= 100


def test_folders_without_both_files_are_refused(folder, registry, tmp_path):
    (folder / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match="no folder of a LoRA of peft's"):
        registry.import_file(folder)
