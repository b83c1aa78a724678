"""What formgrader shows beside an answer that a person grades."""

from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from courses import find
from tiny_course import task
from traitlets.config import Config

from course_lib.cli.new import make_assignment
from course_lib.nbgrader_plugins.rubric import ShowRubric


def test_code_stays_code_and_a_task_has_its_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nbgrader_config.py").touch()
    make_assignment(tmp_path, "ex")
    path = tmp_path / "source" / "ex" / "ex.ipynb"
    notebook = nbformat.read(path, as_version=4)
    plain = deepcopy(notebook)  # a hidden test grades the code, and the task has no scheme
    plain.cells.append(task("Draw."))
    nbformat.write(plain, path.with_name("plain.ipynb"))
    code = find(notebook, "mse")
    code.metadata.nbgrader.update(grade=True, points=2)
    code.source += "\n    ### BEGIN MARK SCHEME\n    # 1 for the squares\n    ### END MARK SCHEME"
    notebook.cells.append(task("Draw.\n\n=== BEGIN MARK SCHEME ===\n2 for the curve\n=== END MARK SCHEME ==="))
    nbformat.write(notebook, path)
    names = {"submission_id": "1", "assignment_id": "ex", "notebook_id": "ex"}
    config = Config({"JudgedAutograde": {"language": "en"}})
    before = deepcopy(notebook)
    of_feedback = {name: value for name, value in names.items() if name != "submission_id"}
    for resources in (of_feedback, names | {"notebook_id": "renamed"}):
        assert ShowRubric(config=config).preprocess(notebook, resources)[0] == before
    (path.parent / "broken.ipynb").write_text("{")
    assert ShowRubric(config=config).preprocess(notebook, names | {"notebook_id": "broken"})[0] == before
    shown, _ = ShowRubric(config=config).preprocess(notebook, names)
    texts = [cell.source for cell in shown.cells]
    assert len(texts) == len(before.cells) + 3, "below what a person grades only"
    count = len(plain.cells)
    shown_plain, _ = ShowRubric(config=config).preprocess(plain, names | {"notebook_id": "plain"})
    assert len(shown_plain.cells) == count + 1
    beside = texts[shown.cells.index(find(shown, "mse")) + 1]
    assert (
        "> ```python\n> def mse(y_pred, y):\n>     return ((y_pred - y) ** 2).mean()\n> ```\n> \n> 1 for the squares"
        in beside
    )
    assert "Expected answer and mark scheme" in beside
    assert texts[-1].endswith("> 2 for the curve")
    assert "Draw." not in texts[-1]
