import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lavie import models
from lavie.convert.build import (
    MismatchError,
    check_loadable,
    load_components,
    load_published,
    load_unet,
)
from lavie.convert.published import NETWORKS
from lavie.convert.resolve import load_stage
from lavie.convert.sources import Source, find_source
from lavie.convert.stages import find_stages
from lavie.errors import CheckpointError
from lavie.models.keys import compare_keys
from lavie.pipelines.long_video import LongVideoPipeline
from lavie.pipelines.schedulers import scheduler_name
from tests.golden.goldens import read_manifest
from tests.published import NARROW, make_state_dict, make_vae, write_original_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_original_folder(tmp_path_factory.mktemp("original") / "pretrained_models")


@pytest.fixture(scope="module")
def home(folder, tmp_path_factory) -> Path:
    """All three checkpoints beside both Stable Diffusions."""
    home = shutil.copytree(folder, tmp_path_factory.mktemp("three") / "pretrained_models")
    write_original_folder(home, network="interpolation")
    return write_original_folder(home, network="super_resolution")


@pytest.fixture
def base(folder) -> Source:
    return find_source(folder, NETWORKS["base"])


def with_checkpoint(base: Source, folder: Path, state_dict: dict[str, torch.Tensor]) -> Source:
    torch.save(state_dict, folder / "lavie_base.pt")
    return Source(base.network, folder / "lavie_base.pt", base.stable_diffusion)


@pytest.mark.parametrize(
    ("network", "manifest", "changed", "num_keys"),
    [
        ("base", "base", {}, 830),
        ("interpolation", "interpolation", {}, 798),
        ("super_resolution", "vsr", {}, 1158),
        ("long_video", "base", {"conv_in.weight": [320, 9, 3, 3]}, 830),
    ],
)
def test_published_network_has_the_keys_and_shapes_of_the_manifest(
    network, manifest, changed, num_keys
):
    shapes = read_manifest(manifest) | changed
    found = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    published = NETWORKS[network]
    with torch.device("meta"):
        unet = getattr(models, published.unet).from_config(published.unet_config)
    report = compare_keys(unet.state_dict(), found)
    assert report.fits, report.lines()
    assert report.num_expected == num_keys


def test_network_takes_every_published_value(base):
    unet = load_unet(base, torch.float32)
    published = make_state_dict()
    assert unet.state_dict().keys() == published.keys()
    assert all(torch.equal(value, published[key]) for key, value in unet.state_dict().items())
    assert not any(tensor.is_meta for tensor in [*unet.parameters(), *unet.buffers()])


def test_shared_tensors_are_parted(base):
    unet = load_unet(base, torch.float32)
    addresses = [tensor.data_ptr() for tensor in unet.state_dict().values()]
    assert len(addresses) == len(set(addresses))


def test_half_precision_rounds_every_value(base):
    unet = load_unet(base, torch.float16)
    published = make_state_dict()
    assert all(torch.equal(v, published[k].half()) for k, v in unet.state_dict().items())


def test_old_names_of_the_vae_and_the_text_encoder_are_understood(base):
    components = load_components(base, torch.float32)
    expected = make_vae().state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in components["vae"].state_dict().items())
    assert components["text_encoder"].config.hidden_size == NARROW["cross_attention_dim"]


def test_pipeline_has_the_defaults_of_the_release(base):
    pipeline = load_published(base)
    config = pipeline.config
    assert (config.default_height, config.default_width) == (320, 512)
    assert (config.default_num_frames, config.default_fps) == (16, 8)
    assert (config.default_num_inference_steps, config.default_guidance_scale) == (50, 7.5)
    alphas = pipeline.scheduler.alphas_cumprod
    torch.testing.assert_close(alphas[[0, -1]], torch.tensor([0.9999, 4.0358e-5]))
    assert pipeline.scheduler.config["prediction_type"] == "epsilon"


class TestLaterStages:
    @pytest.mark.parametrize("network", ["interpolation", "super_resolution"])
    def test_network_takes_every_published_value(self, home, network):
        unet = load_unet(find_source(home, NETWORKS[network]), torch.float32)
        published = make_state_dict(network)
        assert unet.state_dict().keys() == published.keys()
        assert all(torch.equal(v, published[k]) for k, v in unet.state_dict().items())

    def test_interpolation_has_the_defaults_of_the_release(self, home):
        pipeline = load_published(find_source(home, NETWORKS["interpolation"]))
        config = pipeline.config
        assert (config.default_num_inference_steps, config.default_guidance_scale) == (50, 4.0)
        assert (config.default_num_frames, config.prompt_suffix) == (16, ", 4k.")
        alphas = pipeline.scheduler.alphas_cumprod
        torch.testing.assert_close(alphas[[0, -1]], torch.tensor([0.9999, 4.0358e-5]))
        assert pipeline.scheduler.config["prediction_type"] == "epsilon"

    def test_super_resolution_has_the_defaults_of_the_release(self, home):
        pipeline = load_published(find_source(home, NETWORKS["super_resolution"]))
        config = pipeline.config
        assert (config.default_num_inference_steps, config.default_guidance_scale) == (50, 5.0)
        assert (config.default_num_frames, config.default_noise_level) == (8, 50)
        assert config.default_negative_prompt == "blur, worst quality"

    def test_super_resolution_has_two_noise_schedules(self, home):
        pipeline = load_published(find_source(home, NETWORKS["super_resolution"]))
        alphas = pipeline.scheduler.alphas_cumprod
        torch.testing.assert_close(alphas[[0, -1]], torch.tensor([0.9999, 4.0358e-5]))
        assert pipeline.scheduler.config["prediction_type"] == "v_prediction"
        low_res = pipeline.low_res_scheduler.alphas_cumprod[50]
        torch.testing.assert_close(low_res, torch.tensor(0.9908438))

    def test_super_resolution_has_the_upscalers_vae(self, home):
        pipeline = load_published(find_source(home, NETWORKS["super_resolution"]))
        assert pipeline.vae_scale_factor == 4
        assert pipeline.vae.config["scaling_factor"] == 0.08333
        expected = make_vae(factor=4).state_dict()
        assert all(torch.equal(v, expected[k]) for k, v in pipeline.vae.state_dict().items())

    def test_the_vae_of_the_other_stable_diffusion_is_refused(self, home, tmp_path):
        home = shutil.copytree(home, tmp_path / "home")
        vae = home / "stable-diffusion-x4-upscaler" / "vae"
        shutil.rmtree(vae)
        shutil.copytree(home / "stable-diffusion-v1-4" / "vae", vae)
        with pytest.raises(CheckpointError, match=r"VAE's factor .* has size 8, but 4 is needed"):
            load_stage(home, "super_resolution")

    def test_a_missing_vae_is_named_with_where_to_get_it(self, home, tmp_path):
        home = shutil.copytree(home, tmp_path / "home")
        vae = home / "stable-diffusion-x4-upscaler" / "vae"
        next(vae.glob("*.bin")).unlink()
        with pytest.raises(CheckpointError, match=r"x4-upscaler/vae cannot be loaded"):
            load_stage(home, "super_resolution")
        shutil.rmtree(vae)
        with pytest.raises(CheckpointError, match="of stabilityai/stable-diffusion-x4-upscaler"):
            load_stage(home, "super_resolution")

    def test_the_folder_has_all_stages_and_interpolation_shares_the_bases_parts(self, home):
        assert find_stages(home) == ("base", "interpolation", "super_resolution")
        base = load_stage(home, "base")
        interpolation = load_stage(home, "interpolation", shared=base.components)
        assert all(
            getattr(interpolation, part) is getattr(base, part)
            for part in ("vae", "text_encoder", "tokenizer")
        )
        upscaler = load_stage(home, "super_resolution", shared=base.components)
        assert upscaler.vae is not base.vae
        assert upscaler.tokenizer is not base.tokenizer

    def test_a_stage_without_its_checkpoint_is_named(self, folder):
        assert find_stages(folder) == ("base",)
        with pytest.raises(CheckpointError, match="has no stage 'interpolation'"):
            load_stage(folder, "interpolation")


def test_missing_rotary_frequencies_are_filled_in(base, tmp_path):
    published = make_state_dict()
    without = {key: value for key, value in published.items() if not key.endswith("freqs")}
    unet = load_unet(with_checkpoint(base, tmp_path, without), torch.float32)
    for key, value in unet.state_dict().items():
        torch.testing.assert_close(value, published[key])


def test_missing_and_extra_keys_are_reported(base, tmp_path):
    state_dict = make_state_dict()
    state_dict["conv_out.weigth"] = state_dict.pop("conv_out.weight")
    state_dict["conv_in.bias"] = torch.zeros(7)
    with pytest.raises(MismatchError) as caught:
        load_unet(with_checkpoint(base, tmp_path, state_dict), torch.float32)
    report = caught.value.report
    assert report.missing == ("conv_out.weight",)
    assert report.unexpected == (("conv_out.weigth", "conv_out.weight"),)
    assert report.wrong_shape == (("conv_in.bias", (32,), (7,)),)
    assert "\n" not in str(caught.value)


def image_network(network: str) -> dict[str, torch.Tensor]:
    return {key: value for key, value in make_state_dict(network).items() if "temp" not in key}


@pytest.mark.parametrize(
    ("expected", "make", "named"),
    [
        ("base", lambda: make_state_dict("long_video"), "SEINE"),
        ("base", lambda: make_state_dict("interpolation"), "interpolation network"),
        ("base", lambda: make_state_dict("super_resolution"), "super-resolution network"),
        ("base", lambda: image_network("base"), "Stable Diffusion"),
        ("interpolation", lambda: make_state_dict("base"), "base network"),
        ("super_resolution", lambda: make_state_dict("interpolation"), "interpolation network"),
        ("super_resolution", lambda: image_network("super_resolution"), "x4 upscaler"),
    ],
)
def test_another_published_network_is_recognised(folder, tmp_path, expected, make, named):
    source = find_source(
        write_original_folder(tmp_path / "models", make(), network=expected), NETWORKS[expected]
    )
    with pytest.raises(MismatchError, match=f"It looks like .*{named}"):
        load_unet(source, torch.float32)


def test_a_network_is_not_said_to_look_like_itself(tmp_path):
    for name in ("base", "interpolation", "super_resolution"):
        state_dict = make_state_dict(name) | {"extra": torch.zeros(1)}
        folder = write_original_folder(tmp_path / name, state_dict, name)
        with pytest.raises(MismatchError, match="as 'extra'") as caught:
            load_unet(find_source(folder, NETWORKS[name]), torch.float32)
        assert "looks like" not in str(caught.value)


def test_long_video_network_becomes_the_pipeline_that_goes_on_from_frames(tmp_path):
    write_original_folder(tmp_path, network="long_video")
    pipeline = load_published(find_source(tmp_path, NETWORKS["long_video"]))
    assert isinstance(pipeline, LongVideoPipeline)
    assert pipeline.config.prompt_suffix == ", slow motion."
    assert scheduler_name(pipeline.scheduler) == "ddpm"
    with pytest.raises(CheckpointError, match=r"Use lavie_base\.pt"):
        check_loadable(NETWORKS["long_video"])


def test_values_beyond_half_precision_are_refused(base, tmp_path):
    state_dict = make_state_dict()
    state_dict["conv_out.bias"][0] = 1e6
    source = with_checkpoint(base, tmp_path, state_dict)
    with pytest.raises(CheckpointError, match=r"conv_out\.bias has values up to 1e\+06"):
        load_unet(source, torch.float16)
    load_unet(source, torch.float32)


def test_undefined_values_are_refused(base, tmp_path):
    state_dict = make_state_dict()
    state_dict["conv_out.bias"][0] = torch.nan
    with pytest.raises(CheckpointError, match="undefined values"):
        load_unet(with_checkpoint(base, tmp_path, state_dict), torch.float32)


def test_whole_numbers_are_no_weights(base, tmp_path):
    state_dict = make_state_dict()
    state_dict["conv_out.bias"] = state_dict["conv_out.bias"].long()
    with pytest.raises(CheckpointError, match=r"conv_out\.bias holds torch\.int64"):
        load_unet(with_checkpoint(base, tmp_path, state_dict), torch.float32)


def test_huge_shapes_are_refused_before_they_take_memory(base, tmp_path):
    state_dict = make_state_dict()
    state_dict["conv_in.weight"] = torch.zeros(1).expand(10**6, 10**6)
    with pytest.raises(MismatchError, match="of another shape"):
        load_unet(with_checkpoint(base, tmp_path, state_dict), torch.float32)


class TestStableDiffusionParts:
    @pytest.fixture
    def source(self, tmp_path) -> Source:
        return find_source(write_original_folder(tmp_path), NETWORKS["base"])

    def test_safetensors_are_preferred(self, source):
        vae = source.stable_diffusion / "vae"
        save_file(make_vae(seed=1).state_dict(), vae / "diffusion_pytorch_model.safetensors")
        (vae / "diffusion_pytorch_model.bin").write_bytes(b"broken")
        components = load_components(source, torch.float32)
        expected = make_vae(seed=1).state_dict()
        assert all(torch.equal(v, expected[k]) for k, v in components["vae"].state_dict().items())

    def test_code_in_a_part_does_not_run(self, source, tmp_path):
        class RunsCode:
            def __reduce__(self):
                return Path.touch, (tmp_path / "code-has-run",)

        torch.save({"x": RunsCode()}, source.stable_diffusion / "vae/diffusion_pytorch_model.bin")
        with pytest.raises(CheckpointError, match="could run code"):
            load_components(source, torch.float32)
        assert not (tmp_path / "code-has-run").exists()

    @pytest.mark.parametrize("part", ["vae", "text_encoder"])
    def test_missing_tensors_are_refused(self, source, part):
        path = next((source.stable_diffusion / part).glob("*.bin"))
        weights = torch.load(path, weights_only=True)
        weights.pop(next(key for key in weights if "layer_norm" in key or "conv_out" in key))
        torch.save(weights, path)
        with pytest.raises(CheckpointError, match=f"{part} lacks 1 of its tensors"):
            load_components(source, torch.float32)

    @pytest.mark.parametrize("part", ["vae", "text_encoder"])
    def test_absent_weights_are_refused(self, source, part):
        next((source.stable_diffusion / part).glob("*.bin")).unlink()
        with pytest.raises(CheckpointError, match=f"{part} cannot be loaded"):
            load_components(source, torch.float32)

    def test_broken_tokenizer_is_refused(self, source):
        (source.stable_diffusion / "tokenizer" / "vocab.json").write_text("{")
        with pytest.raises(CheckpointError, match="tokenizer cannot be loaded"):
            load_components(source, torch.float32)

    def test_broken_config_is_refused(self, source):
        (source.stable_diffusion / "unet" / "config.json").write_text("[1, 2]")
        with pytest.raises(CheckpointError, match=r"config\.json is not the config"):
            load_components(source, torch.float32)
