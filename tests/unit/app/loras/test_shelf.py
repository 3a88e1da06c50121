"""Whose LoRAs are whose, what is taken in, and what a form may choose."""

import errno
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from app.jobs.crew import ThreadCrew
from app.loras.choice import choose_loras, form_text, told
from app.loras.exporting import exported
from app.loras.files import entry_of, learnt_file, note_entry
from app.loras.request import LoraTrainingRequest
from app.loras.restore import field_value, find_loras
from app.loras.service import Loras
from app.loras.shelf import MAX_OWN, put_on_shelf
from app.policy import Policy
from app.service import Service
from lavie.errors import InputError
from lora.limits import MAX_LORAS, MAX_NAME_LENGTH
from tests.unit.app.conftest import StepRunner
from tests.unit.app.loras.files import write_header, write_lora


@pytest.fixture
def file(tmp_path) -> Path:
    return write_lora(tmp_path / "Some Thing.safetensors", lavie_trigger_word="zog")


def shelf_of(card, data: Path, policy: Policy) -> Loras:
    return Loras(Service(card, ThreadCrew(StepRunner()), data, policy))


@pytest.fixture
def loras(card, tmp_path):
    loras = shelf_of(card, tmp_path / "data", Policy())
    yield loras
    loras._service._store.close()


@pytest.fixture
def public(card, tmp_path):
    loras = shelf_of(card, tmp_path / "data", Policy(is_public=True))
    yield loras
    loras._service._store.close()


def test_a_file_is_taken_in_renamed_tagged_deleted_and_brought_back(loras, file):
    assert loras.list() == []
    entry = loras.import_file(str(file))
    assert (entry.name, entry.token, entry.owner) == ("Some Thing", "zog", "")
    assert (
        loras.rename(entry.id, "  An\u202e <b>other</b>\n thing ").name == "An <b>other</b> thing"
    )
    assert loras.tag(entry.id, ["red", "red", " a\0 b "]).tags == ("red", "a b")
    assert [entry.name for entry in loras.list()] == ["An <b>other</b> thing"]
    loras.delete(entry.id)
    assert loras.list() == []
    with pytest.raises(InputError, match="There is no LoRA"):
        loras.get(entry.id)
    assert loras.undelete(entry.id).deleted is None
    assert loras.get(entry.id).name == "An <b>other</b> thing"


def test_visitors_see_and_touch_what_is_theirs_alone(public, file):
    entry = public.import_file(str(file), "Mine", "anna")
    assert [each.id for each in public.list("anna")] == [entry.id]
    assert public.list("bert") == public.list("") == []
    for change in (
        public.get,
        public.delete,
        public.undelete,
        lambda lora_id, owner: public.rename(lora_id, "x", owner),
        lambda lora_id, owner: public.tag(lora_id, [], owner),
        lambda lora_id, owner: public.export(lora_id, "kohya", owner),
        lambda lora_id, owner: public._service.shelf.finder(owner)(lora_id),
    ):
        with pytest.raises(InputError, match=f"There is no LoRA {entry.id}"):
            change(entry.id, "bert")


def test_a_file_that_another_visitor_has_is_new(public, file):
    theirs, mine = (public.import_file(str(file), "", owner) for owner in ("anna", "bert"))
    assert theirs.id != mine.id
    assert [public.import_file(str(file), "", "bert"), *public.list("bert")] == [mine, mine]


def test_a_visitor_has_room_for_so_many(public, file, monkeypatch):
    monkeypatch.setattr("app.loras.shelf.MAX_OWN", 1)
    public.import_file(str(file), "One", "anna")
    with pytest.raises(InputError, match="You have 1 LoRAs already"):
        public.import_file(str(file), "Two", "anna")
    public.import_file(str(file), "Two", "bert")
    assert MAX_OWN > 10


def test_what_a_visitor_deletes_takes_up_room_until_it_is_gone(public, file, monkeypatch):
    monkeypatch.setattr("app.loras.shelf.MAX_OWN", 2)
    registry = public._service.shelf.registry
    for name in ("One", "Two"):
        public.delete(public.import_file(str(file), name, "anna").id, "anna")
    with pytest.raises(InputError, match="deleted within the last week"):
        public.import_file(str(file), "Three", "anna")
    registry.sweep(datetime.now(UTC) + timedelta(days=8))
    public.import_file(str(file), "Three", "anna")


@pytest.mark.parametrize(
    "lora_id",
    ["", "x", "../x", "..", "/etc/passwd", "0" * 16, "0" * 5_000, None, 5, [], {"id": 1}, "a\0b"],
)
def test_what_is_no_id_of_a_lora_is_refused(loras, lora_id):
    for change in (loras.get, loras.delete, loras.undelete, loras.export):
        with pytest.raises(InputError, match="LoRA"):
            change(lora_id)


@pytest.mark.parametrize("name", ["", " ", "\n\t", None, 5, ["x"], "a" * (MAX_NAME_LENGTH + 1)])
def test_what_is_no_name_is_refused(loras, file, name):
    entry = loras.import_file(str(file))
    with pytest.raises(InputError) as caught:
        loras.rename(entry.id, name)
    assert caught.value.field == "name"
    assert loras.get(entry.id).name == "Some Thing"


@pytest.mark.parametrize("tags", [None, "red", [5], ["a" * 99], [str(n) for n in range(99)]])
def test_what_are_no_tags_is_refused(loras, file, tags):
    with pytest.raises(InputError):
        loras.tag(loras.import_file(str(file)).id, tags)


def test_a_lora_is_handed_out_under_a_harmless_name(loras, file):
    entry = loras.import_file(str(file), "../../etc/<b>passwd</b>")
    with loras.export(entry.id) as path:
        assert path.name == "etc-b-passwd-b.safetensors"
        assert path.read_bytes() == file.read_bytes()
        assert path.is_relative_to(loras._service.data / "private")
    for style in ("", "zip", "../x", None, 5):
        with pytest.raises(InputError, match="no such format"):
            loras.export(entry.id, style)


def test_the_zip_that_is_handed_out_for_peft_is_taken_in_again(loras, file, tmp_path):
    entry = loras.import_file(str(file), "A fox")
    with loras.export(entry.id, "peft") as path:
        given = tmp_path / path.name
        given.write_bytes(path.read_bytes())
    again = loras.import_file(given)
    assert (again.name, again.rank, again.token) == ("A-fox", entry.rank, entry.token)
    with loras.export(again.id, "kohya") as path:
        written, expected = load_file(path), load_file(file)
    assert written.keys() == expected.keys()
    assert all(np.array_equal(written[key], expected[key]) for key in expected)


def test_weights_of_peft_without_their_settings_are_refused_beside_the_field(loras, file, tmp_path):
    entry = loras.import_file(str(file))
    with loras.export(entry.id, "peft") as path, ZipFile(path) as archive:
        (tmp_path / "mine.safetensors").write_bytes(archive.read("adapter_model.safetensors"))
    with pytest.raises(InputError, match="in one zip") as caught:
        loras.import_file(tmp_path / "mine.safetensors")
    assert caught.value.field == "file"


def test_what_was_handed_out_is_gone_at_once(loras, file):
    entry = loras.import_file(str(file))
    before = sorted(loras._service.data.rglob("*"))
    with loras.export(entry.id, "peft") as path:
        assert {"adapter_model.safetensors", "adapter_config.json"} == set(ZipFile(path).namelist())
    with pytest.raises(InputError), loras.export(entry.id) as path:
        raise InputError("the disk is full")
    assert sorted(loras._service.data.rglob("*")) == before


def test_what_a_kill_left_of_an_export_is_swept(loras, file):
    entry = loras.import_file(str(file))
    registry = loras._service.shelf.registry
    leftover = exported(registry, entry.id, "kohya")
    path = leftover.__enter__()
    registry.sweep(datetime.now(UTC) + timedelta(hours=1))
    assert path.exists()
    registry.sweep(datetime.now(UTC) + timedelta(days=2))
    assert not path.parent.exists()
    assert registry.list() == [entry]


def bad_weights(folder: Path):
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    (folder / "empty.safetensors").write_bytes(b"")
    (folder / "text.safetensors").write_text("<script>alert(1)</script>")
    (folder / "pickle.ckpt").write_bytes(b"\x80\x04N.")
    (folder / "long.safetensors").write_bytes(b"\xff" * 8 + b"{")
    with ZipFile(folder / "zip.safetensors", "w") as archive:
        archive.writestr("../../evil.py", "x")
    yield from folder.glob("*.*")
    for name, header in (
        ("list", []),
        ("bomb", {"x": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4]}}),
        ("other", {"model.diffusion_model.x": tensor}),
        ("deep", {"__metadata__": {"a": "b"}}),
    ):
        yield write_header(folder / f"{name}.safetensors", header)
    yield folder / "gone.safetensors"


def test_what_is_no_lora_is_refused_with_a_sentence(loras, tmp_path):
    (tmp_path / "bad").mkdir()
    files = list(bad_weights(tmp_path / "bad"))
    assert len(files) == 10
    for bad in (*map(str, files), None, 5, "", [], "/etc/passwd"):
        with pytest.raises(InputError) as caught:
            loras.import_file(bad)
        assert str(tmp_path) not in str(caught.value)
    assert loras.list() == []


@pytest.mark.parametrize(
    ("width", "sentence"),
    [(32, "made for another model: down_blocks.0.attentions.0"), (320, "no safetensors file")],
)
def test_what_does_not_fit_or_lacks_its_weights_is_refused_at_the_door(
    loras, tmp_path, width, sentence
):
    whole = write_lora(tmp_path / "whole.safetensors", width)
    content = whole.read_bytes()
    if width == 320:
        assert loras.import_file(whole).rank == 1
        content = content[: 8 + int.from_bytes(content[:8], "little")]
    (tmp_path / "bad.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        loras.import_file(tmp_path / "bad.safetensors")
    assert caught.value.field == "file"
    assert len(loras.list()) == (width == 320)


def test_a_lora_of_stable_diffusion_2_is_refused_by_that_name(loras, tmp_path):
    key = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    weights = {
        f"{key}.lora_down.weight": np.ones((1, 1024), np.float32),
        f"{key}.lora_up.weight": np.ones((320, 1), np.float32),
    }
    save_file(weights, tmp_path / "two.safetensors")
    with pytest.raises(InputError, match=r"made for Stable Diffusion 2\.x"):
        loras.import_file(tmp_path / "two.safetensors")


# What was trained


@pytest.fixture
def trained(loras, training, tmp_path):
    """What a training asks for, and the folder of its job with what it has learnt."""
    folder = tmp_path / "job"
    learnt_file(folder).parent.mkdir(parents=True)
    write_lora(learnt_file(folder))
    request = loras.check(training)
    assert isinstance(request, LoraTrainingRequest)
    return request, folder


def test_what_was_learnt_is_on_the_shelf_once_wherever_a_server_was_killed(loras, trained):
    request, folder = trained
    note_entry(folder, "0123456789abcdef")  # then it was killed
    for _ in range(2):  # after the first, too
        put_on_shelf(request, folder)
        (entry,) = loras.list()
        assert (entry.id, entry.name, entry.token) == ("0123456789abcdef", "My zog", "zog")


def test_nothing_is_on_the_shelf_of_which_its_job_does_not_know(loras, trained, monkeypatch):
    request, folder = trained

    def write_half(file, text, encoding):
        file.write_bytes(text[:3].encode(encoding))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", write_half)
    with pytest.raises(OSError, match="No space"):
        put_on_shelf(request, folder)
    monkeypatch.undo()
    assert loras.list() == []
    assert entry_of(folder) == ""
    put_on_shelf(request, folder)
    assert [entry.id for entry in loras.list()] == [entry_of(folder)]


# What a form may choose


@pytest.fixture
def find(loras, file):
    for name, token in (("One", "zog"), ("Two", "zig"), ("Three", "zog"), ("Four", "")):
        loras._service.shelf.registry.add(file, name, token=token)
    return loras._service.shelf.finder("")


@pytest.fixture
def ids(loras, find) -> dict[str, str]:
    return {entry.name: entry.id for entry in loras.list()}


def test_a_list_its_json_and_nothing_are_understood(find, ids):
    picks = [{"id": ids["One"], "weight": 0.5}, {"id": ids["Two"]}]
    uses = choose_loras(picks, find, "miniature")
    assert [(use.name, use.weight) for use in uses] == [("One", 0.5), ("Two", 1.0)]
    assert choose_loras(json.dumps(picks), find, "miniature") == uses
    assert choose_loras(form_text(uses), find, "miniature") == uses
    assert told(uses) == [picks[0], {**picks[1], "weight": 1.0}]
    for nothing in (None, "", " ", [], "[]"):
        assert choose_loras(nothing, find, "miniature") == ()


@pytest.mark.parametrize(
    ("picks", "sentence"),
    [
        ("x", "a list of ids"),
        ("[" * 5_000, "a list of ids"),
        ("a" * 50_000, "a list of ids"),
        (5, "a list of ids"),
        ({"id": "x"}, "a list of ids"),
        (["x"], "a list of ids"),
        ([{}], "The id of a LoRA is a text"),
        ([{"id": "../x"}], "There is no LoRA ../x"),
        ([{"id": 5}], "The id of a LoRA is a text"),
        ([{"id": "One", "weight": 5}], "Weight 5 is not between -4 and 4"),
        ([{"id": "One", "weight": float("nan")}], "Weight nan"),
        ([{"id": "One", "weight": 10**400}], "Weight 1000"),
        ([{"id": "One", "weight": True}], "Weight True"),
        ([{"id": "One", "weight": "1"}], "Weight 1 is"),
        ([{"id": "One"}, {"id": "One"}], "chosen twice"),
        ([{"id": "One"}, {"id": "Three"}], "the same trigger word, zog"),
        ([{"id": "One"}] * (MAX_LORAS + 1), "at most 4"),
    ],
)
def test_what_is_no_choice_is_refused(find, ids, picks, sentence):
    if isinstance(picks, list):
        picks = [
            {**pick, "id": ids.get(str(pick["id"]), pick["id"])}
            if isinstance(pick, dict) and "id" in pick
            else pick
            for pick in picks
        ]
    with pytest.raises(InputError, match=sentence) as caught:
        choose_loras(picks, find, "miniature")
    assert caught.value.field == "loras"


def test_a_lora_of_another_model_is_refused_at_the_door(loras, tmp_path):
    about = {"lavie_base_model": "/some/where/lavie", "lavie_base_model_hash": "abc"}
    file = write_lora(tmp_path / "a.safetensors", **about)
    with pytest.raises(InputError, match="made for the model 'lavie', not for 'model'"):
        loras.import_file(str(file))
    entry = loras._service.shelf.registry.add(file, "Theirs")
    find = loras._service.shelf.finder("")
    assert choose_loras([{"id": entry.id}], find, "models/lavie")
    assert choose_loras([{"id": entry.id}], find, "miniature", "abc")  # called otherwise by now
    assert choose_loras([{"id": entry.id}], find, "models/lavie", "def")  # as with a better VAE
    with pytest.raises(InputError, match="made for another model"):
        choose_loras([{"id": entry.id}], find, "miniature", "def")
    with pytest.raises(InputError, match="made for another model"):
        choose_loras([{"id": entry.id}], find, "miniature")


def test_a_recipe_gives_loras_back_by_their_content_or_says_that_they_are_missing(loras, file):
    entry = loras.import_file(str(file))
    use = {"name": "Some Thing", "token": "zog", "weight": 0.5, "sha256": entry.sha256}
    found, notes = find_loras(
        {"loras": [use, use, {**use, "sha256": "0", "name": "Gone"}]}, [entry]
    )
    assert json.loads(field_value(found)) == [{"id": entry.id, "weight": 0.5}]
    assert notes == [
        "The LoRA “Gone” that this was made with is not here. Import it to use it again."
    ]
    for broken in (None, 5, "x", [5], [{}], [{"sha256": []}], {"a": 1}):
        assert find_loras({"loras": broken}, [entry])[0] == []
    (_, weight), *_ = find_loras({"loras": [{**use, "weight": 1e308}]}, [entry])[0]
    assert weight == 4.0
