from pipeline.core.records import Caption, NounRecord
from pipeline.pairs.nouns import Name, names_in_captions, names_in_truth

CAPTIONS = [Caption(11, "a dog on grass"), Caption(12, "grass, a dog and a ball"), Caption(13, "")]
NOUNS = [
    NounRecord(1, 12, "grass", "grass", 0),
    NounRecord(1, 12, "ball", "ball", 6),
    NounRecord(1, 12, "dog", "dog", 3),
    NounRecord(1, 11, "grass", "grass", 3),
    NounRecord(1, 11, "dog", "dog", 1),
]


def test_a_noun_counts_once_with_the_first_caption_that_says_it():
    assert names_in_captions(CAPTIONS, NOUNS, 5) == [
        Name("dog", 11), Name("grass", 11), Name("ball", 12)
    ]  # fmt: skip


def test_only_the_first_captions_count():
    assert names_in_captions(CAPTIONS, NOUNS, 1) == [Name("dog", 11), Name("grass", 11)]
    assert names_in_captions(CAPTIONS[1:], NOUNS, 1) == [
        Name("grass", 12), Name("dog", 12), Name("ball", 12)
    ]  # fmt: skip


def test_no_captions_or_no_nouns():
    assert names_in_captions([], NOUNS, 5) == []
    assert names_in_captions(CAPTIONS, [], 5) == []


def test_ground_truth_names_have_no_caption():
    assert names_in_truth({"sky": 0, "sea": 1}) == [Name("sky", -1), Name("sea", -1)]
