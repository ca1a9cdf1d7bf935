"""The tagger's two sources of weights agree, and the pickle cannot run code."""

import io
import json
import os
import pickle
from pathlib import Path

import nltk
import pytest
from nltk.tag.perceptron import PerceptronTagger

from pipeline.nouns import tagger as module
from pipeline.nouns.tagger import (
    DensePerceptron,
    installed_pickle,
    load_plain,
    load_tagger,
    tagger_from_pickle,
    weights_stamp,
)
from pipeline.nouns.tokens import tokenize

SENTENCES = [
    "two brown dogs sit near a sailboat on the green grass",
    "A man is riding a wave on top of a surfboard .",
    "the 3 zebras' stripes shine , don't they ?",
    "",
]
NLTK_DATA = Path("../shared/data/nltk_data")
CAPTIONS = Path("../shared/data/coco/annotations/captions_val2017.json")


@pytest.fixture(scope="module")
def pickled():
    return tagger_from_pickle(installed_pickle())


def test_tags(pickled):
    tags = pickled.tag(SENTENCES[0].split())
    assert [tag for _, tag in tags] == "CD JJ NNS VBP IN DT NN IN DT JJ NN".split()


def test_faster_scoring_gives_the_same_tags(pickled):
    fast = tagger_from_pickle(installed_pickle())
    fast.model = DensePerceptron(fast.model)
    sentences = [sentence.split() for sentence in SENTENCES]
    if CAPTIONS.is_file():
        annotations = json.loads(CAPTIONS.read_text())["annotations"][:300]
        sentences += [tokenize(annotation["caption"].lower()) for annotation in annotations]
    for words in sentences:
        assert fast.tag(words) == pickled.tag(words)
    assert fast.tag(["dog"], return_conf=True) == pickled.tag(["dog"], return_conf=True)


def test_equal_scores_go_to_the_last_label_as_in_nltk():
    slow = PerceptronTagger(load=False)
    slow.decode_json_params(({"bias": {"NN": 1.0, "VB": 1.0, "DT": 0.5}}, {}, ["NN", "DT", "VB"]))
    expected = slow.tag(["word"])
    slow.model = DensePerceptron(slow.model)
    assert slow.tag(["word"]) == expected == [("word", "VB")]


def test_nltks_own_data_gives_the_same_tags(pickled, monkeypatch):
    if not (NLTK_DATA / "taggers").is_dir():
        pytest.skip(f"needs NLTK's downloaded data in {NLTK_DATA}")
    monkeypatch.setattr(nltk.data, "path", [os.path.abspath(NLTK_DATA)])
    own = PerceptronTagger()
    assert weights_stamp(own) == weights_stamp(pickled)
    assert [own.tag(s.split()) for s in SENTENCES] == [pickled.tag(s.split()) for s in SENTENCES]


def test_nltks_own_data_comes_first(monkeypatch, pickled):
    monkeypatch.setattr(module, "PerceptronTagger", lambda: pickled)
    monkeypatch.setattr(module, "installed_pickle", lambda: pytest.fail("was asked"))
    model = pickled.model
    try:
        assert load_tagger() is pickled
    finally:
        pickled.model = model


def test_neither_source(monkeypatch):
    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setattr(module, "PICKLE_PACKAGE", "no_such_package_anywhere")
    with pytest.raises(FileNotFoundError, match="pip install no_such_package_anywhere"):
        load_tagger()


class _Evil:
    def __reduce__(self):
        return os.system, ("echo never",)


@pytest.mark.parametrize("content", [_Evil(), Path("x"), {1: print}])
def test_a_pickle_that_names_code_is_refused(content):
    with pytest.raises(ValueError, match="not a pickle of plain containers: refused to load"):
        load_plain(io.BytesIO(pickle.dumps(content)), "file")


@pytest.mark.parametrize("data", [b"", b"nonsense", pickle.dumps([1, 2])[:-3]])
def test_a_damaged_pickle(data):
    with pytest.raises(ValueError, match="not a pickle of plain containers"):
        load_plain(io.BytesIO(data), "file")


def test_plain_containers_are_read():
    content = ({"a": {"b": 1.5}}, {"c": "d"}, {"e"}, [1, None])
    assert load_plain(io.BytesIO(pickle.dumps(content)), "file") == content


@pytest.mark.parametrize("content", [["list"], ({}, {}), ({"f": 1}, {}, set())])
def test_another_pickle_is_named(content, tmp_path):
    path = tmp_path / "weights.pickle"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=r"weights\.pickle: expected the tuple"):
        tagger_from_pickle(path)
