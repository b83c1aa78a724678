"""`nbgrader autograde` on every attack and accident: no mark is raised, no honest point is lost, nothing is left."""

import os
import re
import sys
from pathlib import Path

import nbformat
import psutil
import pytest

from course_lib.results.result import Verdict
from tests.support.accidents import accidents, unreadable
from tests.support.attacks import attacks
from tests.support.courses import Course, find, nbgrader, result
from tests.support.tiny_course import ADD, CANARY, HONEST, WRONG_ADD, hand_in, make_course, notebook, release, written

LIMITS = {
    "cell": 2, "question": 1, "submission": 15, "memory": 600 * 2**20, "scratch": 2**27, "file": 2**26,
    "output": 2**18, "tasks": 100,
}  # fmt: skip

BREAKS_ITS_OWN_KERNEL = {
    "deep_json", "display_hook", "patched_describe", "patched_responder", "pickle", "raw_frames", "run_cell_hook", "silent_reply",
    "endless_rewriting", "no_delimiter_shell", "slow_code",
}  # fmt: skip
"""Attacks that also lose the points of ``mean``, because their kernel cannot answer any more."""
if sys.version_info[:2] == (3, 12):  # compiling its cells takes too much memory: they fail early, before the time limit
    BREAKS_ITS_OWN_KERNEL.remove("slow_code")

VERDICTS = {
    "endless_loop": "timeout", "patched_clock": "timeout", "silent_reply": "timeout", "exit_now": "kernel_died",
    "exit_when_asked": "kernel_died", "segfault": "kernel_died", "memory": "out_of_memory", "threads": "too_many_processes",
    "fork_bomb": "too_many_processes", "disk": "disk_full", "large_file": "disk_full", "output_flood": "too_much_output",
    "raw_frames": "invalid_answer", "no_delimiter_shell": "invalid_answer", "no_delimiter_iopub": "invalid_answer", "another_reply": "invalid_answer",
    "page_tables": "out_of_memory", "socket_buffers": "out_of_memory", "endless_rewriting": "unreadable", "lying_eq": "failed", "system_exit": "error",
}  # fmt: skip
"""The verdict that an attack must get for at least one hidden test; the other attacks may get any but "passed"."""


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A class of attackers and of honest students with accidents, graded by three workers."""
    folder = tmp_path_factory.mktemp("attacked") / "course"
    make_course(folder, LIMITS, workers=3)
    for name, content in attacks().items():
        hand_in(folder, f"attack {name}", content)
    for name, content in accidents().items():
        hand_in(folder, f"honest {name}", content)
    for name, content in unreadable().items():
        hand_in(folder, f"unreadable {name}", content)
    hand_in(folder, "honest with a secret", written(notebook(f"# {CANARY}_of_another_student\n{ADD}")))
    release(folder)
    os.environ["GRADER_SECRET"] = f"{CANARY}_environment"
    try:
        run = nbgrader(folder, "autograde", "tiny")
    finally:
        del os.environ["GRADER_SECRET"]
    assert run.returncode == 0, run.stderr[-5000:]
    for students in ("attack [e-h]*", "attack [ls][aeilno]*", "honest p*", "unreadable*"):
        feedback = nbgrader(folder, "generate_feedback", "tiny", f"--student={students}")
        assert feedback.returncode == 0, feedback.stderr[-5000:]
    return Course(folder, run)


def marks(course: Course, student: str) -> dict[str, float]:
    with course.gradebook() as gradebook:
        return {g.name: g.auto_score for g in gradebook.find_submission_notebook("tiny", "tiny", student).grades}


@pytest.mark.parametrize("name", attacks())
def test_an_attack_earns_what_a_wrong_answer_earns(attacked: Course, name: str) -> None:
    expected = dict.fromkeys(WRONG_ADD, 0.0) if name in BREAKS_ITS_OWN_KERNEL else WRONG_ADD
    assert marks(attacked, f"attack {name}") == expected


@pytest.mark.parametrize("name", attacks())
def test_an_attack_gets_the_verdict_it_deserves(attacked: Course, name: str) -> None:
    cells = result(attacked.folder, f"attack {name}", "tiny")["cells"]
    found = {test["verdict"] for cell in cells if cell["grade_id"] == "test_add" for test in cell["tests"]}
    assert found <= set(Verdict) - {"passed"}
    if name in VERDICTS:
        assert VERDICTS[name] in found


@pytest.mark.parametrize("name", [*accidents(), "with a secret"])
def test_an_honest_student_keeps_every_point(attacked: Course, name: str) -> None:
    assert marks(attacked, f"honest {name}") == HONEST


@pytest.mark.parametrize("name", unreadable())
def test_an_unreadable_file_gets_zero_and_a_reason(attacked: Course, name: str) -> None:
    student = f"unreadable {name}"
    assert marks(attacked, student) == {"test_add": 0.0, "test_mean": 0.0}
    cells = result(attacked.folder, student, "tiny")["cells"]
    assert {test["verdict"] for cell in cells for test in cell["tests"]} <= {"unreadable", "not_attempted"}
    page = (attacked.folder / "feedback" / student / "tiny" / "tiny.html").read_text()
    assert "rendez-le à nouveau" in page or "non traité" in page


def test_a_student_sees_no_secret(attacked: Course) -> None:
    shown = [*(attacked.folder / "autograded").rglob("*"), *(attacked.folder / "feedback").rglob("*")]
    files = [path for path in shown if path.is_file() and ".results" not in path.parts]  # the instructor's
    assert len(files) > 120
    for path in files:
        own = "honest with a secret" in str(path)
        text = path.read_bytes().decode(errors="replace").replace(f"{CANARY}_of_another_student", "" if own else CANARY)
        assert CANARY not in text, path
    assert CANARY not in attacked.autograde.stderr + attacked.autograde.stdout


def test_no_script_reaches_the_instructors_browser(attacked: Course) -> None:
    node = nbformat.read(
        attacked.folder / "autograded" / "attack script_in_outputs" / "tiny" / "tiny.ipynb", as_version=4
    )
    for output in (o for cell in node.cells for o in cell.get("outputs", [])):
        data = output.get("data", {})
        assert set(data) <= {"text/plain", "text/html", "text/markdown", "image/png", "image/jpeg"}
        for kind in ("text/html", "text/markdown"):
            assert "<script" not in data.get(kind, "")
            assert "<iframe" not in data.get(kind, "")
            assert "onerror=" not in data.get(kind, "").split("&lt;")[0]


def test_no_foreign_link_reaches_the_instructors_browser(attacked: Course) -> None:
    """Markdown is cleaned after it is rendered, because only rendering shows what is a link."""
    page = (attacked.folder / "feedback" / "attack foreign_links" / "tiny" / "tiny.html").read_text()
    body = page[page.index("<body") :]
    assert body.count("█" * 50) == 4
    rendered = re.sub(r"(?s)<pre.*?</pre>", "", body)
    assert "image-set" not in rendered
    assert len(re.findall("3000px|400px|250px 2000px", rendered)) == 6, (
        "each of three covers is there as a text and as an output"
    )
    for cover in re.finditer(r"3000px|400px|250px 2000px|rule\[-200px\]", rendered):
        start = rendered[: cover.start()].rindex("contain:paint")
        assert rendered.count("</div>", start, cover.start()) < rendered.count("<div", start, cover.start()) + 1
    for address in re.findall(r"(?:href|src)\s*=\s*[\"']([^\"']*)", body):
        assert not re.match(r"(?i)\s*(javascript|data:text|http://127|/formgrader)", address)
    for word in ("alert(1)", "modal-backdrop", "margin:-", "opacity"):
        assert word not in body.replace("&lt;script&gt;alert(1)", "")


def test_nothing_covers_the_judges_result(attacked: Course) -> None:
    path = attacked.folder / "autograded" / "attack forged_box" / "tiny" / "tiny.ipynb"
    node = find(nbformat.read(path, as_version=4), "test_add")
    first, *others = [o.data["text/html"] for o in node.outputs if "text/html" in o.get("data", {})]
    assert "0&nbsp;/&nbsp;1.5" in first
    assert others
    for html in others:
        assert not re.search("opacity|margin|height|position", html)
        assert html.startswith("<div style='contain:paint;overflow:hidden'>")


def test_a_pasted_picture_is_shown(attacked: Course) -> None:
    page = (attacked.folder / "feedback" / "honest pictures" / "tiny" / "tiny.html").read_text()
    assert page.count("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ") == 1
    assert "![image.png](attachment:image.png)" in page


def test_no_autograded_notebook_is_large(attacked: Course) -> None:
    for path in (attacked.folder / "autograded").rglob("*.ipynb"):
        assert path.stat().st_size < 3 * LIMITS["output"], path


def test_no_process_and_no_file_is_left(attacked: Course) -> None:
    lines = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    ours = str(attacked.folder)
    assert not [line for line in lines if "sleep 7171" in line]
    assert not [line for line in lines if ours in line and ("bwrap" in line or "kernel.fork_server" in line)]
    for name in ("owned", "owned_by_pickle", "torch.py", "evil.pth"):
        for folder in (attacked.folder, attacked.folder.parent, Path("/tmp"), Path.home()):
            assert not (folder / name).exists()
    assert not list((attacked.folder / "submitted").rglob("*.py"))


def test_every_submission_is_graded_in_limited_time(attacked: Course) -> None:
    for student in (attacked.folder / "submitted").iterdir():
        assert result(attacked.folder, student.name, "tiny")["seconds"] < LIMITS["submission"] + 20
