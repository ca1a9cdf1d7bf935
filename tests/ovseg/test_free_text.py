import pytest
import torch

from pipeline.ovseg.free_text import checked_names, chosen_queries, free_text_scores


def test_a_single_name_gets_others_beside_it():
    assert checked_names([" cat "]) == ["cat", "others"]
    assert checked_names(["others"]) == ["others", "other things"]
    assert checked_names(["cat", "dog"]) == ["cat", "dog"]


@pytest.mark.parametrize("names", [[], [""], ["cat", " "], ["cat", "dog", "cat"]])
def test_names_that_make_no_sense_are_refused(names):
    with pytest.raises(ValueError, match="class names"):
        checked_names(names)


def test_each_name_takes_its_best_valid_query():
    clip = torch.tensor([[0.9, 0.1], [1.0, 1.0], [0.3, 0.7], [0.5, 0.5]])
    valid = torch.tensor([True, False, True, True])
    assert chosen_queries(clip, valid, named=2).tolist() == [True, False, True, False]
    assert chosen_queries(clip, valid, named=1).tolist() == [True, False, False, False]


def test_a_query_that_wins_twice_is_taken_once_and_keeps_all_its_scores():
    clip = torch.tensor([[0.5, 0.5], [0.1, 0.2]])
    classes, masks = free_text_scores(
        clip, torch.tensor([True, True]), torch.full((2, 1, 1), 0.6), 0.5, named=2
    )
    assert classes.tolist() == [[0.5, 0.5], [0, 0]]
    assert masks.tolist() == [[[1]], [[1]]]


def test_without_a_valid_query_nothing_is_chosen():
    assert not chosen_queries(torch.ones(2, 3), torch.zeros(2, dtype=torch.bool), 3).any()
