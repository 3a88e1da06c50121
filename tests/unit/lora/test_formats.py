import json
from dataclasses import replace
from functools import partial

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.utils.other import get_pattern_key
from safetensors.torch import load_file, save_file

from lavie.errors import CheckpointError, InputError
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lora.alphas import Alphas
from lora.formats import read_lora, write_lora
from lora.header import read_header
from lora.inject import attach, detach
from lora.keys import NETWORKS, key_of_word
from lora.limits import MAX_TENSORS, MAX_VECTORS, MAX_WORDS
from lora.registry import Registry

TARGETS = ["attn1.to_q", "attn2.to_v", "attn1.to_out.0", "proj_in"]


def products(lora):
    return {
        (network, name): layer.product()
        for network in NETWORKS
        for name, layer in lora.layers.get(network, {}).items()
    }


def assert_same(first, second, tolerance=1e-6):
    first_products, second_products = products(first), products(second)
    assert first_products.keys() == second_products.keys()
    for key, product in first_products.items():
        assert torch.allclose(product, second_products[key], atol=tolerance), key
    assert first.embeddings.keys() == second.embeddings.keys()
    for word, vectors in first.embeddings.items():
        assert torch.equal(vectors, second.embeddings[word])


def read(path, pipeline):
    return read_lora(path, pipeline.unet, pipeline.text_encoder)


def adapted(pipeline, **settings):
    """What peft itself makes of a network."""
    config = LoraConfig(r=3, target_modules=TARGETS, init_lora_weights=False, **settings)
    pipeline.unet.add_adapter(config)
    return config, get_peft_model_state_dict(pipeline.unet)


def make(pipeline):
    settings = {"height": 16, "width": 32, "num_frames": 2, "num_inference_steps": 1}
    generator = torch.Generator().manual_seed(0)
    return pipeline("a fox", generator=generator, output_type="latent", **settings).frames


@pytest.mark.parametrize("style", ["kohya", "diffusers"])
@pytest.mark.parametrize("alpha", [1.0, 8.0])
def test_what_is_written_comes_back(pipeline, make_lora, tmp_path, style, alpha):
    parts = ("attention", "projections", "convolutions")
    lora = make_lora(pipeline, alpha=alpha, parts=parts, words=["zog"])
    path = write_lora(lora, tmp_path / "mine.safetensors", style)
    again = read(path, pipeline)
    assert_same(lora, again)
    assert again.metadata["modelspec.title"] == "test"
    assert [p.name for p in tmp_path.iterdir()] == ["mine.safetensors"]


def test_peft_reads_what_is_written_for_it(pipeline, make_lora, tmp_path):
    lora = make_lora(pipeline, alpha=3.0, text=())
    write_lora(lora, tmp_path / "mine", "peft")
    assert_same(lora, read(tmp_path / "mine", pipeline))
    attach(pipeline, lora, "mine")
    expected = make(pipeline)
    detach(pipeline)
    theirs = PeftModel.from_pretrained(pipeline.unet, tmp_path / "mine")
    pipeline.unet = theirs.base_model.model
    assert torch.allclose(make(pipeline), expected, atol=1e-5)


@pytest.mark.parametrize("style", ["kohya", "diffusers"])
def test_diffusers_reads_what_is_written(pipeline, make_lora, tmp_path, style):
    lora = make_lora(pipeline, alpha=3.0, text=())
    attach(pipeline, lora, "mine")
    expected = make(pipeline)
    detach(pipeline)
    path = write_lora(lora, tmp_path / "mine.safetensors", style)
    pipeline.load_lora_weights(path.parent, weight_name=path.name)
    assert torch.allclose(make(pipeline), expected, atol=1e-5)


@pytest.mark.parametrize("settings", [{"lora_alpha": 6}, {"lora_alpha": 2, "use_rslora": True}])
def test_files_of_diffusers_are_read_as_diffusers_means_them(pipeline, tmp_path, settings):
    config, weights = adapted(pipeline, **settings)
    expected = make(pipeline)
    TextToVideoPipeline.save_lora_weights(
        tmp_path, weights, unet_lora_adapter_metadata=config.to_dict()
    )
    pipeline.unload_lora_weights()
    attach(pipeline, read(tmp_path / "pytorch_lora_weights.safetensors", pipeline), "theirs")
    assert torch.allclose(make(pipeline), expected, atol=1e-5)


def test_folders_of_peft_are_read_as_peft_means_them(pipeline, tmp_path):
    names = [n for n, _ in pipeline.unet.named_modules() if n.endswith("attn1.to_q")]
    config = LoraConfig(
        r=2,
        lora_alpha=5,
        target_modules=TARGETS,
        init_lora_weights=False,
        rank_pattern={names[0]: 4},
        alpha_pattern={names[0]: 1},
    )
    unet = pipeline.unet
    theirs = get_peft_model(unet, config)
    theirs.save_pretrained(tmp_path)
    expected = make(pipeline)
    pipeline.unet = theirs.unload()
    attach(pipeline, read(tmp_path, pipeline), "theirs")
    assert torch.allclose(make(pipeline), expected, atol=1e-5)


def test_files_of_kohya_are_read_as_diffusers_converts_to_them(pipeline, tmp_path):
    from diffusers.utils import convert_state_dict_to_kohya

    _, weights = adapted(pipeline, lora_alpha=3)
    expected = make(pipeline)
    pipeline.unload_lora_weights()
    kohya = convert_state_dict_to_kohya({f"unet.{key}": value for key, value in weights.items()})
    kohya = {key.replace("unet.", "lora_unet_", 1): value for key, value in kohya.items()}
    for key in kohya:
        if key.endswith(".alpha"):
            kohya[key] = torch.tensor(3.0)
    save_file(kohya, tmp_path / "kohya.safetensors")
    attach(pipeline, read(tmp_path / "kohya.safetensors", pipeline), "theirs")
    assert torch.allclose(make(pipeline), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_an_alpha_may_be_a_whole_number(pipeline, make_lora, tmp_path, dtype):
    lora = make_lora(pipeline, alpha=3.0)
    path = write_lora(lora, tmp_path / "kohya.safetensors")
    weights = {k: v.to(dtype) if k.endswith(".alpha") else v for k, v in load_file(path).items()}
    save_file(weights, path)
    assert_same(lora, read(path, pipeline))


@pytest.mark.parametrize("key", ["attn1.to_q", "{name}", "^{name}", "down.*attn1.to_q", ".*_q"])
def test_an_alpha_is_that_of_the_first_key_by_which_peft_finds_a_layer(
    pipeline, make_lora, tmp_path, key
):
    lora = make_lora(pipeline, text=())
    folder = write_lora(lora, tmp_path / "mine", "peft")
    name = next(name for name in lora.layers["unet"] if name.endswith("attn1.to_q"))
    alphas = {key.format(name=name): 5, "to_q": 7, "^to_q": 9, "n1.to_q": 11}
    alphas |= {"mid.*.to_k": 13, "^up_blocks.*to_v": 15, "blocks.*to_v": 17}
    settings = {"lora_alpha": 3, "alpha_pattern": alphas}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    layers = read(folder, pipeline).layers["unet"]
    assert layers[name].alpha == 5
    for other, layer in layers.items():
        assert layer.alpha == alphas.get(get_pattern_key(list(alphas), other), 3)


def test_a_wildcard_that_fits_nearly_is_found_not_to_fit_at_once():
    alphas = Alphas(1.0, {".*a" * 40 + "z": 2.0, "^a.*.*aa": 3.0}, False)
    assert alphas.of("a" * 100, 4) == 3.0
    assert alphas.of("aa", 4) == 1.0
    assert alphas.of("b" + "a" * 100, 4) == 1.0


def test_older_names_of_diffusers_and_of_text_encoders_are_known(pipeline, make_lora, tmp_path):
    lora = make_lora(pipeline, alpha=2.0)  # equal to the rank: these files hold no alpha
    tensors = {}
    for name, layer in lora.layers["unet"].items():
        head, _, last = name.replace(".to_out.0", ".to_out").rpartition(".")
        tensors[f"unet.{head}.processor.{last}_lora.down.weight"] = layer.down
        tensors[f"unet.{head}.processor.{last}_lora.up.weight"] = layer.up
    for name, layer in lora.layers["text_encoder"].items():
        key = f"text_encoder.text_model.{name}.lora_linear_layer"
        tensors[f"{key}.down.weight"], tensors[f"{key}.up.weight"] = layer.down, layer.up
    save_file(tensors, tmp_path / "old.safetensors")
    assert_same(lora, read(tmp_path / "old.safetensors", pipeline))


def test_the_oldest_names_of_layers_of_text_encoders_are_known(pipeline, make_lora, tmp_path):
    old = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"}
    lora = make_lora(pipeline, alpha=2.0, text=tuple(old))
    lora = replace(lora, layers={"unet": {}, "text_encoder": lora.layers["text_encoder"]})
    tensors = {}
    for name, layer in lora.layers["text_encoder"].items():
        head, _, last = name.rpartition(".")
        key = f"text_encoder.text_model.{head}.{old[last]}_lora"
        tensors[f"{key}.down.weight"], tensors[f"{key}.up.weight"] = layer.down, layer.up
    save_file(tensors, tmp_path / "old.safetensors")
    assert len(tensors) == 16
    assert_same(lora, read(tmp_path / "old.safetensors", pipeline))


@pytest.mark.parametrize("flat", [True, False])
def test_linear_layers_and_convolutions_of_one_pixel_are_the_same_matrix(
    pipeline, make_lora, tmp_path, flat
):
    lora = make_lora(pipeline, parts=("attention", "projections"))
    tensors = {
        key: tensor.flatten(1) if flat else tensor[..., None, None]
        for key, tensor in load_file(write_lora(lora, tmp_path / "mine.safetensors")).items()
        if flat != (tensor.ndim < 4) and not key.endswith("alpha")
    }
    assert tensors
    path = tmp_path / "other.safetensors"
    save_file(load_file(tmp_path / "mine.safetensors") | tensors, path)
    assert_same(lora, read(path, pipeline))
    attach(pipeline, read(path, pipeline), "mine")
    make(pipeline)


def test_a_lora_can_be_read_while_another_is_on(pipeline, make_lora, tmp_path):
    lora = make_lora(pipeline)
    path = write_lora(lora, tmp_path / "mine.safetensors")
    attach(pipeline, make_lora(pipeline, seed=1), "other")
    assert_same(lora, read(path, pipeline))


@pytest.fixture
def written(pipeline, make_lora, tmp_path):
    lora = make_lora(pipeline, parts=("attention", "convolutions"))
    return load_file(write_lora(lora, tmp_path / "mine.safetensors"))


def renamed(tensors, old, new):
    return {key.replace(old, new): value for key, value in tensors.items()}


def copied(tensors):
    return {key: value.clone() for key, value in tensors.items()}


def over_3x3(tensor):
    return tensor.expand(-1, -1, 3, 3) if tensor.ndim == 4 else tensor


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: renamed(t, "lora_down", "hada_w1_a"), "LoHa"),
        (lambda t: renamed(t, "lora_down", "lokr_w1"), "LoKr"),
        (lambda t: {**t, "lora_unet_x.dora_scale": torch.ones(1)}, "a DoRA"),
        (lambda t: {"lora_unet_x_norm1.w_norm": torch.ones(1)}, "kind Norm"),
        (lambda t: {"lora_unet_x_norm1.b_norm": torch.ones(1)} | t, "kind Norm"),
        (lambda t: renamed(t, "lora_down", "a1"), "GLoRA"),
        (lambda t: renamed(t, "lora_up", "b2"), "GLoRA"),
        (lambda t: renamed(t, "lora_te_", "lora_te2_"), "Stable Diffusion XL"),
        (lambda t: renamed(t, "attn1", "attn_temp"), "layers in time"),
        (lambda t: {"motion_modules.0.lora_A.weight": torch.ones(1, 1)}, "layers in time"),
        (lambda t: {"model.diffusion_model.x": torch.ones(1)}, "a whole model"),
        (lambda t: {"emb_params": torch.ones(1, 4)}, "a textual embedding"),
        (lambda t: {"x": torch.ones(1)}, "no LoRA"),
        (lambda t: {}, "holds no weights"),
        (lambda t: {"transformer.x.lora_A.weight": torch.ones(1, 1)}, "transformers alone"),
        (lambda t: renamed(t, "attn1", "attn9"), "does not have"),
        (lambda t: {k: v for k, v in t.items() if "lora_up" not in k}, "holds half"),
        (lambda t: {k: v.half() * float("nan") for k, v in t.items()}, "not finite"),
        (lambda t: {k: v.int() for k, v in t.items()}, "whole numbers"),
        (lambda t: {k: v.bool() if "alpha" in k else v for k, v in t.items()}, "whole numbers"),
        (lambda t: {**t, "lora_unet_x.bias": torch.ones(1)}, "no part"),
        (lambda t: {**t, "lora_unet_x\n<b>\x1b.bias": torch.ones(1)}, "'lora_unet_x <b> .bias'"),
        (lambda t: {**t, "lora_x" * 5000: torch.ones(1)}, "no part"),
        (lambda t: t | copied(renamed(t, "lora_te_text_model_", "text_encoder.")), "twice"),
        (lambda t: {k: v[:, :1] if "lora_down" in k else v for k, v in t.items()}, "another model"),
        (lambda t: {k: v[:1] if "lora_down" in k else v for k, v in t.items()}, "no LoRA of a"),
        (lambda t: {k: over_3x3(v) if "lora_up" in k else v for k, v in t.items()}, "no LoRA of a"),
    ],
)
def test_other_files_get_a_sentence_that_says_what_they_are(
    pipeline, written, tmp_path, change, match
):
    path = tmp_path / "changed.safetensors"
    save_file({k: v.contiguous() for k, v in change(written).items()}, path)
    with pytest.raises(CheckpointError, match=match):
        read(path, pipeline)


WORDS = {
    "in the way of a second vector": ({"zog": 2, "zog_1": 1}, "both need the token 'zog_1'"),
    "taken for a second vector": ({"zog": 1, "zog_1": 1}, "both need the token 'zog_1'"),
    "blank": ({" ": 1}, "trigger word ''"),
    "empty": ({"": 1}, "trigger word ''"),
    "of two lines": ({"zog\nmip": 1}, "trigger word 'zog mip'"),
    "of two words": ({"zog mip": 1}, "letters, digits"),
    "markup": ({"<b>zog</b>": 1}, "letters, digits"),
    "long": ({"z" * 100_000: 1}, "not too many"),
    "many": ({f"zog{number}": 1 for number in range(3000)}, "has 3000 trigger words"),
    "longer than a prompt": ({"zog": MAX_VECTORS + 1}, "1 to 64 vectors"),
    "of no vector": ({"zog": 0}, "1 to 64 vectors"),
}


@pytest.mark.parametrize("kind", WORDS)
def test_words_that_a_model_could_not_learn_are_refused_wherever_a_file_comes_in(
    pipeline, written, tmp_path, kind
):
    words, match = WORDS[kind]
    width = pipeline.text_encoder.config.hidden_size
    path = tmp_path / "words.safetensors"
    vectors = {key_of_word(word): torch.ones(count, width) for word, count in words.items()}
    save_file(written | vectors, path)
    registry = Registry(tmp_path / "kept")
    for look in (lambda: read(path, pipeline), lambda: registry.import_file(path)):
        with pytest.raises(CheckpointError, match=match) as error:
            look()
        assert is_one_sentence(str(error.value))
    assert registry.list() == []


def is_one_sentence(text):
    return text.isprintable() and len(text) < 600


def test_as_many_words_as_a_file_may_have_are_learnt_and_forgotten(pipeline, written, tmp_path):
    names = ["Zog", "zog-mip", "zog_a", "<zog>", "zog_2", *(f"mip{n}" for n in range(9))]
    width = pipeline.text_encoder.config.hidden_size
    path = tmp_path / "words.safetensors"
    words = {key_of_word(word): torch.randn(2, width) for word in names[:MAX_WORDS]}
    save_file(written | words, path)
    before = pipeline.tokenizer.get_vocab()
    attach(pipeline, read(path, pipeline), "mine")
    assert {"<zog>", "<zog>_1", "zog_2", "zog_2_1"} <= pipeline.tokenizer.get_vocab().keys()
    detach(pipeline)
    assert pipeline.tokenizer.get_vocab() == before


def test_a_wrong_base_is_named(pipeline, written, tmp_path):
    def widen(key, value):
        if "attn2_to_k.lora_down" in key:
            return torch.ones(len(value), 1024)
        return value

    path = tmp_path / "sd2.safetensors"
    save_file({key: widen(key, value) for key, value in written.items()}, path)
    with pytest.raises(CheckpointError, match=r"Stable Diffusion 2\.x"):
        read(path, pipeline)


@pytest.mark.parametrize(
    ("metadata", "base"),
    [
        ({"modelspec.architecture": "stable-diffusion-v2-768-v/lora"}, r"Diffusion 2\.x"),
        ({"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, "Diffusion XL"),
        ({"modelspec.architecture": "stable-diffusion-3-medium/lora"}, "Diffusion 3"),
        ({"modelspec.architecture": "Flux-1-dev/lora"}, "Flux"),
        ({"ss_base_model_version": "sd_v2_v"}, r"Diffusion 2\.x"),
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "Diffusion XL"),
        ({"ss_base_model_version": "sd_v1", "modelspec.architecture": "x" * 10**6}, None),
        ({"modelspec.architecture": "stable-diffusion-v1/lora"}, None),
    ],
)
def test_the_base_that_a_file_names_counts_though_its_shapes_fit(
    pipeline, written, tmp_path, metadata, base
):
    path = tmp_path / "named.safetensors"
    save_file(written, path, metadata)
    for look in (read_header, partial(read, pipeline=pipeline)):
        if base is None:
            look(path)
            continue
        with pytest.raises(CheckpointError, match=f"says that it was made for .*{base}"):
            look(path)


def test_tensors_are_counted_before_their_names_are_looked_at(pipeline, tmp_path):
    path = tmp_path / "many.safetensors"
    save_file({f"{n}.hada_w1": torch.ones(1) for n in range(MAX_TENSORS + 1)}, path)
    for look in (read_header, partial(read, pipeline=pipeline)):
        with pytest.raises(CheckpointError, match=f"holds {MAX_TENSORS + 1} tensors"):
            look(path)


def test_pickles_are_never_opened(pipeline, tmp_path):
    for name in ("a.ckpt", "a.pt", "a.bin"):
        torch.save({"x": torch.ones(1)}, tmp_path / name)
        with pytest.raises(CheckpointError, match="can run code"):
            read(tmp_path / name, pipeline)


def test_files_of_nonsense_get_a_sentence_each(pipeline, written, tmp_path):
    """More than a hundred: cut, flipped, with wrong headers, odd keys and words."""
    whole = tmp_path / "whole.safetensors"
    width = pipeline.text_encoder.config.hidden_size
    save_file(written | {key_of_word("zog"): torch.ones(2, width)}, whole)
    data = whole.read_bytes()
    generator = torch.Generator().manual_seed(0)

    def numbers(count, end):
        return torch.randint(end, (count,), generator=generator).tolist()

    contents = [data[:cut] for cut in (0, 1, 7, 8, 9, 100, *numbers(20, len(data)))]
    contents += [bytes(numbers(size, 256)) for size in (8, 64, 4096) for _ in range(5)]
    header = int.from_bytes(data[:8], "little")
    for place in numbers(80, header + 8):
        contents.append(data[:place] + bytes([data[place] ^ 0x15]) + data[place + 1 :])
    for text in ("{}", "[]", "null", '{"a":1}', '{"__metadata__":3}', "{" * 5000, '{"a":{}}'):
        raw = text.encode()
        contents.append(len(raw).to_bytes(8, "little") + raw)
    contents.append((1 << 62).to_bytes(8, "little") + b"{}")
    contents += [b"<svg onload=alert(1)>", b"PK\x03\x04" + data, b"\x80\x04" + data]
    up = next(key for key in written if "_conv1.lora_up" in key)
    for size in ((3, 3), (1, 2), (0, 1), (3,), (1, 1, 1)):
        large = written[up].reshape(*written[up].shape[:2], *[1] * len(size)).expand(-1, -1, *size)
        contents.append(content_of(written | {up: large.contiguous()}, tmp_path))
    for odd in ("\n", "\r\n\x1b[31m", "\u2028", "<script>", "z" * 300_000, "lora_\n.alpha"):
        for key in (odd, f"lora_unet_{odd}.alpha", key_of_word(odd), f"{odd}.lora_down.weight"):
            contents.append(content_of(written | {key: torch.ones(1, width)}, tmp_path))
    registry = Registry(tmp_path / "kept")
    sentences = []
    for number, content in enumerate(contents):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(content)
        for look in (registry.import_file, partial(put_on_and_take_off, pipeline)):
            try:
                look(path)  # a changed character of a header may do no harm
            except CheckpointError as error:
                sentences.append(str(error))
    assert len(contents) > 130
    assert len(sentences) > 200
    assert all(map(is_one_sentence, sentences))


def put_on_and_take_off(pipeline, path):
    attach(pipeline, read(path, pipeline), "odd")
    detach(pipeline)


def content_of(tensors, folder):
    path = folder / "odd.safetensors"
    save_file(tensors, path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "settings",
    [
        {"alpha_pattern": {"(": 1}},
        {"alpha_pattern": {"(([a-z_.0-9])+)+#": 1}},  # takes for ever as a regular expression
        {"alpha_pattern": {"": 1}},
        {"alpha_pattern": {".*" * 20 + "#": 1}},
        {"alpha_pattern": {f"x{number}": 1 for number in range(MAX_TENSORS + 1)}},
        {"alpha_pattern": {"to_q": 10**400}},
        {"lora_alpha": 10**400},
    ],
)
def test_settings_that_would_stop_the_program_are_refused(pipeline, make_lora, tmp_path, settings):
    lora = make_lora(pipeline, text=())
    folder = write_lora(lora, tmp_path / "mine", "peft")
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match="settings that can't be used"):
        read(folder, pipeline)
    path = write_lora(lora, tmp_path / "mine.safetensors", "diffusers")
    text = json.dumps({f"unet.{key}": value for key, value in settings.items()})
    save_file(load_file(path), path, {"lora_adapter_metadata": text})
    with pytest.raises(CheckpointError, match="describes itself"):
        read(path, pipeline)


def test_settings_that_lie_are_refused(pipeline, make_lora, tmp_path):
    lora = make_lora(pipeline, text=())
    folder = write_lora(lora, tmp_path / "mine", "peft")
    deep = "[" * 200_000
    for text in ("", "[]", '{"lora_alpha": []}', '{"lora_alpha": NaN}', deep):
        (folder / "adapter_config.json").write_text(text)
        with pytest.raises(CheckpointError, match="settings that can't be used"):
            read(folder, pipeline)
    path = write_lora(lora, tmp_path / "mine.safetensors", "diffusers")
    weights = load_file(path)
    for value in (
        "",
        "[]",
        deep,
        json.dumps({"unet.lora_alpha": {}}),
    ):
        save_file(weights, path, {"lora_adapter_metadata": value})
        with pytest.raises(CheckpointError, match="describes itself"):
            read(path, pipeline)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"use_dora": True}, "a DoRA"),
        ({"init_lora_weights": "pissa_niter_16"}, "a LoRA of kind pissa_niter_16"),
        ({"init_lora_weights": "OLoRA"}, "a LoRA of kind olora"),
        ({"init_lora_weights": "corda"}, "a LoRA of kind corda"),
        ({"init_lora_weights": "loftq"}, "a LoRA of kind loftq"),
        ({"init_lora_weights": "gaussian"}, None),
        ({"init_lora_weights": True}, None),
    ],
)
def test_settings_of_what_is_no_plain_lora_are_refused_by_name(
    pipeline, make_lora, tmp_path, settings, what
):
    lora = make_lora(pipeline, text=())
    folder = write_lora(lora, tmp_path / "mine", "peft")
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    path = write_lora(lora, tmp_path / "mine.safetensors", "diffusers")
    text = json.dumps({f"unet.{key}": value for key, value in settings.items()})
    save_file(load_file(path), path, {"lora_adapter_metadata": text})
    for file in (folder, path):
        if what is None:
            read(file, pipeline)
            continue
        with pytest.raises(CheckpointError, match=f"is {what}.*Only plain LoRA"):
            read(file, pipeline)


def test_wrong_names_and_formats_are_refused_before_anything_is_written(
    pipeline, make_lora, tmp_path
):
    lora = make_lora(pipeline)
    with pytest.raises(InputError, match="unknown"):
        write_lora(lora, tmp_path / "a.safetensors", "pickle")
    with pytest.raises(InputError, match="should end"):
        write_lora(lora, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="text encoder too"):
        write_lora(lora, tmp_path / "a", "peft")
    assert list(tmp_path.iterdir()) == []
