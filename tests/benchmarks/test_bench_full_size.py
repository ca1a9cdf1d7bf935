from pipeline.clip.templates import TEMPLATES
from tests.benchmarks import bench_full_size
from tests.ovseg.tiny import tiny_clip, tiny_segmenter


def test_every_step_runs_here_with_a_small_model(monkeypatch):
    tiny = (tiny_segmenter(), tiny_clip(prompt_depth=2))
    monkeypatch.setattr(bench_full_size, "build", lambda backbone, clip_name: tiny)
    monkeypatch.setattr(bench_full_size, "MODELS", {"tiny": (None, "", 64)})
    monkeypatch.setattr(bench_full_size, "SIDE", 48)
    found = bench_full_size.bench("tiny", TEMPLATES["bare"])
    assert len(found) == 5
    assert all(step["seconds"] > 0 and step["peak GiB"] > 0 for step in found.values())
