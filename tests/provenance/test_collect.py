from pathlib import Path

from pipeline.params.sections import load_all
from pipeline.provenance.collect import STAGES, of_code, read_watched, write_provenance
from tests.shipped import PARAMS


def test_one_file_a_stage_and_nothing_else_is_touched(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("precious")
    written = write_provenance(out, load_all(PARAMS), tmp_path / "digests.sqlite")
    assert [path.name for path in written] == [f"{stage}.json" for stage in STAGES]
    before = [path.read_bytes() for path in written]
    write_provenance(out, load_all(PARAMS), tmp_path / "digests.sqlite")
    assert [path.read_bytes() for path in written] == before
    assert (out / "thesis.txt").read_text() == "precious"
    assert read_watched(out / "dataset.json") == {}


def test_a_stage_has_the_code_it_runs_and_no_other():
    code = of_code("nouns")["code"]
    assert "stages/nouns.py" in code and "pipeline/nouns/tagger.py" in code
    assert "pipeline/nouns/lexicon/stop_list.txt" in code
    assert not [name for name in code if name.startswith("pipeline/segmenter")]
    assert "torch" not in of_code("nouns")["libraries"]
    assert Path("stages/segmenter.py").as_posix() in of_code("pretrain_segmenter")["code"]
