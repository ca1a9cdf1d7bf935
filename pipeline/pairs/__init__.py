"""Collecting mask-category pairs (paper section 3.2): the code the authors did not release.

nouns.py   the candidate names of a picture
regions.py its candidate masks
match.py   which noun gets which mask
write.py   pairs as WebDataset shards; pipeline/finetune/pair_set.py reads them
truth.py   whether a mask really shows its noun
make.py    one shard;  collect.py: the whole stage, its index, metrics and plots
"""
