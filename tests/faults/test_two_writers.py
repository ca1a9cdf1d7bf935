"""A stage that DVC does not know of is at work in a folder that `dvc repro` wants to write."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.core.files.test_lock import ROOT, wait_for
from tests.core.test_shards import contents, run
from tests.through_dvc import dvc

STAGE = """
    import time
    from pathlib import Path
    from pipeline.core.stage import run_stage
    from tests.core.test_shards import make_nouns, run

    def slowly(items, folder):
        Path("begun").touch()
        while not Path("go").exists():
            time.sleep(0.02)
        return make_nouns(items, folder)

    def main(out: Path) -> None:
        run(out, make=slowly)

    run_stage(main)
"""
DAG = """
    stages:
      made:
        cmd: python slow.py --out data/made
        outs:
          - data/made: {persist: true}
"""


def start_dvc(project: Path) -> subprocess.Popen:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "DVC_NO_ANALYTICS": "1",
        "DVC_TEST": "true",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def start_stage(project: Path) -> subprocess.Popen:
    """The stage by hand, as one that DVC left behind would run on."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "slow.py", "--out", "data/made"]
    return subprocess.Popen(command, cwd=project, env=environment)


def test_a_second_writer_through_dvc_is_refused_and_the_first_ends_whole(tmp_path):
    (tmp_path / "slow.py").write_text(textwrap.dedent(STAGE))
    (tmp_path / "dvc.yaml").write_text(textwrap.dedent(DAG))
    for name in ("pipeline", "tests"):  # dvc() runs its stages with the project's own code
        (tmp_path / name).symlink_to(ROOT / name)
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    first = start_stage(tmp_path)
    try:
        wait_for(tmp_path / "begun", first)
        second = start_dvc(tmp_path)
        said = second.communicate(timeout=300)[0]
        assert second.returncode != 0
        assert "error: data/made: locked by process " in said, said
        assert "is writing there; wait until" in said, said
        (tmp_path / "go").touch()
        assert first.wait(timeout=300) == 0
    finally:
        first.kill()
    assert "(4 of 4 shards kept)" in dvc(tmp_path, "repro")
    run(tmp_path / "alone")
    assert contents(tmp_path / "data/made") == contents(tmp_path / "alone")
    assert "up to date" in dvc(tmp_path, "status")
