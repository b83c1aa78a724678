"""Probes: functions of a hidden test that run in a fork of the student's kernel."""

import socket
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from course_lib.judge.snapshot_client import ConnectionLost, SnapshotConnection
from course_lib.results.result import Verdict
from tests.support.code import code
from tests.support.exercise import Exercise

OPTIMIZER = """
    import torch

    answer = None

    class Momentum:
        def __init__(self, parameters, lr, momentum):
            self.parameters, self.lr, self.momentum = list(parameters), lr, momentum
            self.velocity = [torch.zeros_like(p) for p in self.parameters]

        def step(self):
            with torch.no_grad():
                for p, v in zip(self.parameters, self.velocity):
                    v.mul_(self.momentum).add_(p.grad)
                    p.sub_(self.lr * v)
"""

OPTIMIZER_TEST = """
    def descend(nb, start, gradients, lr):
        parameter = torch.nn.Parameter(start)
        optimizer = nb.Momentum([parameter], lr, momentum=0.9)
        for gradient in gradients:
            parameter.grad = gradient
            optimizer.step()
        return parameter.detach()

    def right(start, gradients, lr):
        velocity = torch.zeros_like(start)
        for gradient in gradients:
            velocity = 0.9 * velocity + gradient
            start = start - lr * velocity
        return start

    @hidden_test(1, "The velocity is kept from step to step.")
    def test_velocity(student):
        inputs = torch.arange(3.0), [torch.ones(3), torch.arange(3.0)], 0.1
        expect(student.run(descend, *inputs), right, *inputs)
"""


@pytest.fixture
def optimizer(tmp_path: Path) -> Exercise:
    return Exercise(tmp_path, OPTIMIZER, OPTIMIZER_TEST)


def test_a_probe_works_with_a_class_of_the_student(optimizer: Exercise, library: Path) -> None:
    assert optimizer.result(library, OPTIMIZER).verdict is Verdict.PASSED
    forgetful = OPTIMIZER.replace("v.mul_(self.momentum)", "v.zero_()")
    assert optimizer.result(library, forgetful).verdict is Verdict.FAILED


def test_a_probe_works_without_a_sandbox(optimizer: Exercise, library: Path) -> None:
    optimizer.protection = "none"
    assert optimizer.result(library, OPTIMIZER).verdict is Verdict.PASSED


def test_a_missing_name_is_named(optimizer: Exercise, library: Path) -> None:
    result = optimizer.result(library, "answer = None")
    assert result.verdict is Verdict.ERROR
    assert "NameError: Momentum" in result.detail


def test_an_exception_of_the_students_names_its_line(optimizer: Exercise, library: Path) -> None:
    result = optimizer.result(library, OPTIMIZER.replace("p.sub_(self.lr * v)", "p.sub_(self.rate * v)"))
    assert result.verdict is Verdict.ERROR
    assert "p.sub_(self.rate * v)" in result.detail
    assert "AttributeError" in result.detail


def test_a_call_that_does_not_fit_is_the_students_fault(optimizer: Exercise, library: Path) -> None:
    result = optimizer.result(library, OPTIMIZER.replace("lr, momentum):", "lr):"))
    assert (result.verdict, "TypeError" in result.detail) == (Verdict.ERROR, True)


def test_an_exception_of_the_probes_is_for_its_author(optimizer: Exercise, library: Path) -> None:
    """The student's class may be wrong in a way that the probe did not think of: the author has to look."""
    optimizer.tests.write_text(optimizer.tests.read_text().replace("parameter.detach()", "vars(optimizer)['kept']"))
    result = optimizer.result(library, OPTIMIZER)
    assert result.verdict is Verdict.TEST_CRASHED
    assert "in the probe descend: KeyError" in result.note
    line = optimizer.tests.read_text().splitlines().index("    return vars(optimizer)['kept']") + 1
    assert f"line {line}," in result.note
    assert result.score == 0


def test_a_probe_leaves_nothing_behind(tmp_path: Path, library: Path) -> None:
    """Each probe starts from the state behind the grade cell, and the cells below never see what it has changed."""
    counting = """
        answer = []
        def add(): answer.append(1); open("file", "a").write("x"); return len(answer)
    """
    tests = """
        def twice(nb):
            return nb.add() + nb.add()

        @hidden_test(1, "add counts.")
        def test_add(student):
            assert student.run(twice) == 3
            assert student.run(twice) == 3
            assert student.value("answer") == []
    """
    exercise = Exercise(tmp_path, counting, tests, after="print(f'{answer=}', open('file', 'a').tell())")
    graded = exercise.grade(library, counting)
    assert graded.result.score == 1
    assert "answer=[] 0" in graded.notebook


def test_probes_and_other_questions_mix(tmp_path: Path, library: Path) -> None:
    counting = """
        answer = []
        def add(): answer.append(1); return len(answer)
    """
    tests = """
        def ask(nb):
            return nb.add()

        @hidden_test(1, "add counts.")
        def test_add(student):
            assert student.number("add") == 1
            assert student.run(ask) == 1, "from the state behind the grade cell"
            assert student.number("add") == 2, "what a call changes stays, as without probes"
            assert student.run(ask) == 1
    """
    assert Exercise(tmp_path, counting, tests).result(library, counting).verdict is Verdict.PASSED


def test_each_probe_has_its_own_files(tmp_path: Path, library: Path) -> None:
    writing = """
        import os
        answer = 0
        open("kept", "w").write("old")
        def save():
            os.mkdir("out")
            with open("kept", "a") as file:
                file.write("er")
    """
    tests = """
        @hidden_test(1, "save writes.")
        def test_save(student):
            for _ in range(2):
                assert student.file("kept", "save") == b"older"
            assert student.file("kept") == b"old", "a later cell has removed it"
    """
    assert Exercise(tmp_path, writing, tests).result(library, writing, "os.unlink('kept')").verdict is Verdict.PASSED


@pytest.mark.parametrize("folder", ["sub", "/", "/tmp"])
def test_a_notebook_may_change_its_folder(folder: str, tmp_path: Path, library: Path) -> None:
    """A snapshot copies the notebook's folder, and never another one."""
    answer = f"""
        import os
        answer = 0
        os.mkdir("sub")
        os.chdir({folder!r})
        def where():
            print(os.path.basename(os.getcwd()))
    """
    tests = f"""
        @hidden_test(1, "where prints the folder.")
        def test_where(student):
            assert student.printed("where") == {Path(folder).name + chr(10)!r}
    """
    assert Exercise(tmp_path, answer, tests).result(library, answer).verdict is Verdict.PASSED


def test_the_files_of_ended_probes_take_no_room(tmp_path: Path, library: Path) -> None:
    answer = "answer = 0\nopen('large', 'wb').write(bytes(10**7))\ndef size(): return len(open('large', 'rb').read())"
    tests = """
        def size_of(nb):
            return nb.size()

        @hidden_test(1, "The file is there each time.")
        def test_size(student):
            for _ in range(10):
                assert student.run(size_of) == 10**7
    """
    exercise = Exercise(tmp_path, answer, tests)
    assert exercise.result(library, answer, scratch=5 * 10**7, file=2 * 10**7).verdict is Verdict.PASSED


def test_arrays_reach_the_students_function(tmp_path: Path, library: Path) -> None:
    answer = "answer = 0\ndef shape(x, more=None): print(x.copy().shape, *(more or []))"
    tests = """
        import numpy as np

        @hidden_test(1, "shape prints the shape.")
        def test_shape(student):
            assert student.printed("shape", np.zeros((2, 3)), more=[np.float64(1)]) == "(2, 3) 1.0\\n"
    """
    assert Exercise(tmp_path, answer, tests).result(library, answer).verdict is Verdict.PASSED


def test_threads_keep_a_kernel_from_being_forked(tmp_path: Path, library: Path) -> None:
    answer = """
        from concurrent.futures import ThreadPoolExecutor
        answer, pool = 0, ThreadPoolExecutor(2)
        list(pool.map(str, range(2)))
        def texts(xs):
            return list(pool.map(str, xs))
    """
    tests = """
        @hidden_test(1, "texts gives texts.")
        def test_texts(student):
            assert student.take("texts", 2, [1, 2]) == ["1", "2"]
    """
    assert Exercise(tmp_path, answer, tests).result(library, answer).verdict is Verdict.PASSED


def test_all_cells_run_before_the_first_probe(tmp_path: Path, library: Path) -> None:
    """So no cell can find or show anything of a probe, whatever the student's code has prepared."""
    spy = """
        import os, threading
        answer, real = 1, os.fork

        def kept():
            child = real()
            if child == 0:
                return 0
            open("seen", "a").write(f"forked")
            return child

        os.fork = kept
        def f(x):
            open("/tmp/work/seen", "a").write(repr(x))
            return x
    """
    tests = """
        def ask(nb, x):
            return nb.f(x)

        @hidden_test(1, "f gives x.")
        def test_f(student):
            assert student.run(ask, "canary") == "canary"
    """
    exercise = Exercise(tmp_path, spy, tests)
    shows = "import time; time.sleep(0.3); import glob; print([open(p).read() for p in glob.glob('seen')])"
    graded = exercise.grade(library, spy, shows, "print(answer)")
    assert graded.result.score == 1
    assert "forked" in graded.notebook
    assert "canary" not in graded.notebook


def test_an_endless_probe_costs_its_own_test_only(tmp_path: Path, library: Path) -> None:
    tests = """
        def ask(nb, x):
            return nb.f(x)

        @hidden_test(1, "f(0) ends.")
        def test_f(student):
            assert student.run(ask, 0) == 0

        @hidden_test(1, "f gives x.")
        def test_g(student):
            assert student.run(ask, 1) == 1
    """
    answer = """
        answer = 0
        def f(x):
            while x == 0:
                pass
            return x
    """
    exercise = Exercise(tmp_path, "def f(x): return x\nanswer = 0", tests, points=2)
    began = time.monotonic()
    [cell] = exercise.grade(library, answer, question=0.3).result.cells
    assert [test.verdict for test in cell.tests] == [Verdict.TIMEOUT, Verdict.PASSED]
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("import os\ndef f(): os._exit(0)", Verdict.KERNEL_DIED),
        ("def f(): return bytearray(2**28) * 16", Verdict.OUT_OF_MEMORY),
        ("def f(): return [0.5] * 10**7", Verdict.FAILED),
    ],
)
def test_what_a_probe_runs_into_is_said(answer: str, verdict: Verdict, tmp_path: Path, library: Path) -> None:
    tests = """
        def ask(nb):
            return nb.f()

        @hidden_test(1, "f gives 0.")
        def test_f(student):
            assert student.run(ask) == 0
    """
    exercise = Exercise(tmp_path, "def f(): return 0\nanswer = 0", tests)
    result = exercise.result(library, f"{answer}\nanswer = 0", memory=2**30)
    assert result.verdict is verdict


# -- attacks -----------------------------------------------------------------------------------------------------------

ASKS_TWICE = """
    def ask(nb, x):
        return nb.f(x)

    @hidden_test(1, "f adds the secret 77.")
    def test_f(student):
        for x in (4177.25, 4177.5):
            expect(student.run(ask, x), lambda x: x + 77, x)
"""

LOOKS = """
    import gc, glob, linecache, sys, time
    time.sleep(0.2)
    secret = str(4100 + 77)
    print([str(o) for o in gc.get_objects() if isinstance(o, (str, dict, list, tuple)) and secret + "." in str(o)[:5000]])
    print([open(p, errors="replace").read() for p in glob.glob("/tmp/**/leak", recursive=True)])
    print([name for name in linecache.cache if "probe" in name], In, [name for name in sys.modules if "probe" == name])
"""
"""Two cells below the grade cell look for the inputs of the probes."""

ATTACKS = {
    "fake the fork": """
        import os
        os.fork = lambda: 0
    """,
    "answer for the child": """
        import os, socket, threading, time

        def impostor():
            time.sleep(0.1)
            for n in range(9):
                if os.path.exists(f"/tmp/s{n}"):
                    os.unlink(f"/tmp/s{n}")
                    listening = socket.socket(socket.AF_UNIX)
                    listening.bind(f"/tmp/s{n}")
                    listening.listen()
                    while True:
                        connection, _ = listening.accept()
                        connection.sendall(b"x")
                        open("/tmp/work/leak", "ab").write(connection.recv(10**6))
                        connection.close()
        threading.Thread(target=impostor, daemon=True).start()
    """,
    "take the place of the socket": """
        import os
        for n in range(9):
            os.symlink("/run/dbus/system_bus_socket", f"/tmp/s{n}")
    """,
    "outlive the probe": """
        import os, time

        def f(x):
            if os.fork() == 0:
                for _ in range(100):
                    open("/tmp/work/leak", "a").write(repr(x))
                    time.sleep(0.1)
            return 0.0
    """,
    "read the frames": """
        import sys

        def f(x):
            frame, seen = sys._getframe(1), []
            while frame:
                seen += [v for v in frame.f_locals.values() if isinstance(v, float) and v > x]
                frame = frame.f_back
            open("/tmp/work/leak", "a").write(repr((x, seen)))
            return seen[0] if seen else 0.0
    """,
    "put a secret into a name": """
        import linecache
        from course_lib.kernel.probes import MissingName

        def f(x):
            raise MissingName(repr(x) + "".join(linecache.getlines("<probe>")))
    """,
    "collide hashes": """
        class Slow(set):
            def __len__(self): return 300_000
            def __iter__(self): return (k * (2**61 - 1) for k in range(300_000))

        def f(x):
            return Slow()
    """,
    "ask for too much memory": """
        import numpy as np

        def f(x):
            a = np.zeros(100_000, "U10000")
            a[0] = "a" * 10_000
            return a[:1].repeat(100_000)
    """,
    "die and run again": """
        import os, signal

        def f(x):
            open("/tmp/leak", "w").write(repr(x))
            os.kill(1, signal.SIGTERM)
            os._exit(1)
    """,
    "patch torch before the fork": """
        import torch
        torch.allclose = torch.equal = lambda *args, **kwargs: True
        torch.Tensor.__eq__ = lambda a, b: True
        def f(x):
            return torch.zeros(())
    """,
    "change what is sent": """
        import course_lib.kernel.responder as responder
        responder.describe = lambda *args, **kwargs: {"kind": "float", "value": "nan"}
    """,
    "wait for the probe": """
        import time
        began = time.monotonic()
        def f(x):
            return x + 77 if time.monotonic() - began < 0.001 else 0.0
    """,
    "fork bomb": """
        import os, time
        def f(x):
            for _ in range(300):
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
            return 0.0
    """,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_on_a_probe_pays_or_leaks(name: str, tmp_path: Path, library: Path) -> None:
    right = "answer = 0\ndef f(x): return x + 77"
    exercise = Exercise(tmp_path, right, ASKS_TWICE)
    wrong = "answer = 0\n\ndef f(x):\n    return 0.0\n\n" + code(ATTACKS[name])
    graded = exercise.grade(library, wrong, LOOKS, "print(answer)", question=0.5, submission=60, tasks=100)
    assert graded.result.score == 0
    outputs = [cell.get("outputs") for cell in nbformat.reads(graded.notebook, as_version=4).cells]
    assert "secret" in str(outputs), "the looking cell has run"
    assert "4177" not in str(outputs)
    assert "4177" not in str(graded.result.public())
    honest = exercise.grade(library, right, question=0.5)
    assert honest.result.score == 1, "the next submission is not harmed"


def test_a_graded_attack_leaves_no_process(tmp_path: Path, library: Path) -> None:
    exercise = Exercise(tmp_path, "answer = 0\ndef f(x): return x + 77", ASKS_TWICE)
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    exercise.grade(library, f"answer = 0\n{code(ATTACKS['outlive the probe'])}")
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before


def test_without_a_fork_a_new_kernel_is_asked(optimizer: Exercise, library: Path) -> None:
    """As with a GPU in use."""
    no_fork = "import torch\ntorch.cuda.is_available = lambda: True\n"
    assert optimizer.result(library, no_fork + code(OPTIMIZER)).verdict is Verdict.PASSED
    counting = OPTIMIZER.replace("v.mul_(self.momentum)", "v.zero_()")
    assert optimizer.result(library, no_fork + code(counting)).verdict is Verdict.FAILED


def test_a_link_in_place_of_a_snapshot_is_not_followed(tmp_path: Path) -> None:
    """It could lead to a socket of the grader's machine."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "real"))
        (tmp_path / "link").symlink_to("real")
        with pytest.raises(ConnectionLost, match="link is not a socket"):
            SnapshotConnection(tmp_path / "link", kernel=1)
