"""Stage `nouns`: the nouns of every caption.

Comes in: data/dataset. Goes out: data/nouns, shards of `NounRecord` and every word that was dropped
with its reason.
"""
