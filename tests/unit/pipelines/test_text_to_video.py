import logging

import numpy as np
import pytest
import torch

from lavie.errors import Cancelled, InputError
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.types import CancelToken
from tests.tiny import make_tiny_components, make_tiny_pipeline


def test_a_call_without_settings_makes_the_models_own_video(pipeline):
    frames = pipeline("a fox in the snow", num_inference_steps=1).frames
    assert frames.shape == (1, 16, 40, 64, 3)
    assert frames.dtype == np.uint8


@pytest.mark.parametrize("scheduler", ["dpm++", "ddim", "ddpm", "euler", None])
def test_same_seed_gives_the_same_video_alone_or_in_a_batch(pipeline, small, generator, scheduler):
    settings = {**small, "scheduler": scheduler, "output_type": "pt"}
    both = pipeline(["a fox", "a car"], generator=[generator(1), generator(2)], **settings).frames
    alone = pipeline("a car", generator=generator(2), **settings).frames
    assert torch.allclose(both[1:], alone, atol=1e-4)
    assert not torch.allclose(both[:1], alone, atol=1e-2)


def test_same_seed_gives_exactly_the_same_video_again(pipeline, small, generator):
    first, second = (pipeline("a fox", generator=generator(3), **small).frames for _ in range(2))
    assert np.array_equal(first, second)


def test_frames_are_the_rounded_pixels_of_the_decoded_latents(pipeline, small, generator):
    def make(output_type):
        return pipeline("a fox", generator=generator(0), output_type=output_type, **small).frames

    assert make("latent").shape == (1, 8, 2, 4, 8)
    pixels = make("pt")
    assert pixels.shape == (1, 3, 2, 16, 32)
    expected = ((pixels / 2 + 0.5) * 255 + 0.5).clamp(0, 255).byte().permute(0, 2, 3, 4, 1)
    assert np.array_equal(make("frames"), expected.numpy())


def test_decoding_in_slices_changes_nothing_but_roundings(pipeline, small, generator):
    def make(size):
        frames = pipeline("a", generator=generator(0), decode_slice_size=size, **small).frames
        return frames.astype(int)

    assert np.abs(make(1) - make(8)).max() <= 1


def test_guidance_up_to_1_leaves_the_negative_prompt_out(pipeline, small, generator):
    def make(scale, negative):
        return pipeline(
            "a fox",
            negative_prompt=negative,
            guidance_scale=scale,
            generator=generator(0),
            output_type="latent",
            **small,
        ).frames

    assert torch.equal(make(1.0, ""), make(1.0, "a car"))
    assert not torch.equal(make(3.0, ""), make(3.0, "a car"))


def test_no_negative_prompt_is_an_empty_one(pipeline, small, generator):
    none, empty = (
        pipeline("a fox", negative_prompt=text, generator=generator(0), **small).frames
        for text in (None, "")
    )
    assert np.array_equal(none, empty)


def test_guidance_extrapolates_from_unconditional_to_conditional(pipeline):
    sample, timestep = torch.randn(1, 8, 2, 4, 4), torch.tensor(500)
    embeds = pipeline.encode_prompt(["", "a fox"])
    with torch.no_grad():
        each = [
            pipeline.unet(sample, timestep, encoder_hidden_states=row[None]).sample
            for row in embeds
        ]
        guided = pipeline._predict(pipeline.unet, sample, timestep, embeds, guidance_scale=4.0)
    assert torch.allclose(guided, each[0] + 4 * (each[1] - each[0]), atol=1e-5)


def test_equal_texts_are_encoded_alike_and_in_order(pipeline):
    embeds = pipeline.encode_prompt(["", "a fox", ""])
    assert embeds.shape == (3, 16, 32)
    assert torch.equal(embeds[0], embeds[2])
    assert not torch.equal(embeds[0], embeds[1])


def test_text_length_follows_the_tokenizer():
    components = make_tiny_components(model_max_length=77)
    assert TextToVideoPipeline(**components).encode_prompt(["a fox"]).shape == (1, 77, 32)


def test_words_that_do_not_fit_are_named(pipeline, caplog):
    caplog.set_level(logging.WARNING)
    pipeline.encode_prompt(["a fox " * 7 + "under the snow"])
    assert "the end of the prompt was cut off: 'under the snow'" in caplog.text


def test_callback_hears_every_step_and_may_replace_latents(pipeline, small, generator):
    heard = []

    def callback(_, step, timestep, tensors):
        heard.append((step, int(timestep), sorted(tensors)))
        return {"latents": torch.zeros_like(tensors["latents"])}

    latents = pipeline(
        "a fox",
        generator=generator(0),
        callback_on_step_end=callback,
        callback_on_step_end_tensor_inputs=["latents", "predicted_clean_latents"],
        output_type="latent",
        **small,
    ).frames
    assert heard == [
        (0, 999, ["latents", "predicted_clean_latents"]),
        (1, 499, ["latents", "predicted_clean_latents"]),
    ]
    assert not latents.any()


def test_last_predicted_clean_latents_are_the_result(pipeline, small, generator):
    seen = {}
    latents = pipeline(
        "a fox",
        generator=generator(0),
        scheduler="dpm++",
        callback_on_step_end=lambda *arguments: seen.update(arguments[-1]),
        callback_on_step_end_tensor_inputs=["predicted_clean_latents"],
        output_type="latent",
        **small,
    ).frames
    assert torch.allclose(seen["predicted_clean_latents"], latents, atol=1e-4)


def test_cancelling_stops_before_the_next_step(pipeline, small):
    cancel, steps = CancelToken(), []

    def callback(_, step, *rest):
        steps.append(step)
        cancel.cancel()

    with pytest.raises(Cancelled):
        pipeline("a fox", callback_on_step_end=callback, cancel=cancel, **small)
    assert steps == [0]


def test_preview_is_the_linear_map_of_the_latents(pipeline):
    latents = torch.zeros(1, 8, 2, 4, 8)
    frames = pipeline.preview(latents)
    assert frames.shape == (1, 2, 4, 8, 3)
    assert frames[0, 0, 0, 0].tolist() == [128, 140, 153]  # the bias 0.0, 0.1, 0.2


def test_no_preview_without_a_map():
    pipeline = TextToVideoPipeline(**make_tiny_components())
    with pytest.raises(InputError, match="latent_rgb_factors"):
        pipeline.preview(torch.zeros(1, 8, 1, 4, 4))


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": None, "prompt_embeds": torch.zeros(16, 32)}, "prompt_embeds"),
        ({"prompt": None, "prompt_embeds": torch.zeros(1, 16, 5)}, "prompt_embeds"),
        ({"negative_prompt_embeds": torch.zeros(2, 16, 32)}, "negative_prompt_embeds"),
        ({"negative_prompt_embeds": torch.zeros(1, 9, 32)}, "negative_prompt_embeds"),
        ({"decode_slice_size": 0}, "decode_slice_size"),
        ({"prompt": ["a", "b"], "negative_prompt": ["x", "y", "z"]}, "negative_prompt"),
        ({"height": 41}, "height"),
        ({"guidance_scale": float("nan")}, "guidance_scale"),
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"scheduler": "plms"}, "scheduler"),
        ({"output_type": "gif"}, "output_type"),
        ({"prompt": ["a", "b"], "generator": torch.Generator()}, "generator"),
        ({"latents": torch.zeros(1, 4, 16, 10, 16)}, "latents"),
        (
            {"callback_on_step_end_tensor_inputs": ["noise"]},
            "callback_on_step_end_tensor_inputs",
        ),
    ],
)
def test_a_wrong_argument_is_refused_with_its_field(pipeline, arguments, field):
    with pytest.raises(InputError) as caught:
        pipeline(**{"prompt": "a fox", **arguments})
    assert caught.value.field == field


def test_lora_of_peft_loads_scales_and_unloads(small, generator, tmp_path):
    from peft import LoraConfig, get_peft_model_state_dict

    def make():
        return pipeline("a fox", generator=generator(0), output_type="latent", **small).frames

    pipeline = make_tiny_pipeline()
    before = make()
    pipeline.unet.add_adapter(
        LoraConfig(
            r=2,
            lora_alpha=2,
            target_modules=["attn1.to_q", "attn1.to_v"],
            init_lora_weights=False,
        )
    )
    with_adapter = make()
    TextToVideoPipeline.save_lora_weights(tmp_path, get_peft_model_state_dict(pipeline.unet))
    pipeline.unload_lora_weights()
    assert torch.equal(make(), before)
    pipeline.load_lora_weights(tmp_path, adapter_name="style")
    assert torch.allclose(make(), with_adapter, atol=1e-5)
    pipeline.set_adapters("style", 0.0)
    assert torch.allclose(make(), before, atol=1e-5)


def test_offloading_hooks_change_nothing(small, generator):
    pipeline = make_tiny_pipeline()
    before = pipeline("a fox", generator=generator(0), **small).frames
    pipeline.enable_model_cpu_offload(device="cpu")  # the hooks, without an accelerator
    for _ in range(2):  # hooks are put on again after a call
        assert np.array_equal(pipeline("a fox", generator=generator(0), **small).frames, before)


def test_a_half_precision_folder_loads_in_float32_unless_said_otherwise(tmp_path):
    pipeline = make_tiny_pipeline()
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        part.half()
    pipeline.save_pretrained(tmp_path)
    loaded = TextToVideoPipeline.from_pretrained(tmp_path)
    assert {p.dtype for p in (loaded.vae, loaded.text_encoder, loaded.unet)} == {torch.float32}
    half = TextToVideoPipeline.from_pretrained(tmp_path, dtype=torch.float16)
    assert {p.dtype for p in (half.vae, half.text_encoder, half.unet)} == {torch.float16}
