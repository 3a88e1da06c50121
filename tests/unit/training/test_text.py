from lavie.data.world import caption_words
from lavie.training.text import make_tokenizer


def test_every_word_of_the_world_is_one_token_of_its_own():
    words = sorted(caption_words())
    tokenizer = make_tokenizer(words, max_length=20)
    ids = tokenizer(words, add_special_tokens=False).input_ids
    assert all(len(word) == 1 for word in ids)
    assert len({word[0] for word in ids}) == len(words)


def test_the_same_words_always_get_the_same_ids():
    first = make_tokenizer(["fox", "ox", "foxes", "banana", "nana"], 20)
    second = make_tokenizer(["nana", "banana", "foxes", "ox", "fox"], 20)
    assert first.get_vocab() == second.get_vocab()
    text = "a fox, an ox and foxes: banana nana"
    assert first(text).input_ids == second(text).input_ids


def test_other_words_are_spelt_out():
    tokenizer = make_tokenizer(["fox"], 20)
    assert (
        tokenizer.decode(tokenizer("a fox ran").input_ids, skip_special_tokens=True) == "a fox ran"
    )
