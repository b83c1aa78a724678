"""Whatever happened to a submission: its answers are found, and every given cell comes from the source."""

import copy
import json
from collections.abc import Callable
from functools import partial

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.utils import compute_checksum

from course_lib.assignment.cells import cell_name
from course_lib.assignment.spec import NotebookSpec
from course_lib.authoring.student_code import parsed
from course_lib.cli.demo_class import DemoStudent, fill, right_answers
from course_lib.judge.read_notebook import UnreadableNotebook, read_notebook
from course_lib.judge.rebuild import Rebuilt, rebuild
from tests.support.courses import find

Damage = Callable[[NotebookNode], None]
"""Changes a notebook before it is submitted."""


def no_damage(notebook: NotebookNode) -> None:
    """Leave the notebook as it is."""


def submitted(spec: NotebookSpec, damage: Damage = no_damage) -> bytes:
    """The file of a student whose answers are right, after some damage."""
    return fill(spec, DemoStudent("student", damage=damage))


def submitted_blank(spec: NotebookSpec, damage: Damage = no_damage) -> bytes:
    """The file of a student who answered nothing, after some damage."""
    return fill(spec, DemoStudent("student", lambda right: {}, damage=damage))


def rebuilt(spec: NotebookSpec, content: bytes) -> Rebuilt:
    return rebuild(spec.skeleton, read_notebook(content))


def written(notebook: NotebookNode) -> bytes:
    return nbformat.writes(notebook).encode()


def sources(notebook: NotebookNode) -> dict[str, str]:
    """Source of each named cell."""
    return {cell_name(cell): cell.source for cell in notebook.cells if cell_name(cell)}


def code_in_order(notebook: NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


def insert_beside(notebook: NotebookNode, name: str, new: NotebookNode, offset: int = 1) -> None:
    """Insert a cell below the one called `name`, or above it with `offset` 0."""
    notebook.cells.insert(notebook.cells.index(find(notebook, name)) + offset, new)


def split(notebook: NotebookNode, name: str, first: str, second: str) -> None:
    """Split a cell as a student does in Jupyter: both parts keep its metadata."""
    part = copy.deepcopy(find(notebook, name))
    find(notebook, name).source, part.source = first, second
    insert_beside(notebook, name, part)


def insert_copy(notebook: NotebookNode, name: str, source: str, offset: int = 0) -> None:
    """Insert a copy of a cell, with another source, above it or below it."""
    new = copy.deepcopy(find(notebook, name))
    new.source = source
    insert_beside(notebook, name, new, offset)


# -- given cells -------------------------------------------------------------------------------------------------------


def forge_metadata(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution"]
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.update(points=100, locked=False, grade=False, solution=True, schema_version=4)


def strip_metadata(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata = NotebookNode()


def change_given_cells(notebook: NotebookNode) -> None:
    find(notebook, "fit").source = "def fit(*args, **kwargs): return None"
    find(notebook, "test_softmax").source = "pass"


def reverse(notebook: NotebookNode) -> None:
    notebook.cells = notebook.cells[::-1]


def drop_given_cells(notebook: NotebookNode) -> None:
    notebook.cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")]


def old_format(notebook: NotebookNode) -> None:
    notebook.nbformat_minor = 0
    for cell in notebook.cells:
        cell.pop("id")


@pytest.mark.parametrize(
    "damage", [forge_metadata, strip_metadata, change_given_cells, reverse, drop_given_cells, old_format]
)
def test_only_the_answers_are_taken_over(spec: NotebookSpec, damage: Damage) -> None:
    honest = rebuilt(spec, submitted(spec))
    damaged = rebuilt(spec, submitted(spec, damage))
    assert sources(damaged.notebook) == sources(honest.notebook)
    assert [cell.metadata for cell in damaged.notebook.cells] == [cell.metadata for cell in spec.skeleton.cells]
    assert not damaged.unchanged


def test_given_cells_without_metadata_and_ids_are_recognized(spec: NotebookSpec) -> None:
    """Every answer stays in its place, and a person reads the texts."""

    def strip(notebook: NotebookNode) -> None:
        strip_metadata(notebook)
        old_format(notebook)

    stripped = rebuilt(spec, submitted(spec, strip))
    complete = rebuilt(spec, submitted(spec))
    assert code_in_order(stripped.notebook).split() == code_in_order(complete.notebook).split()
    blank = rebuilt(spec, submitted_blank(spec, strip))
    assert "NotImplementedError" not in code_in_order(blank.notebook)
    for found in (stripped, blank):
        assert not {cell.grade_id for cell in spec.grade_cells if cell.manual} & found.unchanged


def release_again(notebook: NotebookNode, name: str, source: str) -> None:
    """Give a cell the source that it had in an older release."""
    cell = find(notebook, name)
    cell.source = source
    cell.metadata.nbgrader["checksum"] = compute_checksum(cell)


def test_cells_of_an_older_release_count_as_given(spec: NotebookSpec) -> None:
    notebook = nbformat.reads(submitted(spec), as_version=4)
    release_again(notebook, "test_softmax", "check()")
    release_again(notebook, "question_view", "*Here*")
    found = rebuilt(spec, written(notebook))
    assert not any("test_softmax" in repair for repair in found.repairs)
    assert "question_view" in found.unchanged


def test_changes_to_locked_cells_are_noted(spec: NotebookSpec) -> None:
    def change(notebook: NotebookNode) -> None:
        for name in ("one_hot", "test_one_hot"):
            find(notebook, name).source += "\n# mine"

    found = rebuilt(spec, submitted(spec, change))
    assert [repair for repair in found.repairs if "« test_one_hot »" in repair]
    assert not [repair for repair in found.repairs if "« one_hot »" in repair]
    assert sources(found.notebook)["one_hot"].endswith("# mine")


# -- files -------------------------------------------------------------------------------------------------------------


def in_nbformat_3(content: bytes) -> bytes:
    return nbformat.writes(nbformat.convert(nbformat.reads(content.decode(), 4), 3), version=3).encode()


@pytest.mark.parametrize(
    "convert",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\\n", b"\\r\\n"),
        lambda content: content.replace(b'"outputs": []', b'"outputs": [3, {"output_type": []}]'),
        in_nbformat_3,
    ],
    ids=["bom", "crlf", "odd outputs", "nbformat3"],
)
def test_any_encoding_of_a_notebook_is_read(spec: NotebookSpec, convert: Callable[[bytes], bytes]) -> None:
    honest = sources(rebuilt(spec, submitted(spec)).notebook)
    assert sources(rebuilt(spec, convert(submitted(spec))).notebook) == honest


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "vide"),
        (b'{"cells": [', "ligne 1"),
        (b"[]", "pas un notebook"),
        (b"3", "pas un notebook"),
        (b'{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "pas un notebook"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_an_unreadable_file_has_a_reason(content: bytes, why: str) -> None:
    with pytest.raises(UnreadableNotebook, match=why):
        read_notebook(content)


@pytest.mark.parametrize("cell", [{"source": ["a", 3]}, 3, None])
def test_a_file_without_readable_cells_is_unreadable(cell: object) -> None:
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    for content in (json.dumps(notebook).encode(), b"[" * 100_000):
        with pytest.raises(UnreadableNotebook):
            read_notebook(content)


@pytest.mark.parametrize("cell", [
    {"source": 3}, {"metadata": {"nbgrader": []}}, {"metadata": {"nbgrader": {"grade_id": ["cnn"]}}, "source": "x = 1"},
    {"cell_type": "code", "source": "x = '\ud800'"},
    {"metadata": {"nbgrader": {"grade_id": "look", "checksum": "0", "grade": True, "points": "many"}}, "source": ""},
])  # fmt: skip
def test_an_odd_cell_does_not_affect_the_others(spec: NotebookSpec, cell: dict[str, object]) -> None:
    notebook = json.loads(submitted(spec))
    answers = sources(rebuilt(spec, json.dumps(notebook).encode()).notebook)
    notebook["cells"].append({"cell_type": "markdown", "metadata": {}} | cell)
    found = rebuilt(spec, json.dumps(notebook).encode()).notebook
    assert sources(found) == answers
    nbformat.writes(found).encode()


@pytest.mark.parametrize("source", ['"\\d"', "1if x else 2"])
def test_python_warnings_about_a_cell_are_silent(source: str) -> None:
    assert parsed(source) is not None, "a warning is an error in these tests"


# -- solution cells ----------------------------------------------------------------------------------------------------


def test_unchanged_answers_are_recognized(spec: NotebookSpec) -> None:
    solutions = {cell_name(cell) for cell in spec.skeleton.cells if cell.metadata.get("nbgrader", {}).get("solution")}
    blank = rebuilt(spec, written(spec.skeleton))
    assert blank.unchanged == solutions
    assert blank.repairs == []


@pytest.mark.parametrize("source", ["", " \n", "# nothing", "pass"])
def test_an_emptied_cell_was_not_attempted(spec: NotebookSpec, source: str) -> None:
    def empty(notebook: NotebookNode) -> None:
        find(notebook, "one_hot").source = source

    assert rebuilt(spec, submitted(spec, empty)).unchanged == {"one_hot"}


def test_a_cell_split_within_a_line_is_joined(spec: NotebookSpec) -> None:
    answer = right_answers(spec)["argmax"]
    at = answer.index("torch.argmax") - len("    return ")

    def split_within_a_line(notebook: NotebookNode) -> None:
        split(notebook, "argmax", answer[:at], answer[at:])

    found = rebuilt(spec, submitted(spec, split_within_a_line))
    assert compile(sources(found.notebook)["argmax"], "argmax", "exec")
    assert len(found.repairs) == 1


@pytest.mark.parametrize("offset", [0, 1])
def test_a_copy_with_a_syntax_error_is_left_out(spec: NotebookSpec, offset: int) -> None:
    damage = partial(insert_copy, name="argmax", source="def accuracy(:", offset=offset)
    found = rebuilt(spec, submitted(spec, damage))
    assert sources(found.notebook)["argmax"] == right_answers(spec)["argmax"]
    assert len(found.repairs) == 1


def test_an_earlier_try_does_not_stop_the_answer(spec: NotebookSpec) -> None:
    """A try that raises an error becomes a cell of its own."""
    wrong = "n_images, n_rows = x_train.shape"
    found = rebuilt(spec, submitted(spec, partial(insert_copy, name="dimensions", source=wrong)))
    assert sources(found.notebook)["dimensions"] == right_answers(spec)["dimensions"]
    assert wrong in [cell.source for cell in found.notebook.cells]
    assert len(found.repairs) == 1


def test_a_piece_that_a_later_piece_uses_is_no_try(spec: NotebookSpec) -> None:
    first, second = "i = 0", "n_images, n_rows, n_columns = x_train.shape[i:]"
    damage = partial(split, name="dimensions", first=first, second=second)
    notebook = rebuilt(spec, submitted(spec, damage)).notebook
    assert sources(notebook)["dimensions"].splitlines() == [first, second]


def test_a_magic_in_a_later_piece_is_removed(spec: NotebookSpec) -> None:
    damage = partial(split, name="dimensions", first="a = 1", second="%%time\nb = 2")
    notebook = rebuilt(spec, submitted(spec, damage)).notebook
    assert sources(notebook)["dimensions"].split() == ["a", "=", "1", "b", "=", "2"]


@pytest.mark.parametrize("offset", [0, 1])
def test_an_unchanged_copy_does_not_stop_the_answer(spec: NotebookSpec, offset: int) -> None:
    stub = find(spec.skeleton, "dimensions").source
    damage = partial(insert_copy, name="dimensions", source=stub, offset=offset)
    notebook = rebuilt(spec, submitted(spec, damage)).notebook
    assert sources(notebook)["dimensions"] == right_answers(spec)["dimensions"]


def test_a_missing_cell_does_not_undo_its_answer(spec: NotebookSpec) -> None:
    """The answer may be in another cell, which the stub would overwrite."""

    def merge(notebook: NotebookNode) -> None:
        for target, name in (("cnn", "cnn2"), ("test_one_hot", "one_hot")):
            cell = find(notebook, name)
            find(notebook, target).source = "\n".join([cell.source, find(notebook, target).source])
            notebook.cells.remove(cell)

    code = code_in_order(rebuilt(spec, submitted(spec, merge)).notebook)
    for name in ("cnn2", "one_hot"):
        assert code.count(right_answers(spec)[name]) == 1
    assert code.count("raise NotImplementedError") == 0
    assert code.index(right_answers(spec)["one_hot"]) < code.index(find(spec.skeleton, "test_one_hot").source)


def test_a_missing_cell_counts_as_unchanged_unless_a_text(spec: NotebookSpec) -> None:
    """A person looks for a missing text."""

    def delete(notebook: NotebookNode) -> None:
        for name in ("one_hot", "question_view"):
            notebook.cells.remove(find(notebook, name))

    assert rebuilt(spec, submitted(spec, delete)).unchanged == {"one_hot"}


def test_only_pictures_in_texts_of_the_student_are_kept(spec: NotebookSpec) -> None:
    pasted = {
        "a.png": {"image/png": "aGk="},
        "b.png": {"image/png": '"><script>'},
        "c.svg": {"image/svg+xml": "aGk="},
    }

    def paste(notebook: NotebookNode) -> None:
        for cell in notebook.cells:
            cell.attachments = NotebookNode(pasted)

    for cell in rebuilt(spec, submitted(spec, paste)).notebook.cells:
        is_text = cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution")
        assert cell.get("attachments", {}) == ({"a.png": {"image/png": "aGk="}} if is_text else {})


# -- extra cells -------------------------------------------------------------------------------------------------------


def test_an_answer_in_an_extra_cell_keeps_its_place(spec: NotebookSpec) -> None:
    def answer_in_an_extra_cell(notebook: NotebookNode) -> None:
        index = notebook.cells.index(find(notebook, "one_hot"))
        notebook.cells[index] = new_code_cell(right_answers(spec)["one_hot"])
        notebook.cells.append(new_code_cell("print('the end')"))

    notebook = rebuilt(spec, submitted(spec, answer_in_an_extra_cell)).notebook
    order = [cell_name(cell) or "extra" for cell in notebook.cells if cell.cell_type == "code"]
    assert order[order.index("extra") - 1 : order.index("extra") + 2] == ["one_hot", "extra", "test_one_hot"]
    assert notebook.cells[-1].source == "print('the end')"


def test_a_remark_stays_above_the_next_given_text(spec: NotebookSpec) -> None:
    damage = partial(insert_beside, name="test_one_hot", new=new_markdown_cell("My remark"))
    given = spec.skeleton.cells[spec.skeleton.cells.index(find(spec.skeleton, "test_one_hot")) + 1]
    assert "nbgrader" not in given.metadata
    cells = rebuilt(spec, submitted(spec, damage)).notebook.cells
    index = [cell.source for cell in cells].index("My remark")
    assert cell_name(cells[index - 1]) == "test_one_hot"
    assert cells[index + 1] == given


def test_a_text_written_into_a_given_text_is_kept(spec: NotebookSpec) -> None:
    def write(notebook: NotebookNode) -> None:
        next(cell for cell in notebook.cells if cell.id == "step-3").source += "\n\nMy answer: 42"

    notebook = rebuilt(spec, submitted(spec, write)).notebook
    assert any("My answer: 42" in cell.source for cell in notebook.cells)


@pytest.mark.parametrize(("beside", "kind", "text", "waits"), [
    ("question_view", "markdown", "1 + 1  # view", True), ("test_one_hot", "markdown", "view", False),
    ("question_view", "code", "1 + 1  # view", False), ("question_view", "code", "view aplatit l'image", True),
    ("question_view", "code", "# view aplatit l'image", True), ("question_view", "code", "'It flattens.'", True),
])  # fmt: skip
def test_a_text_beside_a_question_waits_for_a_person(
    spec: NotebookSpec, beside: str, kind: str, text: str, waits: bool
) -> None:
    new = new_markdown_cell(text) if kind == "markdown" else new_code_cell(text)
    content = submitted_blank(spec, partial(insert_beside, name=beside, new=new))
    unchanged = rebuilt(spec, content).unchanged
    assert ("question_view" in unchanged) is not waits
    assert "conclusion" in unchanged
    assert "one_hot" in unchanged


@pytest.mark.parametrize(("change", "waits"), [
    (lambda given: "No.", True), (lambda given: given.splitlines()[0], False), (lambda given: f"{given}\n\nNo.", True),
])  # fmt: skip
def test_an_answer_in_place_of_its_question_waits(
    spec: NotebookSpec, change: Callable[[str], str], waits: bool
) -> None:
    def write_over(notebook: NotebookNode) -> None:
        question = notebook.cells[notebook.cells.index(find(notebook, "question_view")) - 1]
        assert question.cell_type == "markdown"
        question.source = change(question.source)

    found = rebuilt(spec, submitted_blank(spec, write_over))
    assert ("question_view" in found.unchanged) is not waits
    assert any(cell.source.endswith("No.") for cell in found.notebook.cells) is waits
