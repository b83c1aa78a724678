"""`nbgrader autograde` on a Dask cluster, whose workers are not children of the command."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.code import code
from tests.support.courses import configure, marks, nbgrader
from tests.support.tiny_course import (
    ADD,
    HONEST,
    WRONG_ADD,
    WRONG_ANSWER,
    hand_in,
    make_course,
    notebook,
    release,
    written,
)

CLUSTER = code("""
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
""")
"""A program that starts a cluster with two workers, prints where they are, and ends with its standard input."""


def cluster(folder: Path, workers: str) -> subprocess.Popen[str]:
    program = folder / "cluster.py"
    program.write_text(CLUSTER)
    command = [sys.executable, str(program), workers]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


@pytest.fixture
def dask(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[dict]:
    """The scheduler's address and pid, and the pids of its two workers. A parameter asks for odd workers."""
    with cluster(tmp_path, getattr(request, "param", "two workers")) as process:
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
    """Make a course that is graded on a cluster."""
    make_course(folder, {})
    configure(folder, f"c.JudgedAutograde.scheduler = {address!r}")
    release(folder)


@pytest.mark.long
@pytest.mark.parametrize("dask", ["one without bubblewrap"], indirect=True)
def test_a_cluster_with_bad_workers_grades_the_class(tmp_path: Path, dask: dict) -> None:
    """One worker is killed, and another one has no bubblewrap."""
    course = tmp_path / "course"
    make(course, dask["address"])
    expected = {}
    for i in range(10):
        answer, expected[f"student {i}"] = (ADD, HONEST) if i % 2 else (WRONG_ANSWER, WRONG_ADD)
        hand_in(course, f"student {i}", written(notebook(f"import time; time.sleep(1 + {i} / 100)\n{answer}")))
    command = [sys.executable, "-m", "nbgrader", "autograde", "tiny"]
    run = subprocess.Popen(command, cwd=course, stderr=subprocess.PIPE, text=True)
    while not list((course / "autograded").glob("*/tiny")) and run.poll() is None:
        time.sleep(0.05)
    psutil.Process(dask["workers"][0]).kill()
    _, errors = run.communicate(timeout=240)
    assert run.returncode == 0, errors
    assert marks(course, "tiny") == expected
    assert not list((course / "autograded").glob(".room*"))
    assert errors.count("cannot grade and gets no work: bubblewrap is missing") == 1


@pytest.mark.long
def test_a_lost_scheduler_is_reported_without_traceback(tmp_path: Path, dask: dict) -> None:
    course = tmp_path / "course"
    make(course, dask["address"])
    for i in range(6):
        hand_in(course, f"student {i}", written(notebook(f"import time; time.sleep(2 + {i} / 100)\n{ADD}")))
    command = [sys.executable, "-m", "nbgrader", "autograde", "tiny"]
    run = subprocess.Popen(command, cwd=course, stderr=subprocess.PIPE, text=True)
    while not list((course / "autograded").glob("*/tiny")) and run.poll() is None:
        time.sleep(0.05)
    psutil.Process(dask["scheduler"]).kill()
    _, errors = run.communicate(timeout=240)
    assert run.returncode != 0
    assert errors.rstrip().endswith(
        "The Dask scheduler has ended. The results so far are kept: start a cluster, then run the command again."
    )
    assert "Traceback" not in errors


@pytest.mark.parametrize("dask", ["daemon"], indirect=True)
def test_daemonic_workers_are_refused_with_the_fix(tmp_path: Path, dask: dict) -> None:
    """Dask starts its workers as daemons unless told otherwise, and a daemon may not start processes."""
    course = tmp_path / "course"
    make(course, dask["address"])
    hand_in(course, "student", written(notebook()))
    run = nbgrader(course, "autograde", "tiny")
    assert run.returncode != 0
    assert run.stderr.count("DASK_DISTRIBUTED__WORKER__DAEMON=False") == 2
    assert "has no workers that can grade: start some first" in run.stderr
    assert "Traceback" not in run.stderr
