"""One notebook in one kernel: what student code does to it, and what is left of the rest."""

import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import zmq
from ipykernel.iostream import IOPubThread
from jupyter_client.session import Session as MessageSession
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import ansi2html
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_lib import messages
from course_lib.assignment.cells import EXTRA
from course_lib.authoring.notebook import StudentNotebook
from course_lib.judge import kernel_client, notebook_runner
from course_lib.judge.kernel_client import TimeLimit
from course_lib.judge.kernel_process import KernelProcess, KernelSettings
from course_lib.judge.limits import Limits
from course_lib.judge.notebook_runner import NotebookRunner
from course_lib.judge.parse_timeout import ParseTimeout, parse_timeout
from course_lib.judge.sanitize import (
    MAX_SOURCE,
    clean_html,
    drop_outputs,
    highlight_code,
    markdown2html,
    sanitize_notebook,
)
from course_lib.judge.task import Device, Protection
from course_lib.kernel import MAX_TRAINING_REQUESTS
from course_lib.kernel.app import Stream
from course_lib.kernel.wire import MAX_BYTES, Packet
from course_lib.results.failures import StudentFailure
from course_lib.results.result import Verdict
from tests.support.courses import PROTECTIONS

LIMITS = Limits(cell=3, question=2, threads=1)


def notebook_of(*sources: str) -> NotebookNode:
    return new_notebook(cells=[new_code_cell(source) for source in sources])


def test_a_displayed_title_is_shown_as_plain_text() -> None:
    output = new_output("display_data", {"text/markdown": "#### Counts of #1", "text/plain": "<Markdown object>"})
    notebook = new_notebook(cells=[new_code_cell("", outputs=[output], execution_count=7)])
    sanitize_notebook(notebook)
    assert notebook.cells[0].outputs[0].data == {"text/plain": "Counts of #1"}
    assert notebook.cells[0].execution_count is None, "of another count than the student's"


def test_cells_and_questions_survive_everything(library: Path) -> None:
    """One kernel after another, in one test: starting them is what takes time."""
    notebook = notebook_of(
        "import torch, os, time\nx = 3",
        "z = 7\nraise ValueError('mine')",
        "while True: pass",
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "def double(t): return 2 * t\nprint(torch.rand(1).item())",
        "os._exit(1)",
        "y = x + 1\ndef deadly(): os._exit(1)\ndef endless():\n    while True: pass",
    )
    began = time.monotonic()
    with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
        session.run_until(len(notebook.cells))
        student = StudentNotebook(session.ask)
        assert (student.value("y"), student.value("z")) == (4, 7), "what came before the cells at fault was run again"
        assert torch.equal(student.tensor("double", torch.ones(2), shape=(2,)), torch.full((2,), 2.0))
        assert student.number("double", torch.tensor(2.0)) == 4
        with pytest.raises(StudentFailure, match="too large") as caught:  # weights of a model of the student's own size
            session.ask(Packet({"ask": "ping"}, {"w0": torch.zeros(MAX_BYTES + 1, dtype=torch.uint8)}))
        assert caught.value.verdict is Verdict.FAILED
        for name, verdict in (("deadly", Verdict.KERNEL_DIED), ("endless", Verdict.TIMEOUT)):
            with pytest.raises(StudentFailure) as caught:
                student.call(name)
            assert caught.value.verdict is verdict
            assert student.value("y") == 4
    passed, error, timeout, died = Verdict.PASSED, Verdict.ERROR, Verdict.TIMEOUT, Verdict.KERNEL_DIED
    assert list(session.outcomes.values()) == [passed, error, timeout, timeout, passed, died, passed]
    shown = [(cell.outputs[-1].ename, cell.outputs[-1].evalue) for cell in (notebook.cells[2], notebook.cells[5])]
    assert shown == [(verdict, messages.say(f"hint.{verdict}")) for verdict in (timeout, died)]
    assert time.monotonic() - began < 120


def test_the_judge_itself_finds_changed_arguments(library: Path) -> None:
    code = "import torch\ntorch.equal = torch.allclose = lambda *tensors, **settings: True\n"
    notebook = notebook_of(code + "def changes(t, n): t += n\ndef reads(t, n): return t + n")
    with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
        session.run_until(1)
        student = StudentNotebook(session.ask)
        student.must_not_modify("reads", torch.ones(2), 1.0)
        with pytest.raises(StudentFailure) as failure:
            student.must_not_modify("changes", torch.ones(2), 1.0)
    assert failure.value.detail == messages.say("cause.modified")


def test_exit_ends_the_cell_and_not_the_kernel(library: Path) -> None:
    notebook = notebook_of("x = 3\nexit()\nx = 4", "quit", "def leave(): exit()\ny = x + 1")
    with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
        session.run_until(len(notebook.cells))
        time.sleep(0.5)
        student = StudentNotebook(session.ask)
        with pytest.raises(StudentFailure, match="exit, quit"):
            student.call("leave")
        time.sleep(0.5)
        assert student.value("y") == 4
    assert list(session.outcomes.values()) == [Verdict.ERROR, Verdict.ERROR, Verdict.PASSED]


def test_output_of_another_thread_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after the kernel has said that the cell is over, nobody reads."""
    thread = IOPubThread(zmq.Context.instance().socket(zmq.PUB))
    thread.start()
    stream = Stream(MessageSession(), thread, "stdout", watchfd=False)
    begun, sent = threading.Event(), []

    def slow(*args: object, **kwargs: object) -> None:
        begun.set()
        time.sleep(0.3)
        sent.append(1)

    monkeypatch.setattr(stream.session, "send", slow)
    stream.write("a")
    begun.wait(10)  # the thread sends after 0.2 s by itself
    stream.flush()
    waited = bool(sent)
    thread.stop()
    thread.close()
    assert waited


def test_a_cell_may_await(library: Path) -> None:
    notebook = notebook_of(
        "import asyncio\nawait asyncio.sleep(0.01)\nx = 3\nprint(x)",
        "while True: await asyncio.sleep(0.01)",
        "y = x + 1",
    )
    with NotebookRunner(notebook, KernelSettings(library, replace(LIMITS, cell=1, restarts=0))) as session:
        session.run_until(3)
        assert StudentNotebook(session.ask).value("y") == 4, "what awaits is interrupted, in the same kernel"
    assert list(session.outcomes.values()) == [Verdict.PASSED, Verdict.TIMEOUT, Verdict.PASSED]
    assert notebook.cells[0].outputs[0].text == "3\n"


@pytest.mark.parametrize("protection", ["bubblewrap", "none"])
def test_the_kernel_knows_nothing_of_the_judge(library: Path, protection: Protection) -> None:
    notebook = notebook_of(
        "import os, sys, importlib.util, pathlib, course_lib, random, numpy, torch\n"
        "files = sorted(p.name for p in pathlib.Path(course_lib.__file__).parent.rglob('*'))\n"
        "names = [n for n in ('judge', 'authoring', 'reference') if importlib.util.find_spec('course_lib.' + n)]\n"
        "modules = [m for m in sys.modules if m.startswith(('course_lib.judge', 'course_lib.authoring', 'course_lib.reference'))]\n"
        "environment = ' '.join(sorted(os.environ))\n"
        "here = sorted(os.listdir())\n"
        "result = repr((names, modules, here))\n"
        "home, threads = os.environ['HOME'], torch.get_num_threads()",
        "random.seed = numpy.random.seed = torch.manual_seed = 0  # a slip of the pen",
        "seeded = random.random() + numpy.random.rand() + torch.rand(1).item()",
    )
    values = []
    for _ in range(2):
        with NotebookRunner(notebook, KernelSettings(library, LIMITS, protection)) as session:
            session.run_until(3)
            student = StudentNotebook(session.ask)
            assert student.value("result") == "([], [], [])"
            assert student.value("threads") == LIMITS.threads
            environment = student.value("environment")
            assert isinstance(environment, str)
            assert "PYTEST_CURRENT_TEST" not in environment.split()
            values.append(student.value("seeded"))
            home = student.value("home")
        assert not Path(str(home)).exists(), "nothing is left of a session"
    assert values[0] == values[1], "seeds are set before each cell"


def test_a_notebook_may_start_programs_and_write_accents(library: Path) -> None:
    notebook = notebook_of(
        "import locale, os\nlocale.setlocale(locale.LC_ALL, '')\nwith open('été', 'w') as file: file.write('là')",
        "!python -c 'print(6 * 7)'\n!ls -x; cat été",
        "os.environ['PATH'] += ':' + os.getcwd()",
    )
    with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
        session.run_until(3)
    assert set(session.outcomes.values()) == {Verdict.PASSED}, notebook.cells
    assert notebook.cells[1].outputs[0].text.split() == ["42", "été", "là"]


def assert_n(library: Path, source: str, n: int, limits: Limits = LIMITS) -> None:
    """Run a cell in a graders' kernel, and see what it has made of ``n``."""
    notebook = notebook_of(source)
    with NotebookRunner(notebook, KernelSettings(library, limits)) as session:
        session.run_until(1)
        assert StudentNotebook(session.ask).value("n") == n, notebook.cells[0].outputs


@pytest.mark.long
def test_a_model_may_be_compiled(library: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("torch.compile needs a compiler")
    source = "import torch\nn = torch.compile(torch.nn.Linear(3, 2))(torch.ones(1, 3)).shape[1]"
    assert_n(library, source, 2, Limits())


def test_mnist_may_be_unpacked_beside_the_notebook(library: Path) -> None:
    assert_n(library, "import course_lib as ooo\nn = len(ooo.load_mnist('data')[1])", 10_000)


def test_models_may_be_trained_in_threads(library: Path) -> None:
    source = (
        "import course_lib as ooo, torch\nfrom concurrent.futures import ThreadPoolExecutor\nx = torch.ones(9, 2)\n"
        "@ooo.training_loop\ndef fit(model, x, y):\n    return ooo.ConvergenceHistory()\n"
        "def train(_): return fit(torch.nn.Linear(2, 2), x, x[:, 0].long())\n"
        "with ThreadPoolExecutor(8) as threads: n = len(list(threads.map(train, range(30))))"
    )
    assert_n(library, source, 30)


def test_a_cell_may_train_more_models_than_are_answered(library: Path) -> None:
    notebook = notebook_of(
        "import course_lib as ooo, torch\nx = torch.ones(9, 2)\nmodel = torch.nn.Linear(2, 2)\n"
        "@ooo.training_loop\ndef fit(model, x, y):\n    return ooo.ConvergenceHistory()",
        f"for n in range({MAX_TRAINING_REQUESTS + 9}): fit(model, x, x[:, 0].long())",
        "fit(model, x, x[:, 0].long())",
        "fit(model, x, x[:, 0].long())",
    )
    requests: list[Packet] = []

    def answer(request: Packet) -> Packet:
        requests.append(request)
        if len(requests) > MAX_TRAINING_REQUESTS + 1:
            raise OSError("the disk is full")
        return Packet()

    with NotebookRunner(
        notebook, KernelSettings(library, LIMITS), answer_training=lambda request, running: answer(request)
    ) as session:
        session.run_until(3)
        with pytest.raises(OSError, match="the disk is full"):  # the grader's fault, and no cell's
            session.run_until(4)
    assert set(session.outcomes.values()) == {Verdict.PASSED}
    assert len(requests) == MAX_TRAINING_REQUESTS + 2


WORK = "import time\ndef work(seconds):\n    while time.process_time() - begun < seconds: pass\nbegun = time.process_time()\n"


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_waiting_is_not_computing(library: Path, protection: Protection) -> None:
    """A machine that has no time for a kernel costs nobody a point; one that never gets on is stopped all the same."""
    limits = Limits(cell=1, question=1, threads=1)
    check = {"nbgrader": {"grade_id": "test_work", "grade": True, "solution": False, "locked": True}}
    notebook = notebook_of("import time; time.sleep(2)", f"{WORK}work(5)", "time.sleep(60)", f"{WORK}work(2.5)")
    notebook.cells[3].metadata = check
    with NotebookRunner(notebook, KernelSettings(library, replace(limits, cell=2), protection)) as session:
        session.run_until(4)
    passed, timeout = Verdict.PASSED, Verdict.TIMEOUT
    assert list(session.outcomes.values()) == [passed, timeout, timeout, timeout]
    assert session.seconds["cells"] < 2 + 2 + 6 + 1 + 6


def test_outputs_are_kept_up_to_a_length(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_client, "FLOOD_MESSAGES", 50)
    monkeypatch.setattr(kernel_client, "NOTEBOOK_OUTPUT_FACTOR", 2)
    much = "for _ in range(20): print('x' * 999, flush=True)"
    notebook = notebook_of(much, much, much, "import time\nfor i in range(200): print(i, flush=True); time.sleep(0.01)")
    with NotebookRunner(notebook, KernelSettings(library, replace(LIMITS, output=10_000))) as session:
        session.run_until(4)
    assert list(session.outcomes.values()) == [*[Verdict.PASSED] * 3, Verdict.TOO_MUCH_OUTPUT]
    kept, cuts = zip(*(cell.outputs for cell in notebook.cells[:3]), strict=True)
    assert [cut.text for cut in cuts] == [messages.say("output.cut")] * 3
    first, second, third = (len(output.text) for output in kept)
    assert 10_000 > first == second > third, "of all cells together, too"


def test_a_message_that_is_too_large_is_not_taken(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge's memory is not the kernel's."""
    monkeypatch.setattr(kernel_client, "MAX_BYTES", 0)
    notebook = notebook_of("print('x' * 3 * 2**20)")
    with NotebookRunner(notebook, KernelSettings(library, replace(LIMITS, cell=0.5))) as session:
        session.run_until(1)
    assert session.outcomes[0] is not Verdict.PASSED


def test_a_kernel_is_started_again_a_few_times_only(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []

    class CountedKernel(KernelProcess):
        def __init__(self, *arguments: Any) -> None:
            starts.append(1)
            super().__init__(*arguments)

    monkeypatch.setattr(notebook_runner, "KernelProcess", CountedKernel)
    notebook = notebook_of("while True: pass", *["import os; os._exit(1)"] * 4)
    with NotebookRunner(notebook, KernelSettings(library, replace(LIMITS, cell=0.5, restarts=2))) as session:
        session.run_until(5)
        with pytest.raises(StudentFailure) as caught:
            session.ask(Packet({"ask": "ping"}))
    assert (caught.value.verdict, caught.value.detail) == (Verdict.KERNEL_DIED, ""), "time was not the reason"
    assert list(session.outcomes.values()) == [Verdict.TIMEOUT, *[Verdict.KERNEL_DIED] * 4]
    assert len(starts) == 3


def test_a_cell_that_took_all_the_time_is_named(library: Path) -> None:
    with NotebookRunner(
        notebook_of("# mine\nwhile True: pass", "1"), KernelSettings(library, replace(LIMITS, submission=1))
    ) as session:
        session.run_until(2)
        with pytest.raises(StudentFailure) as caught:
            session.ask(Packet({"ask": "ping"}))
    assert (caught.value.verdict, caught.value.detail) == (Verdict.TIMEOUT, "# mine")


def test_a_question_about_many_images_has_more_time(library: Path) -> None:
    code = f"{WORK}def f(t):\n    global begun\n    begun = time.process_time()\n    work(1.5)\n    return t"
    with NotebookRunner(notebook_of(code), KernelSettings(library, Limits(question=1, threads=1))) as session:
        session.run_until(1)
        student = StudentNotebook(session.ask)
        assert torch.equal(student.tensor("f", torch.ones(2001), shape=(2001,)), torch.ones(2001))
        with pytest.raises(StudentFailure) as caught:
            student.call("f", torch.ones(1000))
        assert caught.value.verdict is Verdict.TIMEOUT


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_a_figure_is_shown_once(library: Path, protection: Protection) -> None:
    notebook = notebook_of(
        "import course_lib as ooo, numpy as np, sys\nx = np.eye(4)[None]\nfigure = ooo.plot_images(x)",
        "ooo.plot_images(x)",
        "figure",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nNone",
        "print(1)\nprint(2, file=sys.stderr)\nprint(3)",
        "from comm import create_comm\n"
        "widget = create_comm(target_name='jupyter.widget', data={'state': {'value': 1}})\n"
        "display({'application/vnd.jupyter.widget-view+json': {'model_id': widget.comm_id}, 'text/plain': '100 %', 'text/html': [1]}, raw=True)",
    )
    with NotebookRunner(notebook, KernelSettings(library, LIMITS, protection)) as session:
        session.run_until(6)
    for cell in notebook.cells[:4]:
        assert [o.output_type for o in cell.outputs if "image/png" in o.get("data", {})] == [
            cell.outputs[-1].output_type
        ]
        assert len(cell.outputs) == 1
    sanitize_notebook(notebook)
    assert notebook.cells[0].outputs[0].metadata["image/png"]["alt"] == "1 image"
    assert [o.text for o in notebook.cells[4].outputs] == ["1\n3\n", "2\n"], "streams are joined"
    assert [o.data for o in notebook.cells[5].outputs] == [{"text/plain": "100 %"}], "a widget needs its kernel"
    assert "widgets" not in notebook.metadata


def test_figures_are_shown_in_their_order(library: Path) -> None:
    notebook = notebook_of(
        "import course_lib as ooo, numpy as np\nimport matplotlib.pyplot as plt",
        "_, ax = plt.subplots()\nfigure = ooo.plot_images(np.eye(4)[None])\nopen_now = len(plt.get_fignums())",
    )
    with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
        session.run_until(2)
        assert StudentNotebook(session.ask).value("open_now") == 0, "as in a student's kernel"
    own, courses = notebook.cells[1].outputs
    assert "Figure size 640x480" in own.data["text/plain"]
    assert "alt" in str(courses.metadata)


def test_long_prints_lose_their_end_tracebacks_their_start() -> None:
    printed = "".join(f"{i}\n" for i in range(700))
    outputs = [new_output("stream", name=name, text=printed) for name in ("stdout", "stderr", "stdout")]
    outputs.append(new_output("error", ename="E", evalue="", traceback=[str(i) for i in range(300)]))
    notebook = new_notebook(cells=[new_code_cell("x", outputs=outputs)])
    sanitize_notebook(notebook)
    first, second, error = notebook.cells[0].outputs
    assert first.text == printed
    assert second.text == "".join(f"{i}\n" for i in range(300)) + "[... la suite des sorties est coupée]"
    assert error.traceback == [str(i) for i in range(200, 300)]


def test_colours_without_end_are_shown_without_colours() -> None:
    """A page is made in seconds: ``nbgrader generate_feedback`` makes those of a class one after another."""
    many, long = "\x1b[31mx" * 400_000, f"\x1b[{'1;' * 500_000}mx"
    outputs = [
        new_output("stream", text="\x1b[31mred\x1b[0m"),
        new_output("stream", text=many),
        new_output("error", ename="E", evalue="", traceback=[long, many]),
        new_output("display_data", {"text/plain": many}),
        *(new_output("stream", text="\x1b[31mx" * 15_000) for _ in range(50)),
    ]
    notebook = new_notebook(cells=[new_code_cell("x", outputs=part) for part in (outputs[:9], outputs[9:])])
    began = time.monotonic()
    sanitize_notebook(notebook)
    red, stream, error, data, *others = [output for cell in notebook.cells for output in cell.outputs]
    pages = [ansi2html(text) for text in (red.text, stream.text, *error.traceback, *(other.text for other in others))]
    assert time.monotonic() - began < 5
    assert pages[:2] == ['<span class="ansi-red-fg">red</span>', "x" * 400_000]
    assert sum("ansi" in page for page in pages) == 2
    assert data.data["text/plain"] == "x" * 400_000


@pytest.mark.parametrize(("html", "never"), [
    ('<img src="https://evil.org/x.png">', "evil"), ('<img src="data:text/html,evil">', "evil"), ('<a href=" DATA:image/png,evil">a</a>', "evil"),
    ('<a href="data:image/svg+xml,evil">a</a>', "evil"), ('<a href="/formgrader">a</a>', "formgrader"), ('<p style="position:fixed;color:red">a</p>', "position"),
    ('<p style="background:url(https://evil.org)">a</p>', "evil"), ("<p style='background:image-set(\"evil\" 1x)'>a</p>", "evil"),
    ("<p style='color:r\\65 d'>a</p>", "65"), ('<div class="modal-backdrop">a</div>', "modal"), ("<script>evil()</script>", "evil"),
    ('<p onclick="evil()">a</p>', "evil"),
])  # fmt: skip
def test_html_can_neither_load_nor_cover_a_page(html: str, never: str) -> None:
    clean = clean_html(html)
    assert never not in clean
    assert clean.startswith("<div style='contain:paint;overflow:hidden'>")
    kept = "color:rgb(1, 2, 3)", "data:image/png;base64,aGk="
    shown = clean_html(f'<p style="{kept[0]}"><img src="{kept[1]}"></p>')
    assert all(part in shown for part in kept)


def test_slow_or_invalid_outputs_are_not_rendered() -> None:
    for tags in ("<b>" * 10_000, "<B>" * 10_000, f"<b title={'a' * 10_000}>" * 20):
        with pytest.raises(ValueError, match="unclosed"):
            clean_html(tags)
    data = {"text/html": "<p>a</p>" * 20_000, "image/png": '"><script>', "text/plain": "a", "text/latex": "$a$"}
    metadata = {"image/png": {"alt": "a" * 2000, "width": '"><script>'}}
    notebook = new_notebook(cells=[new_code_cell("", outputs=[new_output("display_data", data, metadata=metadata)])])
    sanitize_notebook(notebook)
    assert notebook.cells[0].outputs[0].data == {"text/plain": "a"}
    assert notebook.cells[0].outputs[0].metadata == {"image/png": {"alt": "a" * 1000}}
    missing = markdown2html({}, "![<script>](attachment:none.png)")
    assert missing == "<pre>![&lt;script&gt;](attachment:none.png)</pre>"
    assert "evil" not in markdown2html({}, "*a*<script>evil()</script>")
    for source in ("<script>" * 200, "<script>\n" * 10_000):
        assert highlight_code(source).count("&lt;script&gt;") == source.count("<script>")
        assert "<span" not in highlight_code(source)


def test_a_students_source_is_shown_up_to_a_length() -> None:
    own = {EXTRA: True}
    text, given = (
        new_markdown_cell("a" + " " * 1000 + "b", metadata=own),
        new_markdown_cell("c" * 300_000 + " " * 100 + "c"),
    )
    long = [
        new_markdown_cell("d" * 30_000, metadata={"nbgrader": {"solution": True}}),  # an answer in its place
        *(new_code_cell("e" * 150_000, metadata=own) for _ in range(3)),
    ]
    notebook = new_notebook(cells=[text, given, *long])
    sanitize_notebook(notebook)
    assert text.source == "a b"
    assert given.source == "c" * 300_000 + " " * 100 + "c"
    shown = [cell.source.count(letter) for cell, letter in zip(long, "deee", strict=True)]
    assert shown == [20_000, 150_000, MAX_SOURCE - 170_000 - 7, 0]
    assert [cell.source.endswith(" […]") for cell in long] == [True, False, True, True]
    long[1].outputs = [new_output("stream", text="f" * 1000)]
    long[0].source *= 2
    drop_outputs(notebook)
    assert [output.text for output in long[1].outputs] == [messages.say("output.cut")]
    assert long[2].outputs == []
    assert len(long[0].source) == 20_000


def test_a_long_style_is_left_out_in_no_time() -> None:
    output = new_output("display_data", {"text/html": f"<p style='color:{'a' * 30_000}'>text</p>"})
    notebook = new_notebook(cells=[new_code_cell("x", outputs=[output] * 5)])
    began = time.monotonic()
    sanitize_notebook(notebook)
    assert time.monotonic() - began < 2
    assert "<p>text</p>" in notebook.cells[0].outputs[0].data["text/html"]


def test_html_with_many_attributes_is_cleaned_in_time() -> None:
    """The cleaner swallows what is raised while it asks about an attribute."""
    html = "<p style='color:red'>" * 4000
    began = time.monotonic()

    def clean_for_ten_seconds() -> None:
        while time.monotonic() - began < 10:
            clean_html(html)

    with pytest.raises(ParseTimeout), parse_timeout(0.5):
        clean_for_ten_seconds()
    assert time.monotonic() - began < 8


def test_of_a_pictures_metadata_only_its_alt_text_is_kept(library: Path) -> None:
    """Nbconvert writes widths into the page as they are."""
    width = {"width": "1 onload=alert(1)", "alt": '"><script>' + 2000 * "x"}
    code = f"display({{'image/png': 'AAAA'}}, raw=True, metadata={{'image/png': {width!r}, 'width': {{'alt': 'x'}}}})"
    notebook = notebook_of(code)
    with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
        session.run_until(1)
    sanitize_notebook(notebook)
    assert notebook.cells[0].outputs[0].metadata == {"image/png": {"alt": width["alt"][:1000]}}
    page = HTMLExporter(template_name="classic").from_notebook_node(notebook)[0]
    assert "onload" not in page.split("output_png")[-1]
    assert "<script>xx" not in page


def test_a_picture_shown_a_thousand_times_is_left_out() -> None:
    """Each time, the page would have all of it again."""
    pictures = {name: {"image/png": "A" * 400_000} for name in "abcdefghijklmnopqrstuvwxyz"}
    for text, times, kept in (
        ("![](attachment:a)", 26, True),
        ("![](attachment:a)", 1100, False),
        ("<IMG src='attachment:a'>", 1100, False),
    ):
        cell = new_markdown_cell(text * times, attachments=pictures, metadata={EXTRA: True})
        notebook = new_notebook(cells=[cell])
        sanitize_notebook(notebook)
        assert ("attachments" in notebook.cells[0]) == kept


def test_waiting_for_a_free_core_is_not_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may take all cores for as long as they like."""
    for starved, over in ((0.0, True), (10.0, False)):
        monkeypatch.setattr(TimeLimit, "starved", 0.0)
        time_limit = TimeLimit(os.getpid(), 100, 0.05, 100)
        assert not time_limit.is_over
        monkeypatch.setattr(TimeLimit, "starved", starved)
        time.sleep(0.1)
        assert time_limit.is_over == over


def test_waiting_for_a_core_ends_with_the_submissions_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who takes the cores may be processes of its own."""
    monkeypatch.setattr(TimeLimit, "starved", 0.0)
    time_limit = TimeLimit(os.getpid(), 100, 0.05, 0.1)
    assert not time_limit.is_over
    monkeypatch.setattr(TimeLimit, "starved", 1000.0)
    time.sleep(0.15)
    assert time_limit.is_over


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this Linux does not count it")
def test_the_time_in_which_no_core_is_free_is_counted() -> None:
    """Two processes on one core."""
    code = "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    try:
        time_limit = TimeLimit(both[0].pid, 100, 100, 100)
        before = time_limit.starved
        deadline = time.monotonic() + 30
        while time_limit.starved < before + 0.2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert time_limit.starved >= before + 0.2
    finally:
        for one in both:
            one.kill()
            one.wait()


def test_a_progress_bar_is_one_line() -> None:
    bar = "\r".join(f"{i} %" for i in range(2000))
    notebook = new_notebook(cells=[new_code_cell("x", outputs=[new_output("stream", text=bar)])])
    sanitize_notebook(notebook)
    assert notebook.cells[0].outputs[0].text == bar


@pytest.mark.parametrize("protection", PROTECTIONS)
@pytest.mark.parametrize(("device", "cards"), [("cpu", ""), ("cuda", "1")])
def test_a_kernel_on_the_cpu_has_no_gpu(
    library: Path, monkeypatch: pytest.MonkeyPatch, protection: Protection, device: Device, cards: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    code = "import os\nsaid = os.environ['COURSE_LIB_DEVICE'] + ' ' + os.environ['CUDA_VISIBLE_DEVICES']"
    with NotebookRunner(notebook_of(code), KernelSettings(library, LIMITS, protection, device=device)) as session:
        session.run_until(1)
        assert StudentNotebook(session.ask).value("said") == f"{device} {cards}"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_kernel_speaks_the_language_of_the_grading(library: Path, language: str) -> None:
    """The process that it is forked from has imported course_lib before that was known."""
    before = messages.language()
    messages.set_language(language)
    try:
        with NotebookRunner(
            notebook_of("import course_lib\nspoken = course_lib.language()"), KernelSettings(library, LIMITS)
        ) as session:
            session.run_until(1)
            assert StudentNotebook(session.ask).value("spoken") == language
    finally:
        messages.set_language(before)


def test_a_long_line_is_kept_in_no_time(library: Path) -> None:
    """A carriage return still takes back what stands before it in its line."""
    notebook = notebook_of("print('kept\\r\\n1 %\\r2 %\\rdone\\n' + 'x' * 400_000)")
    began = time.monotonic()
    with NotebookRunner(notebook, KernelSettings(library, LIMITS)) as session:
        session.run_until(1)
    assert time.monotonic() - began < 20
    [output] = notebook.cells[0].outputs
    assert output.text == "kept\r\ndone\n" + "x" * 400_000 + "\n"
