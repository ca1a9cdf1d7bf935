"""The section `nouns`."""

from pipeline.core.section import Count, Section, ShardSize, Split


class NounRules(Section):
    """Which rules apply to the words of a caption."""

    multiword: bool
    """keep nouns of several words together ("fire hydrant"); true | false"""
    tag_rules: bool
    """mend the tagger: no verbs, adjectives or proper names as nouns; true | false"""
    stop_list: bool
    """drop nouns that name nothing visible; true | false"""


class NounsParams(NounRules):
    """Section `nouns`."""

    split: Split
    """captions to read: train | val"""
    min_count: Count
    """drop nouns that occur in fewer captions than this; at least 1"""
    shard_size: ShardSize
    """pictures in a shard; at least 1"""
