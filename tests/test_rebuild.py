"""Whatever a submission looks like, its answers are found and everything given comes from the source."""

import copy
import json
from collections.abc import Callable
from functools import partial

import nbformat
import pytest
from courses import find
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum

from course_lib.assignment.cells import parsed
from course_lib.assignment.spec import NotebookSpec
from course_lib.cli.demo_class import Situation, fill, right_answers
from course_lib.judge.rebuild import UnreadableNotebook, read_notebook, rebuild


def submitted(spec: NotebookSpec, damage: Callable[[NotebookNode], None] = lambda notebook: None) -> bytes:
    return fill(spec, Situation("student", damage=damage))


def read(notebook: NotebookNode) -> list[NotebookNode]:
    return read_notebook(nbformat.writes(notebook).encode())


def sources(notebook: NotebookNode) -> dict[str, str]:
    return {cell.metadata.nbgrader.grade_id: cell.source for cell in notebook.cells if "nbgrader" in cell.metadata}


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
    notebook.cells = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("solution")]


def old_format(notebook: NotebookNode) -> None:
    notebook.nbformat_minor = 0
    for cell in notebook.cells:
        cell.pop("id")


@pytest.mark.parametrize(
    "damage", [forge_metadata, strip_metadata, change_given_cells, reverse, drop_given_cells, old_format]
)
def test_only_the_answers_are_taken_over(spec: NotebookSpec, damage: Callable[[NotebookNode], None]) -> None:
    honest = rebuild(spec.skeleton, read_notebook(submitted(spec)))
    damaged = rebuild(spec.skeleton, read_notebook(submitted(spec, damage)))
    assert sources(damaged.notebook) == sources(honest.notebook)
    assert [c.metadata for c in damaged.notebook.cells] == [c.metadata for c in spec.skeleton.cells]
    assert not damaged.unchanged


@pytest.mark.parametrize(
    "convert",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\\n", b"\\r\\n"),
        lambda content: content.replace(b'"outputs": []', b'"outputs": [3, {"output_type": []}]'),
        lambda content: nbformat.writes(nbformat.convert(nbformat.reads(content.decode(), 4), 3), version=3).encode(),
    ],
    ids=["bom", "crlf", "odd outputs", "nbformat3"],
)
def test_any_encoding_of_a_notebook_is_read(spec: NotebookSpec, convert: Callable[[bytes], bytes]) -> None:
    honest = sources(rebuild(spec.skeleton, read_notebook(submitted(spec))).notebook)
    assert sources(rebuild(spec.skeleton, read_notebook(convert(submitted(spec)))).notebook) == honest


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
def test_what_is_no_notebook_says_why(content: bytes, why: str) -> None:
    with pytest.raises(UnreadableNotebook, match=why):
        read_notebook(content)


def test_what_the_author_changed_since_the_release_was_not_changed_by_the_student(spec: NotebookSpec) -> None:
    """A locked cell and a question as they were released are what they are now; a cell that was changed is not."""
    released = nbformat.reads(submitted(spec), as_version=4)
    for name, source in (("test_softmax", "check()"), ("question_view", "*Here*")):
        cell = find(released, name)
        cell.source = source
        cell.metadata.nbgrader["checksum"] = compute_checksum(cell)
    for name, note in (("one_hot", False), ("test_one_hot", True)):
        find(released, name).source += "\n# mine"
        assert any(f"« {name} »" in repair for repair in rebuild(spec.skeleton, read(released)).repairs) == note
    found = rebuild(spec.skeleton, read(released))
    assert not any("test_softmax" in repair for repair in found.repairs)
    assert "question_view" in found.unchanged
    assert sources(found.notebook)["one_hot"].endswith("# mine")


def test_unchanged_answers_are_known(spec: NotebookSpec) -> None:
    names = {
        cell.metadata.nbgrader.grade_id
        for cell in spec.skeleton.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    blank = rebuild(spec.skeleton, read(spec.skeleton))
    assert blank.unchanged == names
    assert blank.repairs == []


@pytest.mark.parametrize("source", ["", " \n", "# nothing", "pass"])
def test_an_emptied_cell_was_not_attempted(spec: NotebookSpec, source: str) -> None:
    def empty(notebook: NotebookNode) -> None:
        find(notebook, "one_hot").source = source

    assert rebuild(spec.skeleton, read_notebook(submitted(spec, empty))).unchanged == {"one_hot"}


def test_a_split_cell_is_joined_and_a_copy_with_a_fault_is_left_out(spec: NotebookSpec) -> None:
    answer = right_answers(spec)["argmax"]
    at = answer.index("torch.argmax")

    def split_within_a_line(notebook: NotebookNode) -> None:
        index = notebook.cells.index(find(notebook, "argmax"))
        second = copy.deepcopy(notebook.cells[index])
        notebook.cells[index].source, second.source = answer[: at - 11], answer[at - 11 :]
        notebook.cells.insert(index + 1, second)

    def copy_with_a_fault(notebook: NotebookNode, behind: int = 0) -> None:
        index = notebook.cells.index(find(notebook, "argmax"))
        second = copy.deepcopy(notebook.cells[index])
        second.source = "def accuracy(:"
        notebook.cells.insert(index + behind, second)

    split = rebuild(spec.skeleton, read_notebook(submitted(spec, split_within_a_line)))
    assert compile(sources(split.notebook)["argmax"], "argmax", "exec")
    assert len(split.repairs) == 1
    for damage in (copy_with_a_fault, partial(copy_with_a_fault, behind=1)):
        copied = rebuild(spec.skeleton, read_notebook(submitted(spec, damage)))
        assert sources(copied.notebook)["argmax"] == answer
        assert len(copied.repairs) == 1


def test_an_earlier_try_that_stops_does_not_stop_the_answer(spec: NotebookSpec) -> None:
    def copy_that_stops(notebook: NotebookNode) -> None:
        index = notebook.cells.index(find(notebook, "dimensions"))
        first = copy.deepcopy(notebook.cells[index])
        first.source = "n_images, n_rows = x_train.shape"
        notebook.cells.insert(index, first)

    found = rebuild(spec.skeleton, read_notebook(submitted(spec, copy_that_stops)))
    assert sources(found.notebook)["dimensions"] == right_answers(spec)["dimensions"]
    assert "n_images, n_rows = x_train.shape" in [cell.source for cell in found.notebook.cells]
    assert len(found.repairs) == 1


def test_what_a_later_piece_uses_is_no_earlier_try(spec: NotebookSpec) -> None:
    def split(notebook: NotebookNode) -> None:
        index = notebook.cells.index(find(notebook, "dimensions"))
        second = copy.deepcopy(notebook.cells[index])
        notebook.cells[index].source, second.source = "i = 0", "n_images, n_rows, n_columns = x_train.shape[i:]"
        notebook.cells.insert(index + 1, second)

    notebook = rebuild(spec.skeleton, read_notebook(submitted(spec, split))).notebook
    assert sources(notebook)["dimensions"] == "i = 0\nn_images, n_rows, n_columns = x_train.shape[i:]"


def test_extra_cells_keep_their_place_and_answers_in_them_count(spec: NotebookSpec) -> None:
    def answer_in_an_own_cell(notebook: NotebookNode) -> None:
        index = notebook.cells.index(find(notebook, "one_hot"))
        notebook.cells[index] = nbformat.v4.new_code_cell(right_answers(spec)["one_hot"])
        notebook.cells.append(nbformat.v4.new_code_cell("print('the end')"))

    notebook = rebuild(spec.skeleton, read_notebook(submitted(spec, answer_in_an_own_cell))).notebook
    order = [
        cell.metadata.get("nbgrader", {}).get("grade_id", "own") for cell in notebook.cells if cell.cell_type == "code"
    ]
    assert order[order.index("own") - 1 : order.index("own") + 2] == ["one_hot", "own", "test_one_hot"]
    assert notebook.cells[-1].source == "print('the end')"


def test_a_text_below_an_answer_stays_above_the_next_given_text(spec: NotebookSpec) -> None:
    def write(notebook: NotebookNode) -> None:
        index = notebook.cells.index(find(notebook, "test_one_hot"))
        notebook.cells.insert(index + 1, nbformat.v4.new_markdown_cell("My remark"))

    given = spec.skeleton.cells[spec.skeleton.cells.index(find(spec.skeleton, "test_one_hot")) + 1]
    assert "nbgrader" not in given.metadata
    cells = rebuild(spec.skeleton, read_notebook(submitted(spec, write))).notebook.cells
    index = next(i for i, cell in enumerate(cells) if cell.source == "My remark")
    assert cells[index - 1].metadata.nbgrader.grade_id == "test_one_hot"
    assert cells[index + 1] == given


def code_in_order(notebook: NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


def test_what_is_given_is_known_by_its_text(spec: NotebookSpec) -> None:
    """No metadata and no ids left: every answer stands where it was, and a person reads the texts."""

    def strip(notebook: NotebookNode) -> None:
        strip_metadata(notebook)
        old_format(notebook)

    found = rebuild(spec.skeleton, read_notebook(submitted(spec, strip)))
    complete = rebuild(spec.skeleton, read_notebook(submitted(spec)))
    assert code_in_order(found.notebook).split() == code_in_order(complete.notebook).split()
    blank = rebuild(spec.skeleton, read_notebook(fill(spec, Situation("student", lambda right: {}, damage=strip))))
    assert "NotImplementedError" not in code_in_order(blank.notebook)
    for rebuilt in (found, blank):
        assert not {cell.grade_id for cell in spec.grade_cells if cell.manual} & rebuilt.unchanged


def test_only_pictures_that_stand_in_a_text_of_the_student_are_kept(spec: NotebookSpec) -> None:
    def paste(notebook: NotebookNode) -> None:
        for cell in notebook.cells:
            pasted = {
                "a.png": {"image/png": "aGk="},
                "b.png": {"image/png": '"><script>'},
                "c.svg": {"image/svg+xml": "aGk="},
            }
            cell.attachments = NotebookNode(pasted)

    for cell in rebuild(spec.skeleton, read_notebook(submitted(spec, paste))).notebook.cells:
        is_text = cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution")
        assert cell.get("attachments", {}) == ({"a.png": {"image/png": "aGk="}} if is_text else {})


def test_a_missing_cell_does_not_undo_its_answer(spec: NotebookSpec) -> None:
    def merge(notebook: NotebookNode) -> None:
        for above, below in (("cnn", "cnn2"), ("test_one_hot", "one_hot")):
            find(notebook, above).source = f"{find(notebook, below).source}\n{find(notebook, above).source}"
            notebook.cells.remove(find(notebook, below))

    code = code_in_order(rebuild(spec.skeleton, read_notebook(submitted(spec, merge))).notebook)
    for name in ("cnn2", "one_hot"):
        assert code.count(right_answers(spec)[name]) == 1
    assert code.count("raise NotImplementedError") == 0
    assert code.index(right_answers(spec)["one_hot"]) < code.index(find(spec.skeleton, "test_one_hot").source)


def test_a_missing_answer_was_not_attempted_but_a_missing_text_is_looked_for_by_a_person(spec: NotebookSpec) -> None:
    def delete(notebook: NotebookNode) -> None:
        for name in ("one_hot", "question_view"):
            notebook.cells.remove(find(notebook, name))

    assert rebuild(spec.skeleton, read_notebook(submitted(spec, delete))).unchanged == {"one_hot"}


def test_a_text_written_into_a_given_text_is_kept(spec: NotebookSpec) -> None:
    def write(notebook: NotebookNode) -> None:
        next(cell for cell in notebook.cells if cell.id == "step-3").source += "\n\nMy answer: 42"

    notebook = rebuild(spec.skeleton, read_notebook(submitted(spec, write))).notebook
    assert any("My answer: 42" in cell.source for cell in notebook.cells)


@pytest.mark.parametrize("cell", [
    {"source": 3}, {"metadata": {"nbgrader": []}}, {"metadata": {"nbgrader": {"grade_id": ["cnn"]}}, "source": "x = 1"},
    {"cell_type": "code", "source": "x = '\ud800'"},
    {"metadata": {"nbgrader": {"grade_id": "look", "checksum": "0", "grade": True, "points": "many"}}, "source": ""},
])  # fmt: skip
def test_an_odd_cell_costs_no_other_one(spec: NotebookSpec, cell: dict[str, object]) -> None:
    notebook = json.loads(submitted(spec))
    answers = sources(rebuild(spec.skeleton, read_notebook(json.dumps(notebook).encode())).notebook)
    notebook["cells"].append({"cell_type": "markdown", "metadata": {}} | cell)
    found = rebuild(spec.skeleton, read_notebook(json.dumps(notebook).encode())).notebook
    assert sources(found) == answers
    nbformat.writes(found).encode()


@pytest.mark.parametrize("cell", [{"source": ["a", 3]}, 3, None])
def test_what_nobody_can_read_cells_in_costs_a_verdict(cell: object) -> None:
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    for content in (json.dumps(notebook).encode(), b"[" * 100_000):
        with pytest.raises(UnreadableNotebook):
            read_notebook(content)


@pytest.mark.parametrize(("beside", "kind", "text", "waits"), [
    ("question_view", "markdown", "1 + 1  # view", True), ("test_one_hot", "markdown", "view", False),
    ("question_view", "code", "1 + 1  # view", False), ("question_view", "code", "view aplatit l'image", True),
    ("question_view", "code", "# view aplatit l'image", True), ("question_view", "code", "'It flattens.'", True),
])  # fmt: skip
def test_a_free_text_written_beside_its_cell_waits_for_a_person(
    spec: NotebookSpec, beside: str, kind: str, text: str, waits: bool
) -> None:
    def write_beside(notebook: NotebookNode) -> None:
        new = getattr(nbformat.v4, f"new_{kind}_cell")(text)
        notebook.cells.insert(1 + notebook.cells.index(find(notebook, beside)), new)

    content = fill(spec, Situation("student", lambda right: {}, damage=write_beside))
    unchanged = rebuild(spec.skeleton, read_notebook(content)).unchanged
    assert ("question_view" in unchanged) is not waits
    assert "conclusion" in unchanged
    assert "one_hot" in unchanged


@pytest.mark.parametrize(("text", "waits"), [
    (lambda given: "No.", True), (lambda given: given.splitlines()[0], False), (lambda given: f"{given}\n\nNo.", True),
])  # fmt: skip
def test_an_answer_in_the_place_of_its_question_waits_for_a_person(
    spec: NotebookSpec, text: Callable[[str], str], waits: bool
) -> None:
    def write_over(notebook: NotebookNode) -> None:
        question = notebook.cells[notebook.cells.index(find(notebook, "question_view")) - 1]
        assert question.cell_type == "markdown"
        question.source = text(question.source)

    content = fill(spec, Situation("student", lambda right: {}, damage=write_over))
    rebuilt = rebuild(spec.skeleton, read_notebook(content))
    assert ("question_view" in rebuilt.unchanged) is not waits
    assert any(cell.source.endswith("No.") for cell in rebuilt.notebook.cells) is waits


def test_a_copy_left_as_it_was_given_does_not_stop_the_answer(spec: NotebookSpec) -> None:
    for order in ((0, 1), (1, 0)):

        def copy_first(notebook: NotebookNode, order: tuple[int, int] = order) -> None:
            index = notebook.cells.index(find(notebook, "dimensions"))
            answered = notebook.cells[index]
            given = copy.deepcopy(answered)
            given.source = next(cell.source for cell in spec.skeleton.cells if cell.id == "dimensions")
            notebook.cells[index : index + 1] = [(given, answered)[i] for i in order]

        rebuilt = rebuild(spec.skeleton, read_notebook(submitted(spec, copy_first)))
        assert find(rebuilt.notebook, "dimensions").source == right_answers(spec)["dimensions"]


def test_a_magic_in_a_later_piece_of_a_cell_does_not_break_the_whole(spec: NotebookSpec) -> None:
    def two_pieces(notebook: NotebookNode) -> None:
        index = notebook.cells.index(find(notebook, "dimensions"))
        second = copy.deepcopy(notebook.cells[index])
        notebook.cells[index].source, second.source = "a = 1", "%%time\nb = 2"
        notebook.cells.insert(index + 1, second)

    rebuilt = rebuild(spec.skeleton, read_notebook(submitted(spec, two_pieces)))
    assert find(rebuilt.notebook, "dimensions").source.split() == ["a", "=", "1", "b", "=", "2"]


@pytest.mark.parametrize("source", ['"\\d"', "1if x else 2"])
def test_a_warning_of_python_about_a_cell_does_not_reach_the_grader(source: str) -> None:
    assert parsed(source) is not None, "a warning is an error in these tests"
