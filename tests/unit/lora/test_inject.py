from dataclasses import replace

import pytest
import torch
from peft import LoraModel

from lavie.errors import InputError
from lora import inject as lora_inject
from lora.inject import attach, attached, detach, merge, set_weights, spatial_modules


def state(pipeline):
    networks = {"unet": pipeline.unet, "text_encoder": pipeline.text_encoder}
    return {
        f"{network}.{name}": value.clone()
        for network, module in networks.items()
        for name, value in module.state_dict().items()
    }


def make(pipeline, prompt="a fox zog"):
    settings = {"height": 16, "width": 32, "num_frames": 2, "num_inference_steps": 2}
    generator = torch.Generator().manual_seed(0)
    return pipeline(prompt, generator=generator, output_type="latent", **settings).frames


def test_no_layer_over_time_is_ever_among_those_that_learn(pipeline):
    unet = pipeline.unet
    parts = ("attention", "feed_forward", "projections", "convolutions")
    names = spatial_modules(unet, parts)
    assert names
    assert not any(unet.is_temporal(name) for name in names)
    with_time = spatial_modules(unet, parts, also_temporal=True)
    assert set(names) < set(with_time)
    with pytest.raises(InputError, match="unknown"):
        spatial_modules(unet, ("attn_temp",))


def test_a_lora_changes_the_video_and_taken_off_leaves_every_bit(pipeline, make_lora):
    before, weights = make(pipeline), state(pipeline)
    attach(pipeline, make_lora(pipeline, words=["zog"]), "mine")
    assert attached(pipeline) == ["mine"]
    assert not torch.equal(make(pipeline), before)
    detach(pipeline)
    after = state(pipeline)
    assert after.keys() == weights.keys()
    assert all(torch.equal(after[key], weights[key]) for key in weights)
    assert torch.equal(make(pipeline), before)
    assert attached(pipeline) == []


def test_weight_0_is_as_without_and_weights_can_change_while_it_is_on(pipeline, make_lora):
    before = make(pipeline)
    attach(pipeline, make_lora(pipeline), "mine", weight=0.0)
    assert torch.allclose(make(pipeline), before, atol=1e-5)
    set_weights(pipeline, {"mine": 0.5})
    half = make(pipeline)
    set_weights(pipeline, {"mine": 1.0})
    whole = make(pipeline)
    assert not torch.allclose(half, whole, atol=1e-3)
    set_weights(pipeline, {"mine": 0.5})
    assert torch.equal(make(pipeline), half)


def test_several_add_up_and_leave_one_by_one(pipeline, make_lora):
    first, second = make_lora(pipeline, 1, words=["zog"]), make_lora(pipeline, 2, rank=3)
    attach(pipeline, first, "first")
    alone = make(pipeline)
    attach(pipeline, second, "second", weight=0.7)
    both = make(pipeline)
    assert not torch.allclose(both, alone, atol=1e-3)
    layer = next(iter(first.layers["unet"]))
    module = pipeline.unet.get_submodule(layer)
    x = torch.randn(1, 3, module.in_features)
    added = first.layers["unet"][layer].product() + 0.7 * second.layers["unet"][layer].product()
    expected = module.base_layer(x) + x @ added.T
    assert torch.allclose(module(x), expected, atol=1e-5)
    detach(pipeline, "second")
    assert torch.allclose(make(pipeline), alone, atol=1e-5)
    assert attached(pipeline) == ["first"]


def test_one_that_counts_0_stays_when_others_leave(pipeline, make_lora):
    before, weights = make(pipeline), state(pipeline)
    attach(pipeline, make_lora(pipeline, 2), "second")
    alone = make(pipeline)
    attach(pipeline, make_lora(pipeline, 1), "first")
    set_weights(pipeline, {"first": 1.0})
    detach(pipeline, "first")
    assert attached(pipeline) == ["second"]
    assert torch.allclose(make(pipeline), before, atol=1e-5)
    set_weights(pipeline, {"second": 1.0})
    assert torch.allclose(make(pipeline), alone, atol=1e-5)
    detach(pipeline, "second")
    after = state(pipeline)
    assert after.keys() == weights.keys()
    assert all(torch.equal(after[key], weights[key]) for key in weights)


@pytest.mark.parametrize(
    ("num_before", "with_other"), [(0, False), (2, False), (1, True), (3, True)]
)
def test_one_that_fails_on_its_way_is_not_on_at_all(
    pipeline, make_lora, monkeypatch, num_before, with_other
):
    if with_other:
        attach(pipeline, make_lora(pipeline, 1, text=()), "rest")
        attach(pipeline, make_lora(pipeline, 2, parts=("projections",)), "other", weight=0.5)
        set_weights(pipeline, {"other": 0.5})
    on, before, weights = attached(pipeline), make(pipeline), state(pipeline)
    ids = pipeline.tokenizer("zog mip").input_ids
    lora = make_lora(pipeline, words=["zog", "mip"])
    steps = [0]

    def failing(step):
        def do(*given, **settings):
            if steps[0] == num_before:
                raise torch.OutOfMemoryError
            steps[0] += 1
            return step(*given, **settings)

        return do

    with monkeypatch.context() as patch:
        loading = failing(lora_inject.set_peft_model_state_dict)
        patch.setattr(lora_inject, "set_peft_model_state_dict", loading)
        patch.setattr(pipeline, "load_textual_inversion", failing(pipeline.load_textual_inversion))
        with pytest.raises(torch.OutOfMemoryError):
            attach(pipeline, lora, "mine")
    assert attached(pipeline) == on
    assert pipeline.tokenizer("zog mip").input_ids == ids
    assert torch.equal(make(pipeline), before)
    if not with_other:
        assert state(pipeline).keys() == weights.keys()
    attach(pipeline, lora, "mine")
    assert not torch.allclose(make(pipeline), before, atol=1e-3)


@pytest.mark.parametrize("with_other", [False, True])
def test_layers_that_are_half_there_leave_again(pipeline, make_lora, monkeypatch, with_other):
    if with_other:
        attach(pipeline, make_lora(pipeline, 1), "other")
    before, weights = make(pipeline), state(pipeline)
    make_layer, made = LoraModel._create_and_replace, []

    def fail_later(*given, **settings):
        made.append(given)
        if len(made) > 3:
            raise KeyboardInterrupt
        make_layer(*given, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(LoraModel, "_create_and_replace", fail_later)
        with pytest.raises(KeyboardInterrupt):
            attach(pipeline, make_lora(pipeline), "mine")
    assert torch.equal(make(pipeline), before)
    assert state(pipeline).keys() == weights.keys()
    attach(pipeline, make_lora(pipeline), "mine")
    assert attached(pipeline) == [*(["other"] if with_other else []), "mine"]


def test_those_that_no_weight_names_count_nothing_and_are_not_merged(pipeline, make_lora):
    before, weights = make(pipeline), state(pipeline)
    attach(pipeline, make_lora(pipeline, 1), "first")
    alone = make(pipeline)
    attach(pipeline, make_lora(pipeline, 2), "second")
    set_weights(pipeline, {})
    assert attached(pipeline) == ["first", "second"]
    assert torch.equal(make(pipeline), before)
    set_weights(pipeline, {"first": 1.0})
    assert torch.allclose(make(pipeline), alone, atol=1e-5)
    set_weights(pipeline, {})
    merge(pipeline)
    assert attached(pipeline) == []
    after = state(pipeline)
    assert after.keys() == weights.keys()
    assert all(torch.equal(after[key], weights[key]) for key in weights)


@pytest.mark.parametrize("parts", [("attention",), ("projections", "convolutions")])
def test_merged_is_as_attached(pipeline, make_lora, parts):
    attach(pipeline, make_lora(pipeline, parts=parts), "mine", weight=0.8)
    with_it = make(pipeline)
    merge(pipeline)
    assert attached(pipeline) == []
    assert torch.allclose(make(pipeline), with_it, atol=1e-4)
    assert not any("lora" in name for name, _ in pipeline.unet.named_parameters())


def test_a_trigger_word_is_one_token_that_goes_with_its_lora(pipeline, make_lora):
    ids = pipeline.tokenizer("a zog").input_ids
    attach(pipeline, make_lora(pipeline, words=["zog"]), "mine")
    assert "zog" in pipeline.tokenizer.tokenize("a zog")
    with pytest.raises(InputError, match="already means"):
        attach(pipeline, make_lora(pipeline, words=["zog"]), "other")
    assert attached(pipeline) == ["mine"]
    detach(pipeline, "mine")
    assert pipeline.tokenizer("a zog").input_ids == ids


def test_a_word_of_several_vectors_takes_as_many_tokens(pipeline, make_lora):
    lora = make_lora(pipeline)
    width = pipeline.text_encoder.config.hidden_size
    attach(pipeline, replace(lora, embeddings={"zog": torch.randn(3, width)}), "mine")
    assert pipeline.maybe_convert_prompt("a zog", pipeline.tokenizer) == "a zog zog_1 zog_2"
    told = pipeline.encode_prompt(["a zog"])
    with torch.no_grad():
        last_of_three = pipeline.text_encoder.get_input_embeddings().weight[-1]
        last_of_three.copy_(torch.randn(width))  # adding 1 to all is lost in the normalisation
    assert not torch.allclose(pipeline.encode_prompt(["a zog"]), told)
    detach(pipeline)
    assert "zog_2" not in pipeline.tokenizer.get_vocab()


@pytest.mark.parametrize(("first", "second"), [("zog", "zog_1"), ("zog_1", "zog")])
@pytest.mark.parametrize("num_vectors", [1, 2])
def test_a_word_is_not_taken_for_one_more_vector_of_another(
    pipeline, make_lora, first, second, num_vectors
):
    lora = make_lora(pipeline)
    vectors = torch.randn(num_vectors, pipeline.text_encoder.config.hidden_size)
    attach(pipeline, replace(lora, embeddings={first: vectors}), "first")
    with pytest.raises(InputError, match="already means"):
        attach(pipeline, replace(lora, embeddings={second: vectors}), "second")
    assert attached(pipeline) == ["first"]


@pytest.mark.parametrize(
    ("name", "weight", "match"),
    [
        ("../x", 1.0, "no name"),
        ("", 1.0, "no name"),
        ("a.b", 1.0, "no name"),
        ("mine", 9.0, "not between"),
        ("mine", float("nan"), "not between"),
    ],
)
def test_wrong_arguments_leave_the_pipeline_as_it_was(pipeline, make_lora, name, weight, match):
    with pytest.raises(InputError, match=match):
        attach(pipeline, make_lora(pipeline), name, weight)
    assert attached(pipeline) == []
    with pytest.raises(InputError, match="No LoRA 'x' is on"):
        set_weights(pipeline, {"x": 1.0})
    with pytest.raises(InputError, match="No LoRA 'x' is on"):
        detach(pipeline, "x")
    with pytest.raises(InputError, match="No LoRA is on"):
        merge(pipeline)
