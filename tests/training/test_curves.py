"""Training curves as a history that is written and resumed."""

from pipeline.training.curves import Curves


def filled(curves: Curves) -> Curves:
    curves.add(0, {"held_out/accuracy": 0.25, "held_out/other": None})
    for loss in (3.0, 1.0):
        curves.see({"loss": loss, "learning_rate": 0.5})
    curves.close(2)
    curves.see({"loss": 9.0, "learning_rate": 0.1})
    return curves


def test_points_are_means_of_their_steps():
    curves = filled(Curves(None))
    assert curves.history == [
        {"step": 0, "held_out/accuracy": 0.25},
        {"step": 2, "train/loss": 2.0, "train/learning_rate": 0.5},
    ]
    assert curves.last("train/loss") == 2.0 and curves.last("held_out/other") is None
    curves.close(3)
    assert curves.last("train/loss") == 9.0


def test_a_resumed_run_writes_the_curves_of_an_uninterrupted_one(tmp_path):
    whole, resumed = filled(Curves(tmp_path / "whole")), Curves(tmp_path / "resumed")
    resumed.restore(filled(Curves(None)).state())
    for curves in (whole, resumed):
        curves.close(3)
        curves.write()
        curves.write()  # as every checkpoint does: no line twice
    for name in ("train/loss", "train/learning_rate", "held_out/accuracy"):
        rows = []
        for run in ("whole", "resumed"):
            text = (tmp_path / run / f"plots/metrics/{name}.tsv").read_text()
            rows.append([line.split("\t") for line in text.splitlines()])
        steps = ["step", "0"] if "held" in name else ["step", "2", "3"]
        assert [row[0] for row in rows[0]] == steps
        assert [row[-1] for row in rows[0]] == [row[-1] for row in rows[1]]


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    filled(Curves(None)).write()
    assert not list(tmp_path.iterdir())
