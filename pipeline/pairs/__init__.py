"""Stage `pairs`: match nouns with masks (paper, section 3.2), the code the authors did not release.

Comes in: data/dataset, data/proposals, data/nouns, a CLIP. Goes out: data/pairs, WebDataset shards
of crop, mask and noun with an index of `PairRecord`, rejects with reasons, plots. `collect.py` is
the whole stage, `make.py` one shard; `pipeline/finetune/pair_set.py` reads the pairs.
"""
