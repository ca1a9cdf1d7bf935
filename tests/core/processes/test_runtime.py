import random
import threading

import numpy as np
import pytest
import torch

from pipeline.core import precision
from pipeline.core.processes import runtime
from pipeline.core.stage import run_stage


def test_device_is_what_the_environment_says(monkeypatch):
    monkeypatch.setenv("OVSEG_DEVICE", "cpu")
    assert runtime.device() == torch.device("cpu")


LOCK = threading.Lock()
CPU = torch.device("cpu")


def lock_is_free() -> bool:
    return LOCK.acquire(timeout=5)


def test_a_worker_does_not_inherit_the_locks_of_running_threads():
    with LOCK, runtime.process_pool(1) as pool:
        assert pool.submit(lock_is_free).result(timeout=120)


@pytest.mark.parametrize("wanted", ["tpu", "cuda:x", "gpu", "cuda:" + "9" * 30])
def test_an_unknown_device_is_named(monkeypatch, wanted):
    monkeypatch.setenv("OVSEG_DEVICE", wanted)
    with pytest.raises(ValueError, match=f"OVSEG_DEVICE={wanted}.*allowed"):
        runtime.device()


def test_an_absent_device_is_named(monkeypatch):
    monkeypatch.setenv("OVSEG_DEVICE", "cuda:99")
    with pytest.raises(ValueError, match="OVSEG_DEVICE=cuda:99: this machine shows"):
        runtime.device()


def test_workers(monkeypatch):
    monkeypatch.delenv("OVSEG_WORKERS", raising=False)
    assert runtime.workers() >= 1
    monkeypatch.setenv("OVSEG_WORKERS", "3")
    assert runtime.workers() == 3
    for wrong in ("0", "-1", "two", "1.5", "1e3", "9" * 5000, "1025", "٣"):
        monkeypatch.setenv("OVSEG_WORKERS", wrong)
        with pytest.raises(ValueError, match="whole number"):
            runtime.workers()


def test_engine(monkeypatch):
    monkeypatch.delenv("OVSEG_ENGINE", raising=False)
    assert runtime.engine() == "local"
    monkeypatch.setenv("OVSEG_ENGINE", "ray")
    assert runtime.engine() == "ray"
    monkeypatch.setenv("OVSEG_ENGINE", "spark")
    with pytest.raises(ValueError, match="OVSEG_ENGINE=spark.*local, ray"):
        runtime.engine()


def test_autocast_computes_products_in_bfloat16_unless_disabled(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda dev: True)
    a = torch.ones(2, 2)
    with precision.autocast(CPU):
        assert (a @ a).dtype == torch.bfloat16
    with precision.autocast(CPU, enabled=False):
        assert (a @ a).dtype == torch.float32


def test_a_processor_that_only_imitates_bfloat16_stays_with_float32(monkeypatch, capsys):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "amx_bf16": False})
    precision.has_bfloat16.cache_clear()
    precision._say_float32.cache_clear()
    try:
        for _ in range(2):
            with precision.autocast(CPU):
                assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
        assert capsys.readouterr().out.count("float32, since this cpu has no bfloat16") == 1
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
        precision.has_bfloat16.cache_clear()
        assert precision.has_bfloat16(CPU)
    finally:
        precision.has_bfloat16.cache_clear()


def attend(q: torch.Tensor) -> tuple[torch.Tensor, str]:
    """Attention of q (1, 2, 5, 8) to itself, and the name of the kernel that gave it."""
    got = torch.nn.functional.scaled_dot_product_attention(q, q, q)
    return got, got.grad_fn.name()


def test_math_attention_gives_the_same_attention_without_the_fused_kernel(monkeypatch):
    q = torch.randn(1, 2, 5, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    fused, kernel = attend(q)
    with precision.math_attention():
        plain, plain_kernel = attend(q)
    torch.testing.assert_close(plain, fused)
    assert "Flash" in kernel and "Attention" not in plain_kernel
    assert attend(q)[1] == kernel
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setenv("OVSEG_DEVICE", "cuda")
    with precision.math_attention():  # beside a GPU there is nothing to change
        assert attend(q)[1] == kernel


def test_a_seed_repeats_all_generators():
    def draw():
        precision.seed_everything(7)
        return random.random(), np.random.rand(), torch.rand(1).item()

    assert draw() == draw()


@pytest.mark.parametrize(
    "variable, value",
    [
        ("OVSEG_DEVICE", "tpu"),
        ("OVSEG_DEVICE", "cuda:99"),
        ("OVSEG_WORKERS", "0"),
        ("OVSEG_TRAINING_PROCESSES", "1000000"),
        ("OVSEG_ENGINE", "spark"),
    ],
)
def test_a_wrong_variable_stops_every_stage_at_once(monkeypatch, capsys, variable, value):
    """Also one that this stage does not read, but one hours later does."""
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr("sys.argv", ["stage"])
    with pytest.raises(SystemExit) as stop:
        run_stage(lambda: pytest.fail("the stage began"))
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.startswith(f"error: {variable}={value}: ")
    assert said.count("\n") == 1


def test_a_training_has_no_more_processes_than_gpus(monkeypatch):
    monkeypatch.setattr(runtime, "gpus", lambda: 2)
    monkeypatch.setenv("OVSEG_TRAINING_PROCESSES", "2")
    assert runtime.training_processes() == 2
    monkeypatch.setenv("OVSEG_TRAINING_PROCESSES", "3")
    with pytest.raises(ValueError, match="PROCESSES=3: one GPU for each is needed, there are 2"):
        runtime.training_processes()
