import numpy as np

from pipeline.core.records import ProposalRecord
from pipeline.data.rle import encode_masks
from pipeline.pairs.regions import candidates_from_proposals, candidates_from_truth


def test_candidates_of_proposals_and_of_truth():
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 2:9, 3:8] = masks[1, 10:, 20:] = True
    rles = encode_masks(masks)
    records = [
        ProposalRecord(1, query, 20, 30, rle["counts"])
        for query, rle in zip((4, 7), rles, strict=True)
    ]
    found = candidates_from_proposals(records, 20, 30)
    assert np.array_equal(found.masks, masks) and found.queries == [4, 7]
    true = candidates_from_truth({"sky": masks[0], "sea": masks[1]}, 20, 30)
    assert np.array_equal(true.masks, masks) and true.queries == [-1, -1]
    assert candidates_from_truth({}, 20, 30).masks.shape == (0, 20, 30)
    assert candidates_from_proposals([], 20, 30).masks.shape == (0, 20, 30)
