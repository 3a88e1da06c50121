import pytest
from transformers import (
    BertTokenizerFast,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
)

from lavie.cli.lora_train import _captions as captions_of
from lavie.errors import MissingDependencyError
from lora.captioning import caption_pictures
from tests.unit.lora.personal import draw_pictures

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "a", "red", "thing", "in", "snow"]


@pytest.fixture
def captioner(tmp_path):
    """A captioner that has learnt nothing, in the form of the known ones."""
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    tokenizer = BertTokenizerFast(str(tmp_path / "vocab.txt"))
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    config = BlipConfig(
        text_config=small
        | {
            "num_attention_heads": 2,
            "vocab_size": len(WORDS),
            "encoder_hidden_size": 16,
            "bos_token_id": 5,
            "eos_token_id": 3,
            "sep_token_id": 3,
            "pad_token_id": 0,
        },
        vision_config=small | {"num_attention_heads": 2, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )
    folder = tmp_path / "captioner"
    BlipForConditionalGeneration(config).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    BlipProcessor(BlipImageProcessor(size=size), tokenizer).save_pretrained(folder)
    return folder


def test_a_model_on_this_machine_says_a_line_of_each_picture(captioner, tmp_path):
    captions = caption_pictures(draw_pictures(tmp_path / "pictures", 2), captioner)
    assert len(captions) == 2
    words = {word.lower() for caption in captions for word in caption.split()}
    assert words
    assert words <= {word.lower() for word in WORDS}


def test_without_one_the_way_out_is_told(tmp_path):
    images = draw_pictures(tmp_path / "pictures", 1)
    with pytest.raises(MissingDependencyError, match="hf download"):
        caption_pictures(images, tmp_path / "absent")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MissingDependencyError, match="can't describe pictures"):
        caption_pictures(images, tmp_path)


def test_pictures_that_have_a_caption_are_not_described(tmp_path, monkeypatch):
    images, seen = list(draw_pictures(tmp_path / "pictures", 3)), []
    images[1].with_suffix(".txt").write_text("in the snow")

    def describe(some, folder):
        seen.extend(some)
        return ["a red thing", ""]

    monkeypatch.setattr("lora.captioning.caption_pictures", describe)
    captions = captions_of(images, tmp_path)
    assert seen == [images[0], images[2]]
    assert captions == ["a red thing", "in the snow", ""]
