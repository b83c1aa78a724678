"""The same command on a Dask cluster: worker processes that are no children of it, one of them killed on the way."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from courses import configure, marks, nbgrader
from tiny_course import ADD, HONEST, WRONG_ADD, hand_in, make_course, notebook, release, written

CLUSTER = """
import json, os, subprocess, sys
import dask
from distributed import Client, LocalCluster

if __name__ == "__main__":
    dask.config.set({"distributed.worker.daemon": sys.argv[1] == "daemon"})
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    client = Client(cluster)
    workers = list(client.run(os.getpid).values())
    if sys.argv[1] == "one without bubblewrap":
        command = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", cluster.scheduler_address]
        subprocess.Popen(command, env=os.environ | {"PATH": "/nowhere"})
        client.wait_for_workers(3)
    print(json.dumps({"address": cluster.scheduler_address, "workers": workers}), flush=True)
    sys.stdin.read()
    cluster.close()
"""


def cluster(folder: Path, daemon: str) -> subprocess.Popen[str]:
    program = folder / "cluster.py"
    program.write_text(CLUSTER)
    command = [sys.executable, str(program), daemon]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


@pytest.fixture
def dask(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[dict]:
    """Address of the scheduler, its pid, and those of its two workers."""
    with cluster(tmp_path, getattr(request, "param", "no daemon")) as process:
        assert process.stdout is not None
        about = json.loads(process.stdout.readline()) | {"scheduler": process.pid}
        below = psutil.Process(process.pid).children(recursive=True)
        yield about
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=60)
    _, alive = psutil.wait_procs(below, timeout=15)
    assert not alive


def make(folder: Path, address: str) -> None:
    make_course(folder, {})
    configure(folder, f"c.JudgedAutograde.scheduler = {address!r}")
    release(folder)


@pytest.mark.parametrize("dask", ["one without bubblewrap"], indirect=True)
def test_a_cluster_grades_a_class_though_one_worker_is_killed_and_one_cannot_grade(tmp_path: Path, dask: dict) -> None:
    course = tmp_path / "course"
    make(course, dask["address"])
    expected = {}
    for i in range(10):
        answer, expected[f"student {i}"] = (ADD, HONEST) if i % 2 else ("def add(x):\n    return 0.0", WRONG_ADD)
        hand_in(course, f"student {i}", written(notebook(f"import time\ntime.sleep(1 + {i} / 100)\n{answer}")))
    command = [sys.executable, "-m", "nbgrader", "autograde", "tiny"]
    run = subprocess.Popen(command, cwd=course, stderr=subprocess.PIPE, text=True)
    while not list((course / "autograded").glob("*/tiny")) and run.poll() is None:
        time.sleep(0.05)
    psutil.Process(dask["workers"][0]).kill()
    _, errors = run.communicate(timeout=240)
    assert run.returncode == 0, errors
    assert marks(course, "tiny") == expected
    assert not list((course / "autograded").glob(".room*"))
    assert errors.count("cannot grade, and gets no work: bubblewrap is missing") == 1


def test_a_lost_scheduler_is_one_line(tmp_path: Path, dask: dict) -> None:
    course = tmp_path / "course"
    make(course, dask["address"])
    for i in range(6):
        hand_in(course, f"student {i}", written(notebook(f"import time\ntime.sleep(2 + {i} / 100)\n{ADD}")))
    command = [sys.executable, "-m", "nbgrader", "autograde", "tiny"]
    run = subprocess.Popen(command, cwd=course, stderr=subprocess.PIPE, text=True)
    while not list((course / "autograded").glob("*/tiny")) and run.poll() is None:
        time.sleep(0.05)
    psutil.Process(dask["scheduler"]).kill()
    _, errors = run.communicate(timeout=240)
    assert run.returncode != 0
    assert errors.rstrip().endswith(
        "the Dask scheduler has ended: start a cluster, then run the command again; what was graded is kept"
    )
    assert "Traceback" not in errors


@pytest.mark.parametrize("dask", ["daemon"], indirect=True)
def test_workers_that_may_not_start_processes_are_told_how(tmp_path: Path, dask: dict) -> None:
    course = tmp_path / "course"
    make(course, dask["address"])
    hand_in(course, "student", written(notebook()))
    run = nbgrader(course, "autograde", "tiny")
    assert run.returncode != 0
    assert run.stderr.count("DASK_DISTRIBUTED__WORKER__DAEMON=False") == 2
    assert "has no workers that can grade: start some first" in run.stderr
    assert "Traceback" not in run.stderr
