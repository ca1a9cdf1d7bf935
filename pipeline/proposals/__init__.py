"""Stage `proposals`: class-agnostic masks of the segmenter on every captioned picture.

Comes in: data/dataset, data/segmenter. Goes out: data/proposals, shards of `ProposalRecord`, and
how many of the labelled objects some mask covers.
"""
