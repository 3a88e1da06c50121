import pytest
import torch

from lora.inject import spatial_modules
from lora.weights import Lora, LoraLayer, adaptable_layers
from tests.tiny import make_tiny_pipeline
from tests.unit.lora.personal import draw_pictures, personal_config


@pytest.fixture
def pipeline():
    """Random weights; changed by the test, so each has its own."""
    return make_tiny_pipeline()


@pytest.fixture
def make_lora():
    def make(pipeline, seed=0, rank=2, alpha=1.0, parts=("attention",), text=("q_proj",), words=()):
        generator = torch.Generator().manual_seed(seed)

        def layer(shape):
            out, inputs, *kernel = shape
            down = torch.randn(rank, inputs, *kernel, generator=generator)
            up = torch.randn(out, rank, *[1 for _ in kernel], generator=generator)
            return LoraLayer(down / 4, up / 4, alpha)

        unet, encoder = pipeline.unet, pipeline.text_encoder
        shapes = adaptable_layers(unet)
        layers = {name: layer(shapes[name]) for name in spatial_modules(unet, parts)}
        width, of_text = encoder.config.hidden_size, adaptable_layers(encoder)
        return Lora(
            {
                "unet": layers,
                "text_encoder": {
                    n: layer(s) for n, s in of_text.items() if n.endswith(tuple(text))
                },
            },
            {word: torch.randn(1, width, generator=generator) for word in words},
            {"modelspec.title": "test"},
        )

    return make


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return draw_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def config(model_folder, images, tmp_path):
    def make(name="run", **changes):
        return personal_config(tmp_path / name, model_folder, images, **changes)

    return make
