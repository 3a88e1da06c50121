import pytest
import torch
from transformers import CLIPTokenizer

from lavie.data.world import SUBJECTS
from lavie.errors import InputError
from lavie.pipelines.model_folder import MINIATURE_FOLDER, load_component
from lora.captions import Language
from lora.embedding import initial_vector, learn_word
from lora.words import check_trigger, known_words, knows, spells, world_words
from tests.tiny import make_tiny_pipeline


@pytest.fixture(scope="module")
def tokenizer():
    return load_component(CLIPTokenizer, MINIATURE_FOLDER / "tokenizer")


def test_words_are_known_or_spelled(tokenizer):
    assert knows(tokenizer, "fox")
    assert not spells(tokenizer, "fox")
    assert spells(tokenizer, "zog")
    assert "ocean" in world_words(tokenizer)


@pytest.mark.parametrize("word", ["Zog", "z", "1st", "my dog", "zög", "a" * 33, "", "fox", "ocean"])
def test_a_word_that_cannot_call_anything_is_refused(tokenizer, word):
    with pytest.raises(InputError) as error:
        check_trigger(word, known_words(tokenizer))
    assert error.value.field == "token"
    check_trigger("zog", known_words(tokenizer))


def test_a_large_vocabulary_may_be_asked_for_any_plain_word(tokenizer):
    class Large:
        def __len__(self):
            return 49_408

        def get_vocab(self):
            return tokenizer.get_vocab()

        def tokenize(self, text):
            return tokenizer.tokenize(text)

    check_trigger("fox", known_words(Large()))
    assert world_words(Large()) == []


def test_a_word_begins_as_its_class():
    pipeline = make_tiny_pipeline()
    table = pipeline.text_encoder.get_input_embeddings().weight.detach()
    fox = initial_vector(pipeline.tokenizer, table, "fox", False, torch.Generator())
    assert torch.equal(fox[0], table[pipeline.tokenizer.get_vocab()["fox</w>"]])


def test_a_word_of_no_class_begins_as_far_out_as_its_kin_on_the_way_to_none_of_them():
    pipeline = make_tiny_pipeline()
    table = pipeline.text_encoder.get_input_embeddings().weight.detach()
    vocabulary = pipeline.tokenizer.get_vocab()
    known = sorted(s for s in SUBJECTS if f"{s}</w>" in vocabulary)
    assert known == ["car", "fox", "panda"]
    vectors = table[[vocabulary[f"{s}</w>"] for s in known]]
    rest = pipeline.tokenizer, table, "", False
    drawn = [initial_vector(*rest, torch.Generator().manual_seed(n))[0] for n in range(50)]
    out, away = torch.stack(drawn) - vectors.mean(0), vectors - vectors.mean(0)
    assert (out @ away.T).abs().max() < 1e-4 * away.norm() ** 2
    torch.testing.assert_close(out.norm(dim=1), away.norm(dim=1).mean().expand(50))
    assert (torch.pdist(out) > 0.5 * away.norm(dim=1).mean()).all()
    assert torch.equal(initial_vector(*rest, torch.Generator().manual_seed(3))[0], drawn[3])


def test_a_word_of_more_kin_than_ways_is_drawn_around_their_mean():
    tokenizer = make_tiny_pipeline().tokenizer
    table = torch.randn(len(tokenizer.get_vocab()), 2, generator=torch.Generator().manual_seed(0))
    drawn = initial_vector(tokenizer, table, "", False, torch.Generator())
    assert drawn.shape == (1, 2)
    assert drawn.isfinite().all()


def test_only_the_new_word_learns_and_others_mean_what_they_meant():
    pipeline = make_tiny_pipeline()
    before = pipeline.encode_prompt(["a fox in snow"]).detach()
    pipeline.text_encoder.requires_grad_(False)
    learned = learn_word("zog", "", False, pipeline.tokenizer, pipeline.text_encoder)
    assert torch.equal(pipeline.encode_prompt(["a fox in snow"]), before)
    pipeline.encode_prompt(["a zog in snow"]).sum().backward()
    assert learned.vectors.grad.abs().sum() > 0
    other = make_tiny_pipeline()
    blip = learn_word("blip", "", False, other.tokenizer, other.text_encoder)
    apart = (blip.vectors - learned.vectors).norm()  # words of one seed
    assert apart > 0.5 * learned.vectors.norm()
    learning = [n for n, p in pipeline.text_encoder.named_parameters() if p.requires_grad]
    assert len(learning) == 1


def language(**changes):
    usual = {"token": "zog", "class_word": "", "kind": "thing", "is_world": True}
    return Language(**{**usual, "class_is_known": False, **changes})


@pytest.mark.parametrize(
    ("changes", "given", "expected"),
    [
        ({}, "in the snow", "a zog in the snow"),
        ({}, "a zog at night", "a zog at night"),
        ({"class_word": "fox"}, "a photo of a fox at night", "a photo of a zog at night"),
        ({"kind": "style"}, "a fox at night", "a fox at night, in zog"),
        ({"is_world": False, "class_word": "dog"}, "my dog at home", "my zog dog at home"),
        ({"is_world": False, "class_word": "dog"}, "on a beach", "a zog dog on a beach"),
        ({"is_world": False, "class_word": r"a\d"}, r"my a\d at home", r"my zog a\d at home"),
        ({"is_world": False, "kind": "style"}, "a house", "a house, zog style"),
        ({}, "Zog on the beach", "Zog on the beach"),
        ({"kind": "style"}, "A fox in ZOG", "A fox in ZOG"),
        ({"class_word": "fox"}, "Fox at night", "zog at night"),
        ({"is_world": False, "class_word": "dog"}, "A Dog at home", "A zog dog at home"),
        ({"is_world": False, "class_word": "Dog"}, "a dog runs", "a zog Dog runs"),
    ],
)
def test_a_given_caption_names_the_new_thing(changes, given, expected):
    assert language(**changes).own_captions(given) == (expected,)


def test_without_a_caption_all_templates_name_it():
    for changes in ({}, {"kind": "style"}, {"is_world": False}, {"class_word": "fox"}):
        captions = language(**changes).own_captions("")
        assert len(captions) > 1
        assert all("zog" in caption for caption in captions)


def test_the_world_is_spoken_to_in_words_it_knows(tokenizer):
    spoken = language()
    sentences = [*spoken.own_captions(""), *spoken.sample_prompts(), *spoken.prior_captions(40, 0)]
    sentences += language(kind="style").sample_prompts()
    words = {word.strip(",") for sentence in sentences for word in sentence.split()}
    assert all(knows(tokenizer, word) for word in words - {"zog"})


def test_the_prior_never_names_the_new_thing_and_shows_its_class_and_others():
    of_class = language(class_word="fox", class_is_known=True).prior_captions(40, 0)
    assert 15 < sum("fox" in caption for caption in of_class) < 35
    assert of_class == language(class_word="fox", class_is_known=True).prior_captions(40, 0)
    of_dogs = language(is_world=False, class_word="dog").prior_captions(40, 0)
    assert 20 < sum("dog" in caption for caption in of_dogs) < 40
    assert not any("zog" in caption for caption in [*of_class, *of_dogs])
    assert len(set(language().prior_captions(40, 0))) > 20
