"""What users of the base network rely on besides its numbers."""

import re
from collections.abc import Callable

import pytest
import torch
from accelerate import cpu_offload
from peft import LoraConfig
from torch import Tensor

from lavie.errors import CheckpointError, ConfigError, InputError, MissingDependencyError
from lavie.models import BaseUNet
from lavie.models.attention import FrameAttention

PUBLISHED = {
    "act_fn": "silu",
    "attention_head_dim": 1,
    "block_out_channels": [32, 32],
    "center_input_sample": False,
    "cross_attention_dim": 8,
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 1,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 8,
    "out_channels": 4,
    "sample_size": 64,
    "down_block_types": ["CrossAttnDownBlock3D", "DownBlock3D"],
    "up_block_types": ["UpBlock3D", "CrossAttnUpBlock3D"],
    "use_first_frame": False,
}


def make_unet(**changes) -> BaseUNet:
    torch.manual_seed(0)
    unet = BaseUNet.from_config(PUBLISHED | changes)
    for name, parameter in unet.named_parameters():
        if "attn_temp.to_out" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return unet


def make_inputs(frames: int = 3) -> dict[str, Tensor | int]:
    torch.manual_seed(1)
    sample, text = torch.randn(2, 4, frames, 5, 6), torch.randn(2, 3, 8)
    return {"sample": sample, "timestep": 7, "encoder_hidden_states": text}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_relative_position": True}, "use_relative_position True is not supported"),
        ({"act_fn": "gelu"}, "act_fn 'gelu' is not supported by BaseUNet: it is 'silu'"),
        ({"use_first_frame": True}, "use_first_frame True is not supported"),
        ({"in_chanels": 4}, "no option in_chanels. Did you mean in_channels?"),
        ({"zebra": 4}, "no option zebra. Remove it."),
        ({"down_block_types": ["CrossAttnDownBlock3D"]}, "names 1 blocks"),
        (
            {"down_block_types": ["CrossAttnDownBlock2D", "DownBlock3D"]},
            "choose 'CrossAttnDownBlock3D' or",
        ),
        ({"block_out_channels": []}, "block_out_channels is empty"),
        ({"block_out_channels": 32}, "block_out_channels 32 must be a list"),
        ({"down_block_types": None}, "down_block_types None must be a list"),
        ({"attention_head_dim": None}, "attention_head_dim None must be a whole number"),
        ({"attention_head_dim": [1]}, "attention_head_dim has 1 values for 2 levels"),
        ({"attention_head_dim": 2}, "heads of at least 32; use 1 or"),
        ({"norm_num_groups": 7}, "32 is not a multiple of norm_num_groups 7"),
        ({"layers_per_block": 0}, "layers_per_block 0 must be a whole number"),
        ({"in_channels": "4"}, "in_channels '4' must be a whole number"),
        ({"resnet_time_scale_shift": "shift"}, "choose 'default' or 'scale_shift'"),
    ],
)
def test_config_that_cannot_be_built_is_refused_with_a_sentence(changes: dict, message: str):
    with pytest.raises(ConfigError, match=re.escape(message)):
        BaseUNet.from_config(PUBLISHED | changes)


def test_config_can_be_overridden_and_typos_in_that_are_refused():
    assert BaseUNet.from_config(PUBLISHED, in_channels=9).config["in_channels"] == 9
    with pytest.raises(ConfigError, match="Did you mean in_channels"):
        BaseUNet.from_config(PUBLISHED, in_channel=9)


def test_heads_can_differ_between_levels():
    unet = make_unet(block_out_channels=[32, 64], attention_head_dim=[1, 2])
    heads = {name: m.heads for name, m in unet.named_modules() if isinstance(m, FrameAttention)}
    assert {count for name, count in heads.items() if name.startswith("mid_block")} == {2}
    assert {count for name, count in heads.items() if name.startswith("down_blocks.0")} == {1}


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_any_number_of_levels(levels: int):
    unet = make_unet(
        block_out_channels=[32] * levels,
        down_block_types=["CrossAttnDownBlock3D"] * levels,
        up_block_types=["CrossAttnUpBlock3D"] * levels,
        in_channels=8,
        out_channels=6,
    )
    output = unet(torch.randn(1, 8, 2, 9, 11), 1, torch.randn(1, 3, 8)).sample
    assert output.shape == (1, 6, 2, 9, 11)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample": torch.zeros(2, 5, 3, 5, 6)}, "have 5 channels; this model takes 4"),
        ({"num_images": 4}, "num_images 4 must lie between 0 and 3 frames"),
        ({"sample": torch.zeros(2, 4, 5, 6)}, r"should be \(B, C, F, h, w\)"),
        ({"timestep": torch.zeros(3)}, "3 timesteps for 2 samples"),
        ({"encoder_hidden_states": torch.zeros(3, 3, 8)}, r"should be \(2, L, 8\)"),
        ({"encoder_hidden_states": torch.zeros(2, 3, 9)}, r"should be \(2, L, 8\)"),
        ({"encoder_hidden_states": torch.zeros(2, 8)}, r"should be \(2, L, 8\)"),
        ({"num_images": 1}, "1 prompts per sample; 3 frames with 1 independent images need 2"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_with_a_sentence(changes: dict, message: str):
    with pytest.raises(InputError, match=message):
        make_unet()(**make_inputs() | changes)


def test_images_alone_may_keep_a_place_for_the_text_of_a_video():
    unet, inputs = make_unet().eval(), make_inputs(frames=2)
    texts = torch.randn(2, 3, 3, 8)
    with torch.no_grad():
        kept = unet(**inputs | {"encoder_hidden_states": texts}, num_images=2).sample
        left_out = unet(**inputs | {"encoder_hidden_states": texts[:, 1:]}, num_images=2).sample
    assert torch.equal(kept, left_out)


def test_output_as_tuple():
    unet = make_unet()
    assert torch.equal(unet(**make_inputs(), return_dict=False)[0], unet(**make_inputs()).sample)


def gradients(unet: BaseUNet) -> dict[str, Tensor]:
    unet.zero_grad()
    unet(**make_inputs()).sample.square().mean().backward()
    return {name: p.grad.clone() for name, p in unet.named_parameters() if p.grad is not None}


def test_gradient_checkpointing_gives_the_same_gradients():
    unet = make_unet().train()
    expected = gradients(unet)
    assert len(expected) == len(list(unet.parameters()))
    unet.enable_gradient_checkpointing()
    assert unet.is_gradient_checkpointing
    result = gradients(unet)
    for name, gradient in expected.items():
        torch.testing.assert_close(result[name], gradient, msg=name)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch._dynamo
def test_repeated_block_compiles_as_one_graph():
    only_the_middle_attends = {
        "down_block_types": ["DownBlock3D"] * 2,
        "up_block_types": ["UpBlock3D"] * 2,
    }
    unet = make_unet(**only_the_middle_attends)
    expected = gradients(unet)
    torch._dynamo.reset()
    unet.compile_repeated_blocks(fullgraph=True, backend="aot_eager")
    for name, gradient in gradients(unet).items():
        torch.testing.assert_close(gradient, expected[name], msg=name)


def test_xformers_says_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    unet = make_unet()
    monkeypatch.setattr("lavie.models.video_model.is_xformers_available", lambda: False)
    for switch_on in (
        lambda: unet.set_attention_backend("xformers"),
        unet.enable_xformers_memory_efficient_attention,
    ):
        with pytest.raises(MissingDependencyError, match=r"requirements-gpu\.txt"):
            switch_on()
    monkeypatch.setattr("lavie.models.video_model.is_xformers_available", lambda: True)
    with pytest.raises(ConfigError, match="needs an NVIDIA GPU, but the model is on cpu"):
        unet.set_attention_backend("xformers")


def test_attention_backend_reaches_every_frame_attention():
    unet = make_unet()
    expected = unet(**make_inputs()).sample
    try:
        unet.set_attention_backend("_native_math")
        backends = {
            m.processor._attention_backend.value
            for m in unet.modules()
            if isinstance(m, FrameAttention)
        }
        assert backends == {"_native_math"}
        torch.testing.assert_close(unet(**make_inputs()).sample, expected)
    finally:
        unet.reset_attention_backend()
    with pytest.raises(ConfigError, match="zebra"):
        unet.set_attention_backend("zebra")


def test_lora_adapter_attaches_to_spatial_attention_as_a_no_op():
    unet = make_unet().requires_grad_(False)
    expected = unet(**make_inputs()).sample
    spatial = r".*\.attn[12]\.(to_q|to_k|to_v|to_out\.0)"
    unet.add_adapter(LoraConfig(r=2, target_modules=spatial))
    adapted = {name for name, _ in unet.named_parameters() if "lora_A" in name}
    assert len(adapted) == 4 * sum(isinstance(m, FrameAttention) for m in unet.modules())
    torch.testing.assert_close(unet(**make_inputs()).sample, expected, rtol=0, atol=2e-6)


def test_weights_can_wait_elsewhere_until_they_are_needed():
    unet = make_unet().eval()
    with torch.no_grad():
        expected = unet(**make_inputs()).sample
        cpu_offload(unet, execution_device=torch.device("cpu"))
        assert next(unet.parameters()).is_meta
        assert torch.equal(unet(**make_inputs()).sample, expected)


def test_layerwise_casting_keeps_norms_and_embeddings_fine():
    unet = make_unet().eval()
    with torch.no_grad():
        expected = unet(**make_inputs()).sample
        unet.enable_layerwise_casting(torch.float8_e4m3fn, torch.float32)
        assert unet.time_embedding.linear_1.weight.dtype == torch.float32
        assert unet.mid_block.resnets[0].norm1.weight.dtype == torch.float32
        assert unet.mid_block.resnets[0].conv1.weight.dtype == torch.float8_e4m3fn
        torch.testing.assert_close(unet(**make_inputs()).sample, expected, rtol=0, atol=0.2)


@pytest.mark.parametrize("convert", [BaseUNet.half, BaseUNet.bfloat16])
def test_half_precision_stays_near(convert: Callable[[BaseUNet], BaseUNet]):
    unet = make_unet().eval()
    inputs = make_inputs(frames=16)
    with torch.no_grad():
        expected = unet(**inputs).sample
        convert(unet)
        cast = {k: v.to(unet.dtype) if isinstance(v, Tensor) else v for k, v in inputs.items()}
        result = unet(**cast).sample
    assert result.dtype == unet.dtype
    torch.testing.assert_close(result.float(), expected, rtol=0, atol=0.05)


def test_image_weights_leave_fresh_temporal_layers():
    image_model, unet = make_unet(), BaseUNet.from_config(PUBLISHED)
    image_weights = {
        key: value
        for key, value in image_model.state_dict().items()
        if not BaseUNet.is_temporal(key)
    }
    unet.load_image_weights(image_weights)
    inputs = make_inputs(frames=1)
    text = inputs.pop("encoder_hidden_states")[:, None]
    expected = image_model(**inputs, encoder_hidden_states=text, num_images=1).sample
    assert torch.equal(unet(**inputs, encoder_hidden_states=text, num_images=1).sample, expected)
    torch.testing.assert_close(
        unet(**inputs, encoder_hidden_states=text[:, 0]).sample, expected, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("conv_in.weight", None, "1 missing (as 'conv_in.weight')"),
        ("zebra.weight", torch.zeros(1), "1 unexpected (as 'zebra.weight')"),
        ("conv_in.weight", torch.zeros(1), "1 of another shape (as 'conv_in.weight'"),
    ],
)
def test_image_weights_of_another_architecture_are_refused(key, value, message: str):
    state_dict = make_unet().state_dict()
    if value is None:
        del state_dict[key]
    else:
        state_dict[key] = value
    with pytest.raises(CheckpointError, match=re.escape(message)):
        make_unet().load_image_weights(state_dict)


def test_other_rotary_frequencies_are_refused():
    state_dict = make_unet().state_dict()
    freqs = next(key for key in state_dict if key.endswith("rotary_emb.freqs"))
    with pytest.raises(RuntimeError, match="other rotary frequencies"):
        make_unet().load_state_dict(state_dict | {freqs: state_dict[freqs] * 2})
