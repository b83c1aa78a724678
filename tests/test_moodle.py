"""`nbgrader zip_collect` takes Moodle downloads as they are; these are made as Moodle makes them."""

import io
import subprocess
import unicodedata
import zipfile
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import ZipCollectApp
from nbgrader.coursedir import CourseDirectory

from course_lib.execution.submission_files import MAX_UPLOAD
from course_lib.nbgrader_plugins.moodle_download import MoodleExtractor, printable_name, student_id
from course_lib.nbgrader_plugins.uploads import Upload, UploadedFile, files_in_zip, take_notebooks
from tests.support import tiny_course
from tests.support.courses import marks, nbgrader
from tests.support.tiny_course import HONEST, notebook, written

RIGHT = written(notebook())
ADD_WRONG = written(notebook(add="add = lambda x: x"))
OTHER = written(notebook(mean="mean = lambda t: t.sum()"))


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
    """A zip whose file has a password, according to the zip."""
    content = bytearray(zipped({"tiny.ipynb": RIGHT}))
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    return bytes(content)


def from_the_future() -> bytes:
    """A zip that needs a later program, according to the zip."""
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
"""Uploads that can be graded, by the beginning of the student's folder name."""

REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "Two Drafts_2000001": ({"draft.ipynb": RIGHT, "final.ipynb": OTHER}, "'draft.ipynb', 'final.ipynb'"),
    "Two Copies_2000002": ({"tiny (1).ipynb": RIGHT, "tiny (2).ipynb": OTHER}, "'tiny (1).ipynb', 'tiny (2).ipynb'"),
    "No Notebook_2000003": ({"report.docx": b"x"}, "'report.docx'"),
    "Broken Zip_2000004": ({"tiny.zip": nested(1)[:-30]}, "'tiny.zip' is not a readable zip"),
    "A Link_2000005": ({"tiny.zip": link("../../../source/tiny/tiny.ipynb")}, "it is a link"),
    "A Bomb_2000006": ({"tiny.zip": zipped({"tiny.ipynb": bytes(MAX_UPLOAD + 1)})}, "more than 512 MiB"),
    "Small Bomb_2000007": ({"tiny.zip": zipped({"tiny.ipynb": bytes(1000)}, zipfile.ZIP_BZIP2)}, "unusual way"),
    "Deep Zip_2000008": ({"tiny.zip": nested(9)}, "more than 3 levels deep"),
    "Password_2000009": ({"tiny.zip": encrypted()}, "encrypted"),
    "New Zip_2000011": ({"tiny.zip": from_the_future()}, "'tiny.zip' is not a readable zip"),
    "Only Text_2000012": ({}, "no notebook among the uploaded files: there are none"),
    "Long List_2000010": ({"tiny.zip": zipped({f"{i:0200}": b"" for i in range(70_000)})}, "too many files"),
}
"""What cannot be graded, and a part of its error message."""

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
    assert [path.name for path in (folder / "source").rglob("*.ipynb")] == ["tiny.ipynb"]


def test_ignored_files_are_named(course: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, run = course
    assert "'tiny.ipynb' is graded; ignored: 'tiny-Copy1.ipynb', 'brouillon.ipynb'" in run.stderr
    assert "onlinetext 'onlinetext.html' is ignored" in run.stderr
    assert "Files ignored because Moodle did not name them: 1, such as 'corrigé/tiny.ipynb'" in run.stderr


def test_a_bad_upload_is_named_and_stops_nobody_else(
    course: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, run = course
    errors = {line for line in run.stderr.splitlines() if "ERROR" in line}
    for student, (_, reason) in REFUSED.items():
        name = student.replace(" ", "_")
        [line] = [line for line in errors if name in line]
        assert reason in line
        assert f"submitted/{name}/tiny/" in line
        errors.remove(line)
    [line] = errors
    assert "incomplete.zip cannot be read: " in line
    last = run.stderr.splitlines()[-len(REFUSED) - 1 :]
    assert all("ERROR" in line for line in last), "nbgrader's many lines come before"


def test_full_names_and_marks_reach_the_gradebook(
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


def test_a_download_without_folders_is_taken(tmp_path: Path) -> None:
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


def test_a_second_download_replaces_a_removed_first(tmp_path: Path) -> None:
    tiny_course.make_course(tmp_path, {})
    name = "Anna_1_assignsubmission_file_/tiny.ipynb"
    download(tmp_path, "first.zip", {name: OTHER})
    assert nbgrader(tmp_path, "zip_collect", "tiny").returncode == 0
    download(tmp_path, "second.zip", {name: RIGHT})
    run = nbgrader(tmp_path, "zip_collect", "tiny", "--force")
    assert "if they are from two downloads, remove the older one" in run.stderr
    (tmp_path / "downloaded" / "tiny" / "archive" / "first.zip").unlink()
    run = nbgrader(tmp_path, "zip_collect", "tiny", "--force")
    assert run.returncode == 0, run.stderr
    assert collected(tmp_path) == {"Anna_1": RIGHT}


def test_names_in_a_zip_of_macos_keep_their_accents() -> None:
    """Its zips have UTF-8 names without saying so."""
    name = unicodedata.normalize("NFD", "Élodie_1_assignsubmission_file_/tiny.ipynb")
    content = zipped({name: RIGHT}).replace(b"\x00\x08", b"\x00\x00")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() != [name]
        assert [file.path for file in files_in_zip(archive)] == [name]


def upload(*names: str, content: bytes = RIGHT, left: int = MAX_UPLOAD) -> Upload:
    """Ann's upload of files with these names."""
    files = [UploadedFile(name, lambda max_bytes: content) for name in names]
    return Upload("Ann", "Ann_1", files, left)


def taken(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_even_empty_files_are_read_up_to_a_limit(tmp_path: Path) -> None:
    files = upload(*(f"{i}.ipynb" for i in range(4)), content=b"", left=10_000)
    assert take_notebooks(files, ["tiny"], tmp_path) == (["too many files"], [])


def test_the_only_notebook_may_have_any_name(tmp_path: Path) -> None:
    assert take_notebooks(upload("a.ipynb"), ["b"], tmp_path) == ([], [])
    assert taken(tmp_path) == {"b.ipynb": RIGHT}


def test_of_several_notebooks_each_needs_its_name(tmp_path: Path) -> None:
    """Except for capitals, and for how accents are stored."""
    assert take_notebooks(upload("a-b.ipynb"), ["a.b", "c"], tmp_path) == (["no a.b.ipynb", "no c.ipynb"], [])
    assert taken(tmp_path) == {}
    decomposed = unicodedata.normalize("NFD", "été")
    for name, other in (("été", decomposed), (decomposed, "été"), ("a+b", "A+B"), ("A+B", "a+b")):
        folder = tmp_path / name
        assert take_notebooks(upload(f"{other}.ipynb"), [name, "c"], folder) == (["no c.ipynb"], [])
        assert [*taken(folder).values()] == [RIGHT]


def test_notebooks_that_are_there_are_taken(tmp_path: Path) -> None:
    files = upload("a.ipynb", "draft.ipynb")
    files.files.append(UploadedFile("old.ipynb", lambda max_bytes: OTHER))
    problems, remarks = take_notebooks(files, ["a", "b"], tmp_path)
    assert problems == ["no b.ipynb"]
    assert taken(tmp_path) == {"a.ipynb": RIGHT}
    assert not remarks, "the other files may be drafts of the missing notebook"


def test_an_unknown_assignment_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = ZipCollectApp()
    app.coursedir = CourseDirectory(root=str(tmp_path), assignment_id="tyni")
    with pytest.raises(SystemExit):
        MoodleExtractor(parent=app).extract(str(tmp_path), str(tmp_path))
    assert "is the assignment really called 'tyni'?" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "student", "shown"), [
    ("../../source", "source_7", "../../source"), ("..", "7", ".."), ("A" * 99, "A" * 50 + "_7", "A" * 99),
    ("Ann\x1b[2J, B", "Ann_2J_B_7", "Ann [2J B"), ("Anna (bis)", "Anna_bis_7", "Anna (bis)"),
])  # fmt: skip
def test_a_name_becomes_the_name_of_a_folder(name: str, student: str, shown: str) -> None:
    """Neither the folder nor the full name can move a terminal's cursor, or end a column of a CSV file."""
    assert student_id(name, "7") == student
    assert printable_name(name) == shown
