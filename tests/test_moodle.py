"""`nbgrader zip_collect` on downloads of Moodle, made here as Moodle makes them."""

import io
import subprocess
import unicodedata
import zipfile
from pathlib import Path

import pytest
import tiny_course
from courses import marks, nbgrader
from nbgrader.api import Gradebook
from nbgrader.apps import ZipCollectApp
from nbgrader.coursedir import CourseDirectory
from tiny_course import HONEST, notebook, written

from course_lib.nbgrader_plugins import moodle

RIGHT, ADD_WRONG = written(notebook()), written(notebook(add="def add(x):\n    return x"))
OTHER = written(notebook(mean="def mean(t):\n    return t.sum()"))


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with these files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def link(target: str) -> bytes:
    """A zip with `tiny.ipynb`, a link to `target`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        info = zipfile.ZipInfo("tiny.ipynb")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, target)
    return content.getvalue()


def encrypted() -> bytes:
    """A zip that says of its file that it has a password."""
    content = bytearray(zipped({"tiny.ipynb": RIGHT}))
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    return bytes(content)


def from_the_future() -> bytes:
    """A zip that says that a later program is needed."""
    content = bytearray(zipped({"tiny.ipynb": RIGHT}))
    content[content.index(b"PK\1\2") + 6] = 99
    return bytes(content)


def nested(depth: int) -> bytes:
    """A right answer in a zip in a zip ..."""
    content = RIGHT
    for level in range(depth):
        content = zipped({"tiny.zip" if level else "tiny.ipynb": content})
    return content


LIBRARY = {"course_lib/__init__.py": b"", "course_lib/mnist_files/x.gz": bytes(1000)}
JUNK = {"__MACOSX/._tiny.ipynb": b"\0\5\26\7", ".DS_Store": b"\0", ".ipynb_checkpoints/tiny-checkpoint.ipynb": OTHER}

TAKEN: dict[str, dict[str, bytes]] = {
    "Élodie Dupont-Martin_1234567": {"tiny.ipynb": RIGHT},
    unicodedata.normalize("NFD", "Zoé Lefèvre") + "_1234568": {"TP noté.ipynb": RIGHT, **JUNK},
    "Jean Martin_1234569": {"tiny (1).ipynb": RIGHT, "brouillon.ipynb": OTHER},
    "Jean Martin_1234570": {"tiny.ipynb": ADD_WRONG, "tiny-Copy1.ipynb": OTHER, "brouillon.ipynb": RIGHT},
    "Nguyễn Văn An_1234571": {"mon TP.zip": zipped({"tiny/tiny.ipynb": RIGHT, **{f"tiny/{k}": v for k, v in LIBRARY.items()}, **JUNK})},
    "Conor O'Brien, fils_1234572": {"tiny/tiny.ipynb": RIGHT, **{f"tiny/{k}": v for k, v in (LIBRARY | JUNK).items()}},
    "李雷_1234573": {"tiny.ipynb.json": RIGHT, "données.zip": b"broken, but nobody needs it"},
    "Twice Same_1234574": {"a/tiny.ipynb": RIGHT, "b/tiny.ipynb": RIGHT},
    "Two Zips_1234575": {"tiny.zip": nested(2)},
    "Not Moodle's_1234576": {"Élodie Dupont-Martin_1234567_assignsubmission_file_/tiny.ipynb": ADD_WRONG},
    "Odd Ending_1234577": {"TINY.IPYNB.txt": RIGHT},
    "Large Letters_1234578": {"TP.ZIP": zipped({"tiny/": b"", "tiny/tiny.ipynb": RIGHT}, zipfile.ZIP_STORED)},
    "Two Lines_1234579": {"two\nlines.ipynb": RIGHT},
}  # fmt: skip
"""What students uploaded that can be graded, by the beginning of their folders' names."""

REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "Two Drafts_2000001": ({"draft.ipynb": RIGHT, "final.ipynb": OTHER}, "'draft.ipynb', 'final.ipynb'"),
    "Two Copies_2000002": ({"tiny (1).ipynb": RIGHT, "tiny (2).ipynb": OTHER}, "'tiny (1).ipynb', 'tiny (2).ipynb'"),
    "No Notebook_2000003": ({"report.docx": b"x"}, "'report.docx'"),
    "Broken Zip_2000004": ({"tiny.zip": nested(1)[:-30]}, "'tiny.zip' is no zip"),
    "A Link_2000005": ({"tiny.zip": link("../../../source/tiny/tiny.ipynb")}, "it is a link"),
    "A Bomb_2000006": ({"tiny.zip": zipped({"tiny.ipynb": bytes(moodle.MAX_UPLOAD + 1)})}, "more than 512 MiB"),
    "Small Bomb_2000007": ({"tiny.zip": zipped({"tiny.ipynb": bytes(1000)}, zipfile.ZIP_BZIP2)}, "unusual way"),
    "Deep Zip_2000008": ({"tiny.zip": nested(9)}, "again and again"),
    "Password_2000009": ({"tiny.zip": encrypted()}, "encrypted"),
    "New Zip_2000011": ({"tiny.zip": from_the_future()}, "'tiny.zip' is no zip that can be read"),
    "Only Text_2000012": ({}, "no notebook in what was uploaded: no file"),
    "Long List_2000010": ({"tiny.zip": zipped({f"{i:0200}": b"" for i in range(70_000)})}, "too many files"),
}
"""What cannot be graded, and a part of what is said of it."""

IDS = {
    "Élodie_Dupont-Martin_1234567", "Zoé_Lefèvre_1234568", "Jean_Martin_1234569", "Jean_Martin_1234570",
    "Nguyễn_Văn_An_1234571", "Conor_O_Brien_fils_1234572", "李雷_1234573", "Twice_Same_1234574", "Two_Zips_1234575",
    "Not_Moodle_s_1234576", "Odd_Ending_1234577", "Large_Letters_1234578", "Two_Lines_1234579",
}  # fmt: skip


def collected(course: Path) -> dict[str, bytes]:
    """The notebooks in `submitted/`, by student; nothing else may be there."""
    found = {}
    for path in (course / "submitted").rglob("*"):
        if not path.is_dir():
            assert path.parts[-2:] == ("tiny", "tiny.ipynb"), path
            found[path.parts[-3]] = path.read_bytes()
    return found


def download(course: Path, name: str, files: dict[str, bytes]) -> None:
    """Put a download of Moodle where `zip_collect` looks for it."""
    archive = course / "downloaded" / "tiny" / "archive"
    archive.mkdir(parents=True, exist_ok=True)
    (archive / name).write_bytes(zipped(files))


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A course with a download that has a folder for each student, and the run that collects it."""
    folder = tmp_path_factory.mktemp("moodle")
    tiny_course.make_course(folder, {})
    uploads = TAKEN | {student: files for student, (files, _) in REFUSED.items()}
    files = {f"{student}_assignsubmission_file_/{n}": c for student, all_ in uploads.items() for n, c in all_.items()}
    files["Élodie Dupont-Martin_1234567_assignsubmission_onlinetext_/onlinetext.html"] = b"<p>voici</p>"
    files["Only Text_2000012_assignsubmission_onlinetext_/onlinetext.html"] = b"<p>voici</p>"
    files["../../../source/tiny/evil.ipynb"] = RIGHT
    files["__MACOSX/._corrigé"] = b"\0\5\26\7"
    files |= {"corrigé/": b"", "corrigé/tiny.ipynb": RIGHT}
    download(folder, "Apprentissage profond-TP noté-123.zip", files)
    (folder / "downloaded" / "tiny" / "archive" / "incomplete.zip").write_bytes(zipped(files)[:-100])
    return folder, nbgrader(folder, "zip_collect", "tiny")


def test_a_moodle_download_is_taken_as_it_is(course: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, run = course
    assert run.returncode == 0, run.stderr
    found = collected(folder)
    assert set(found) == IDS
    assert found.pop("Jean_Martin_1234570") == found.pop("Not_Moodle_s_1234576") == ADD_WRONG
    assert set(found.values()) == {RIGHT}
    assert "'tiny.ipynb' was taken, left out: 'tiny-Copy1.ipynb', 'brouillon.ipynb'" in run.stderr
    assert "onlinetext 'onlinetext.html' is left out" in run.stderr
    assert "1 files are left out, they are not named by Moodle, such as 'corrigé/tiny.ipynb'" in run.stderr
    assert [path.name for path in (folder / "source").rglob("*.ipynb")] == ["tiny.ipynb"]


def test_a_bad_upload_costs_only_its_own_student_and_is_named(
    course: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, run = course
    errors = {line for line in run.stderr.splitlines() if "ERROR" in line}
    for student, (_, says) in REFUSED.items():
        name = student.replace(" ", "_")
        [line] = [line for line in errors if name in line]
        assert says in line
        assert f"submitted/{name}/tiny/" in line
        errors.remove(line)
    [line] = errors
    assert "incomplete.zip cannot be read, download it again" in line
    last = run.stderr.splitlines()[-len(REFUSED) - 1 :]
    assert all("ERROR" in line for line in last), "nbgrader's many lines come before"


def test_the_full_names_are_in_the_gradebook_and_the_marks_at_the_right_students(
    course: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = course
    assert nbgrader(folder, "generate_assignment", "tiny").returncode == 0
    run = nbgrader(folder, "autograde", "tiny")
    assert run.returncode == 0, run.stderr
    found = marks(folder, "tiny")
    assert found.pop("Jean_Martin_1234570") == found.pop("Not_Moodle_s_1234576") == HONEST | {"test_add": 0.0}
    assert set(found) == IDS - {"Jean_Martin_1234570", "Not_Moodle_s_1234576"}
    assert all(mark == HONEST for mark in found.values())
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        names = {student.id: student.last_name for student in gradebook.students}
    assert names["Élodie_Dupont-Martin_1234567"] == "Élodie Dupont-Martin"
    assert names["Conor_O_Brien_fils_1234572"] == "Conor O'Brien fils"
    assert names["Zoé_Lefèvre_1234568"] == "Zoé Lefèvre"
    assert {*IDS, *(student.replace(" ", "_") for student in REFUSED)} == set(names)


def test_a_download_without_folders_is_taken_too(tmp_path: Path) -> None:
    """One zip for each group, a student in both, and a third group that the browser has unpacked already."""
    tiny_course.make_course(tmp_path, {})
    flat = "Élodie Dupont_1_assignsubmission_file_"
    other = f"Eve_2_assignsubmission_file_{flat}tiny.ipynb"  # the student's own choice of a name
    download(tmp_path, "Groupe A.zip", {f"{flat}tiny.ipynb": RIGHT, other: OTHER})
    download(tmp_path, "Groupe B.zip", {f"{flat}tiny.ipynb": RIGHT, "Zoé_3_assignsubmission_file_tiny.zip": nested(1)})
    unpacked = tmp_path / "downloaded" / "tiny" / "archive" / "Groupe C" / "Participant_4_assignsubmission_file"
    unpacked.mkdir(parents=True)
    (unpacked / "tiny.ipynb").write_bytes(RIGHT)
    again = tmp_path / "downloaded" / "tiny" / "archive" / "Groupe C" / "Ann_5_assignsubmission_file_"
    again.mkdir()
    (again / "tiny.ipynb").symlink_to(tmp_path / "source" / "tiny" / "tiny.ipynb")
    run = nbgrader(tmp_path, "zip_collect", "tiny")
    assert run.returncode == 0, run.stderr
    found = {"Élodie_Dupont_1": RIGHT, "Eve_2": OTHER, "Zoé_3": RIGHT, "Participant_4": RIGHT}
    assert collected(tmp_path) == found
    assert "Ann_5: 'tiny.ipynb' cannot be read" in run.stderr


def test_a_second_download_is_taken_once_the_first_is_removed(tmp_path: Path) -> None:
    tiny_course.make_course(tmp_path, {})
    name = "Anna_1_assignsubmission_file_/tiny.ipynb"
    download(tmp_path, "first.zip", {name: OTHER})
    assert nbgrader(tmp_path, "zip_collect", "tiny").returncode == 0
    download(tmp_path, "second.zip", {name: RIGHT})
    run = nbgrader(tmp_path, "zip_collect", "tiny", "--force")
    assert "of two downloads? Then remove the older one" in run.stderr
    (tmp_path / "downloaded" / "tiny" / "archive" / "first.zip").unlink()
    run = nbgrader(tmp_path, "zip_collect", "tiny", "--force")
    assert run.returncode == 0, run.stderr
    assert collected(tmp_path) == {"Anna_1": RIGHT}


def test_names_that_macos_packed_are_read_as_they_were_meant() -> None:
    """Its zips have UTF-8 names without saying so."""
    name = unicodedata.normalize("NFD", "Élodie_1_assignsubmission_file_/tiny.ipynb")
    content = zipped({name: RIGHT}).replace(b"\x00\x08", b"\x00\x00")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() != [name]
        assert [file.path for file in moodle._in_zip(archive)] == [name]


def test_files_are_read_only_up_to_a_bound_however_small_they_are() -> None:
    upload = moodle._Upload("Ann", "Ann_1", left=10_000)
    files = [moodle._File(f"{i}.ipynb", lambda most: b"") for i in range(4)]
    with pytest.raises(moodle._Unusable, match="too many files"):
        list(moodle._notebooks(upload, files, zips=False))


def test_of_several_notebooks_each_has_its_name() -> None:
    found = [("a.ipynb", RIGHT)]
    assert moodle._choose("b", found, any_name=True) == found[0]
    with pytest.raises(moodle._Unusable, match=r"no b\.ipynb"):
        moodle._choose("b", found, any_name=False)
    for name, path in (("été", unicodedata.normalize("NFD", "été.ipynb")), ("a+b", "A+B.ipynb")):
        for one, other in ((name, path), (path[:-6], f"{name}.ipynb")):
            assert moodle._choose(one, [(other, RIGHT)], any_name=False) == (other, RIGHT)
    with pytest.raises(moodle._Unusable, match=r"no a\.b\.ipynb"):
        moodle._choose("a.b", [("a-b.ipynb", RIGHT)], any_name=False)


def test_of_several_notebooks_those_that_are_there_are_taken(tmp_path: Path) -> None:
    files = [moodle._File(name, lambda most: RIGHT) for name in ("a.ipynb", "draft.ipynb")]
    remarks: list[str] = []
    upload = moodle._Upload("Ann", "Ann_1", [*files, moodle._File("old.ipynb", lambda most: OTHER)])
    assert [*moodle.MoodleExtractor()._take(upload, ["a", "b"], tmp_path, remarks)] == ["no b.ipynb"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.ipynb": RIGHT}
    assert not remarks, "which of the others are drafts is not known"


def test_an_assignment_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = ZipCollectApp()
    app.coursedir = CourseDirectory(root=str(tmp_path), assignment_id="tyni")
    with pytest.raises(SystemExit):
        moodle.MoodleExtractor(parent=app).extract(str(tmp_path), str(tmp_path))
    assert "is the assignment really called 'tyni'?" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "student", "shown"), [
    ("../../source", "source_7", "../../source"), ("..", "7", ".."), ("A" * 99, "A" * 50 + "_7", "A" * 99),
    ("Ann\x1b[2J, B", "Ann_2J_B_7", "Ann [2J B"), ("Anna (bis)", "Anna_bis_7", "Anna (bis)"),
])  # fmt: skip
def test_a_name_becomes_that_of_a_folder(name: str, student: str, shown: str) -> None:
    """And neither Moodle's nor what a student calls herself there moves the cursor, or ends a column."""
    assert moodle._student_id(name, "7") == student
    assert moodle._printable(name) == shown
