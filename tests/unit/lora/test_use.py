from dataclasses import replace

import pytest
import torch
from peft import set_peft_model_state_dict

from lavie.errors import CheckpointError, InputError
from lavie.models import BaseUNet
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lora import inject, use, with_loras, write_lora
from lora.inject import attach, attached, detach
from tests.tiny import make_tiny_long_video


def state(pipeline):
    return {**pipeline.unet.state_dict(), **pipeline.text_encoder.state_dict()}


def make(pipeline, prompt="a fox zog"):
    settings = {"height": 16, "width": 32, "num_frames": 2, "num_inference_steps": 2}
    generator = torch.Generator().manual_seed(0)
    return pipeline(prompt, generator=generator, output_type="latent", **settings).frames


@pytest.fixture
def files(pipeline, make_lora, tmp_path):
    return [
        write_lora(make_lora(pipeline, seed, words=[word]), tmp_path / f"{word}.safetensors")
        for seed, word in enumerate(["zog", "mip"])
    ]


def test_a_block_changes_videos_and_leaves_the_pipeline_as_it_was_bit_for_bit(pipeline, files):
    before, weights = make(pipeline), state(pipeline)
    with with_loras(pipeline, [(files[0], 1.0)]) as used:
        inside = make(pipeline)
    assert not torch.allclose(inside, before, atol=1e-3)
    assert torch.equal(make(pipeline), before)
    after = state(pipeline)
    assert after.keys() == weights.keys()
    assert all(torch.equal(after[key], weights[key]) for key in weights)
    assert [(lora.token, lora.weight, len(lora.sha256)) for lora in used] == [("zog", 1.0, 64)]
    with with_loras(pipeline, []) as used:
        assert torch.equal(make(pipeline), before)
    assert used == []


def test_after_a_block_the_model_is_saved_and_takes_loras_of_others_as_before(
    pipeline, files, make_lora, tmp_path
):
    before = make(pipeline)
    theirs = write_lora(make_lora(pipeline, 5, text=()), tmp_path / "theirs.safetensors")
    pipeline.load_lora_weights(tmp_path, weight_name=theirs.name, adapter_name="theirs")
    expected = make(pipeline)
    pipeline.unload_lora_weights()
    with with_loras(pipeline, [(files[0], 1.0)]):
        pass
    pipeline.save_pretrained(tmp_path / "model")
    saved = TextToVideoPipeline.from_pretrained(tmp_path / "model")
    assert torch.equal(make(saved), before)
    pipeline.load_lora_weights(tmp_path, weight_name=theirs.name, adapter_name="theirs")
    assert torch.equal(make(pipeline), expected)
    assert not torch.allclose(expected, before, atol=1e-3)


def test_the_same_ones_again_read_nothing_and_make_the_same(pipeline, files, monkeypatch):
    with with_loras(pipeline, [(files[0], 0.5)]):
        first = make(pipeline)
    monkeypatch.setattr(use, "read_lora", None)
    with with_loras(pipeline, [(files[0], 0.5)]):
        assert torch.equal(make(pipeline), first)
    with with_loras(pipeline, [(files[0], 1.0)]):
        assert not torch.allclose(make(pipeline), first, atol=1e-3)


def test_others_take_their_place_and_several_mix(pipeline, files):
    with with_loras(pipeline, [(files[1], 1.0)]):
        alone = make(pipeline)
    with with_loras(pipeline, [(files[0], 1.0), (files[1], 0.5)]):
        both = make(pipeline)
    with with_loras(pipeline, [(files[1], 1.0)]):
        assert torch.equal(make(pipeline), alone)
        assert len(pipeline.unet.peft_config) == 1
    assert not torch.allclose(both, alone, atol=1e-3)


def test_a_file_that_was_replaced_is_read_again(pipeline, files, make_lora):
    with with_loras(pipeline, [(files[0], 1.0)]):
        first = make(pipeline)
    write_lora(make_lora(pipeline, 7, words=["zog"]), files[0])
    with with_loras(pipeline, [(files[0], 1.0)]):
        assert not torch.allclose(make(pipeline), first, atol=1e-3)


def test_an_error_in_the_block_leaves_nothing_behind(pipeline, files):
    before = make(pipeline)
    with pytest.raises(RuntimeError), with_loras(pipeline, [(files[0], 1.0)]):
        raise RuntimeError
    assert torch.equal(make(pipeline), before)


def test_one_that_fails_on_its_way_is_loaded_by_the_next_block(pipeline, files, monkeypatch):
    before = make(pipeline)
    with with_loras(pipeline, [(files[0], 1.0), (files[1], 0.5)]):
        expected = make(pipeline)
    with monkeypatch.context() as patch:
        patch.setattr(inject, "set_peft_model_state_dict", run_out_of_memory)
        with (
            pytest.raises(torch.OutOfMemoryError),
            with_loras(pipeline, [(files[0], 1.0), (files[1], 0.5)]),
        ):
            pass
    assert torch.equal(make(pipeline), before)
    with with_loras(pipeline, [(files[0], 1.0), (files[1], 0.5)]):
        assert torch.equal(make(pipeline), expected)


def run_out_of_memory(network, weights, adapter_name):
    if isinstance(network, BaseUNet):
        raise torch.OutOfMemoryError
    return set_peft_model_state_dict(network, weights, adapter_name=adapter_name)


def test_a_block_leaves_alone_what_is_attached(pipeline, files, make_lora):
    attach(pipeline, make_lora(pipeline, 5), "mine", weight=0.5)
    before = make(pipeline)
    with (
        pytest.raises(InputError, match="'mine' is attached"),
        with_loras(pipeline, [(files[0], 1.0)]),
    ):
        pass
    assert attached(pipeline) == ["mine"]
    assert torch.equal(make(pipeline), before)


def test_what_a_block_puts_on_is_not_attached_and_makes_way(pipeline, files, make_lora):
    before, mine = make(pipeline), make_lora(pipeline, 5)
    attach(pipeline, mine, "mine")
    expected = make(pipeline)
    detach(pipeline)
    with with_loras(pipeline, [(files[0], 1.0)]):
        inside = make(pipeline)
        assert attached(pipeline) == []
        detach(pipeline)
        with pytest.raises(InputError, match="at work"):
            attach(pipeline, mine, "mine")
        with pytest.raises(InputError, match="at work"), with_loras(pipeline, [(files[1], 1.0)]):
            pass
        assert torch.equal(make(pipeline), inside)
    assert attached(pipeline) == []
    attach(pipeline, mine, "mine")
    assert attached(pipeline) == ["mine"]
    assert torch.equal(make(pipeline), expected)
    detach(pipeline, "mine")
    assert torch.equal(make(pipeline), before)


def test_what_cannot_be_used_is_refused_and_changes_nothing(pipeline, files, make_lora, tmp_path):
    before = make(pipeline)
    twin = write_lora(make_lora(pipeline, 9, words=["zog"]), tmp_path / "twin.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nonsense")
    zog = (files[0], 1.0)
    for loras, match in (
        ([zog, zog], "stands twice"),
        ([(files[0], 9.0)], "not between"),
        ([zog] * 6, "too many"),
        ([(tmp_path / "absent.safetensors", 1.0)], "does not exist"),
        ([zog, (twin, 1.0)], "already means"),
    ):
        with pytest.raises(InputError, match=match), with_loras(pipeline, loras):
            pass
        assert torch.equal(make(pipeline), before)
    with (
        pytest.raises(CheckpointError, match="no safetensors"),
        with_loras(pipeline, [zog, (broken, 1.0)]),
    ):
        pass
    assert torch.equal(make(pipeline), before)


def test_that_a_lora_is_of_other_weights_is_said_where_both_are_known(
    pipeline, files, make_lora, tmp_path, caplog
):
    before, own = make(pipeline), "0123456789abcdef"
    lora = replace(make_lora(pipeline), metadata={"lavie.base_model_hash": own})
    path = write_lora(lora, tmp_path / "own.safetensors")
    for file, known in ((path, own), (path, ""), (files[0], "f" * 16)):
        with with_loras(pipeline, [(file, 1.0)], known):
            assert not torch.equal(make(pipeline), before)
    assert caplog.messages == []
    with with_loras(pipeline, [(path, 1.0)], "f" * 16):
        assert not torch.equal(make(pipeline), before)
    assert caplog.messages == [
        "'own.safetensors' was made for other weights than this model's. It may look different."
    ]
    pipeline.unet.to(torch.bfloat16)  # its hash would be that of rounded weights
    with with_loras(pipeline, [(path, 1.0)], "f" * 16):
        pass
    assert sum("made for other" in said for said in caplog.messages) == 1


def test_pipelines_that_share_their_text_work_side_by_side(pipeline, files):
    other = make_tiny_long_video()
    other.text_encoder, other.tokenizer = pipeline.text_encoder, pipeline.tokenizer
    before = {name: value.clone() for name, value in pipeline.text_encoder.state_dict().items()}
    with with_loras(pipeline, [(files[0], 1.0)]):
        alone = make(pipeline)
    with with_loras([pipeline, other], [(files[0], 1.0)]):
        assert torch.equal(make(pipeline), alone)
        assert any("lora" in name for name, _ in other.unet.named_parameters())
    after = pipeline.text_encoder.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
