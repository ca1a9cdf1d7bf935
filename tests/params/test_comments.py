from pipeline.params.comments import explain
from pipeline.params.presets import DEFAULT, params_of
from tests.shipped import PARAMS


def test_a_key_has_the_words_of_its_field():
    lines = params_of(DEFAULT).splitlines()
    assert (
        "  top_k: 1  # how many best masks a noun takes (or nouns a mask takes); at least 1"
        in lines
    )
    section = lines.index(
        "pretrain_segmenter:  # the recipe of the shipped segmenter weights; a frozen stage. "
        "Everything"
    )
    assert lines[section - 1] == ""
    assert lines[section + 1] == "  # else is as in the section segmenter, from scratch."


def test_a_key_of_a_union_has_those_of_the_kind_that_stands_there():
    assert "freeze_at: 2  # stages that do not train: 0 none, 1 the stem" in params_of(
        "coco-r101c-vitb16"
    )
    assert "freeze_at: 0  # stages that do not train: 0 none, 1 the patch" in params_of(
        "coco-swinb-vitl14"
    )


def test_comments_do_not_pile_up():
    text = PARAMS.read_text()
    assert explain(text) == explain(f"# of before\n{text}") == params_of(DEFAULT)
