"""From the source notebook to the student's: nbgrader's own steps, and the student half of course_lib beside it."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode, ValidationError
from nbgrader.nbgraderformat import MetadataValidator, SchemaTooNewError, SchemaTooOldError
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
    NbGraderPreprocessor,
    SaveCells,
)
from nbgrader.utils import is_grade, is_solution, is_task
from traitlets.config import Config

from ..files import PACKAGE
from .cells import cell_name

__all__ = ["PREPROCESSORS", "AddStudentLibrary", "faults", "release_notebook", "student_library"]

CODE_STUB = "raise NotImplementedError  # TO DO: replace this line with your code"
TEXT_STUB = "*Votre réponse ici. / Your answer here.*"


_KINDS: dict[str, tuple[str, Callable[[NotebookNode], bool]]] = {
    "SOLUTION": ("Autograded answer", is_solution),
    "HIDDEN TESTS": ("Autograder tests", is_grade),
    "MARK SCHEME": ("Manually graded answer", lambda cell: is_grade(cell) or is_task(cell) or is_solution(cell)),
}
"""By what stands between markers: the kind of cell that it belongs into, as nbgrader's menu calls it."""


def student_library() -> dict[str, bytes]:
    """The files that students get, by their path: the modules directly in course_lib and the packed MNIST files.

    The sub-packages, with the answers and the judge in them, are no part of it.
    """
    files = [*PACKAGE.glob("*.py"), *(PACKAGE / "mnist_files").iterdir()]
    return {path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes() for path in sorted(files)}


class AddStudentLibrary(NbGraderPreprocessor):
    """Writes the student half of course_lib beside each released notebook."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Hand the files to nbconvert's writer, which puts them beside the notebook."""
        resources.setdefault("outputs", {}).update(student_library())
        return nb, resources


def faults(cells: Sequence[NotebookNode]) -> Iterator[str]:
    """What nbgrader does not say: in which cells of a notebook the author was careless."""
    names = Counter(map(cell_name, cells))
    yield from (f"two cells are called '{name}'" for name, n in names.items() if n > 1 and name)
    for number, cell in enumerate(cells, 1):
        where = f"cell {number} '{cell_name(cell)}'"
        for block, (kind, is_right) in _KINDS.items():
            if cell.source.count(f"### BEGIN {block}") != cell.source.count(f"### END {block}"):
                yield f"{where}: ### BEGIN {block} and ### END {block} do not go together"
            if f"### BEGIN {block}" in cell.source and not is_right(cell):
                yield f"{where}: has ### BEGIN {block}, and is no '{kind}' cell: choose that in 'Create Assignment'"
        with contextlib.suppress(SchemaTooNewError, SchemaTooOldError):  # nbgrader says the way out
            try:
                MetadataValidator().validate_cell(cell)
            except ValidationError as error:
                yield ": ".join([where, *map(str, error.path), error.message])


class Careful(NbGraderPreprocessor):
    """Names the cells in which the author was careless, before nbgrader stops at one and does not say which."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Look for faults."""
        if found := [*faults(nb.cells)]:
            raise RuntimeError("\n".join([f"{resources['metadata']['name']}.ipynb:", *found]))
        return nb, resources


class NothingLeft(NbGraderPreprocessor):
    """Refuses to release a notebook in which a misspelt marker has kept what students must not get."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Look for nbgrader's markers and for the judge."""
        for cell in nb.cells:
            for left in ("### BEGIN ", "### END ", "course_lib.authoring"):
                if left in cell.source:
                    where = f"cell '{cell_name(cell)}'"
                    raise RuntimeError(f"{where}: '{left}' would reach students: is a ### BEGIN or ### END misspelt?")
        return nb, resources


class TidyMetadata(NbGraderPreprocessor):
    """Leaves out what the author's Jupyter wrote into the metadata: no answer and no trace of a machine in them."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Keep kernelspec and language of the notebook, and nbgrader's metadata and nbgrader's locks of its cells."""
        nb.metadata = NotebookNode(
            {key: nb.metadata[key] for key in ("kernelspec", "language_info") if key in nb.metadata}
        )
        for cell in nb.cells:
            kept = ("nbgrader", "deletable", "editable", "tags")
            cell.metadata = NotebookNode({key: cell.metadata[key] for key in kept if key in cell.metadata})
        return nb, resources


# nbgrader's own list without IncludeHeaderFooter and InstantiateTests, which the kit does not use, and with ours
_CLEAR = [LockCells, ClearSolutions, ClearOutput, TidyMetadata, CheckCellMetadata, ComputeChecksums]
_HIDE = [ClearHiddenTests, ClearMarkScheme, NothingLeft, ComputeChecksums, CheckCellMetadata]
PREPROCESSORS = [Careful, *_CLEAR, SaveCells, *_HIDE, AddStudentLibrary]
"""For ``c.GenerateAssignment.preprocessors``."""


def release_config() -> Config:
    """Nbgrader's configuration of the stubs."""
    config = Config()
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    return config


def release_notebook(source: NotebookNode, config: Config | None = None) -> NotebookNode:
    """The student's notebook made from ``source``, as ``nbgrader generate_assignment`` makes it; ``source`` is kept.

    Args:
        source: the instructor's notebook.
        config: nbgrader's, which may have other markers and stubs.
    """
    notebook, settings, steps = deepcopy(source), release_config(), [*_CLEAR, *_HIDE]
    settings.merge({step.__name__: config[step.__name__] for step in steps if config and step.__name__ in config})
    resources: dict[str, Any] = {"nbgrader": {"notebook": ""}}
    for step in steps:
        notebook, resources = step(config=settings).preprocess(notebook, resources)
    return notebook
