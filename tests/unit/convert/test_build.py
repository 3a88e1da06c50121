import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lavie.convert.build import MismatchError, load_components, load_published, load_unet
from lavie.convert.published import NETWORKS, UNET_CONFIG
from lavie.convert.sources import Source, find_source
from lavie.errors import CheckpointError
from lavie.models import BaseUNet
from lavie.models.keys import compare_keys
from tests.published import NARROW, make_state_dict, make_vae, write_original_folder

MANIFEST = Path(__file__).parents[2] / "golden" / "data" / "base.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_original_folder(tmp_path_factory.mktemp("original") / "pretrained_models")


@pytest.fixture
def base(folder) -> Source:
    return find_source(folder, NETWORKS["base"])


def with_checkpoint(base: Source, folder: Path, state_dict: dict[str, torch.Tensor]) -> Source:
    torch.save(state_dict, folder / "lavie_base.pt")
    return Source(base.network, folder / "lavie_base.pt", base.stable_diffusion)


@pytest.mark.parametrize(("network", "channels"), [("base", 4), ("long_video", 9)])
def test_published_network_has_the_keys_and_shapes_of_the_manifest(network, channels):
    manifest = json.loads(MANIFEST.read_text())
    found = {
        name: torch.empty(entry["shape"], device="meta") for name, entry in manifest.items()
    } | {"conv_in.weight": torch.empty(320, channels, 3, 3, device="meta")}
    config = UNET_CONFIG | {"in_channels": NETWORKS[network].in_channels}
    with torch.device("meta"):
        unet = BaseUNet.from_config(config)
    report = compare_keys(unet.state_dict(), found)
    assert report.fits, report.lines()
    assert report.num_expected == 830


def test_network_takes_every_published_value(base):
    unet, report = load_unet(base, torch.float32)
    published = make_state_dict()
    assert report.fits
    assert unet.state_dict().keys() == published.keys()
    assert all(torch.equal(value, published[key]) for key, value in unet.state_dict().items())
    assert not any(tensor.is_meta for tensor in [*unet.parameters(), *unet.buffers()])


def test_shared_tensors_are_parted(base):
    unet, _ = load_unet(base, torch.float32)
    addresses = [tensor.data_ptr() for tensor in unet.state_dict().values()]
    assert len(addresses) == len(set(addresses))


def test_half_precision_rounds_every_value(base):
    unet, _ = load_unet(base, torch.float16)
    published = make_state_dict()
    assert all(torch.equal(v, published[k].half()) for k, v in unet.state_dict().items())


def test_old_names_of_the_vae_and_the_text_encoder_are_understood(base):
    components, _ = load_components(base, torch.float32)
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


def test_missing_rotary_frequencies_are_filled_in(base, tmp_path):
    published = make_state_dict()
    without = {key: value for key, value in published.items() if not key.endswith("freqs")}
    unet, report = load_unet(with_checkpoint(base, tmp_path, without), torch.float32)
    assert report.fits
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


@pytest.mark.parametrize(
    ("channels", "is_temporal", "named"),
    [
        (9, True, "SEINE"),
        (8, False, "interpolation network"),
        (7, False, "super-resolution network"),
        (4, False, "Stable Diffusion"),
    ],
)
def test_another_published_network_is_recognised(base, tmp_path, channels, is_temporal, named):
    state_dict = make_state_dict(channels)
    if not is_temporal:
        kept = ("rotary_emb", "time_rel_pos_bias")
        state_dict = {k: v for k, v in state_dict.items() if not any(part in k for part in kept)}
        state_dict["extra"] = torch.zeros(1)
    with pytest.raises(MismatchError, match=f"It looks like .*{named}"):
        load_unet(with_checkpoint(base, tmp_path, state_dict), torch.float32)


def test_long_video_network_makes_no_pipeline_from_text_alone(tmp_path):
    write_original_folder(tmp_path, network="long_video")
    source = find_source(tmp_path, NETWORKS["long_video"])
    with pytest.raises(CheckpointError, match=r"Use lavie_base\.pt"):
        load_published(source)


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
        components, _ = load_components(source, torch.float32)
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
