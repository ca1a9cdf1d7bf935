"""Nouns out of captions: tokens, part-of-speech tags, lemmas and the rules that drop nouns."""
