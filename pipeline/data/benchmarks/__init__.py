"""The benchmarks, by the names that `dataset.sets` and `evaluate.sets` in params.yaml use."""

from pipeline.data.benchmarks.ade20k import ADE150, ADE150_SYNONYMS, ADE847
from pipeline.data.benchmarks.benchmark import Benchmark
from pipeline.data.benchmarks.cocostuff import PANOPTIC133, STUFF156, STUFF171
from pipeline.data.benchmarks.pascal import CONTEXT59, CONTEXT459, VOC20

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        ADE150,
        ADE150_SYNONYMS,
        ADE847,
        CONTEXT59,
        CONTEXT459,
        VOC20,
        STUFF171,
        STUFF156,
        PANOPTIC133,
    )
}
