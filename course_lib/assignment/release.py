"""Makes the student's notebook from the source notebook, and puts the student half of course_lib next to it."""

import ast
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
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
    IncludeHeaderFooter,
    InstantiateTests,
    LockCells,
    NbGraderPreprocessor,
    SaveCells,
)
from nbgrader.utils import is_grade, is_solution, is_task
from traitlets.config import Config

from ..authoring.student_code import parsed
from ..files import PACKAGE
from ..messages import TEXT_STUB
from .cells import cell_name
from .languages import ChooseLanguage

CODE_STUB = "raise NotImplementedError  # TO DO: replace this line with your code"


LOADS_MNIST = {"load_mnist", "unpack_mnist"}
"""A notebook with one of these names needs MNIST."""

_KINDS: dict[str, tuple[str, Callable[[NotebookNode], bool]]] = {
    "SOLUTION": ("Autograded answer", is_solution),
    "HIDDEN TESTS": ("Autograder tests", is_grade),
    "MARK SCHEME": ("Manually graded answer", lambda cell: is_grade(cell) or is_task(cell) or is_solution(cell)),
}
"""Maps each marker to the only cell type that may contain it, as in nbgrader's menu, and to a test for that type."""


def student_library(mnist: bool = True) -> dict[str, bytes]:
    """The student half of course_lib: the modules directly in its folder, without the sub-packages.

    Args:
        mnist: whether to include the packed MNIST files (11 MB).

    Returns:
        The content of each file by its path, which begins with ``course_lib/``.
    """
    files = [*PACKAGE.glob("*.py"), *((PACKAGE / "mnist_files").iterdir() if mnist else ())]
    return {path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes() for path in sorted(files)}


def _identifiers(source: str) -> set[str]:
    """The names in the code of a cell: modules and what is imported from them, variables, attributes."""
    found: set[str] = set()
    tree = parsed(source)
    for node in ast.walk(tree) if tree is not None else ():
        match node:
            case ast.Import(names):
                found.update(part for alias in names for part in alias.name.split("."))
            case ast.ImportFrom(module, names):
                found.update((module or "").split("."), (alias.name for alias in names))
            case ast.Name(name) | ast.Attribute(attr=name):
                found.add(name)
            case ast.Call(ast.Attribute(attr="run_line_magic" | "run_cell_magic"), [*_, ast.Constant(str(code))]):
                found |= _identifiers(code)  # such as "%time x = f()", which IPython turns into this call
    return found


def identifiers(notebook: NotebookNode) -> set[str]:
    """The names in the code of a notebook."""
    return {name for cell in notebook.cells if cell.cell_type == "code" for name in _identifiers(cell.source)}


class AddStudentLibrary(NbGraderPreprocessor):
    """Writes the student half of course_lib next to each released notebook that imports it."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Pass the files to nbconvert, which writes them next to the notebook; MNIST only if the notebook loads it."""
        names = identifiers(nb)
        if "course_lib" in names:
            resources.setdefault("outputs", {}).update(student_library(mnist=bool(names & LOADS_MNIST)))
        return nb, resources


def faults(cells: Sequence[NotebookNode]) -> Iterator[str]:
    """The mistakes in an author's notebook, with their cells. nbgrader's own messages do not name the cells."""
    names = Counter(map(cell_name, cells))
    yield from (f"two cells have the id '{name}'" for name, n in names.items() if n > 1 and name)
    for number, cell in enumerate(cells, 1):
        where = f"cell {number} '{cell_name(cell)}'"
        for block, (kind, is_right) in _KINDS.items():
            if cell.source.count(f"### BEGIN {block}") != cell.source.count(f"### END {block}"):
                yield f"{where}: ### BEGIN {block} and ### END {block} do not match"
            if f"### BEGIN {block}" in cell.source and not is_right(cell):
                advice = "choose this type in 'Create Assignment'"
                yield f"{where}: has ### BEGIN {block}, but is not a '{kind}' cell: {advice}"
        with contextlib.suppress(SchemaTooNewError, SchemaTooOldError):  # nbgrader says how to fix it
            try:
                MetadataValidator().validate_cell(cell)
            except ValidationError as error:
                yield ": ".join([where, *map(str, error.path), error.message])


class CheckSource(NbGraderPreprocessor):
    """Names the cells with mistakes. nbgrader would stop at one of them and not say which."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Refuse a notebook with mistakes, unless ``--no-metadata`` switches metadata checks off."""
        if not self.config.CheckCellMetadata.get("enabled", True):
            return nb, resources
        if found := [*faults(nb.cells)]:
            raise RuntimeError("\n".join([f"{resources['metadata']['name']}.ipynb:", *found]))
        return nb, resources


class CheckRelease(NbGraderPreprocessor):
    """Refuses to release a notebook that still contains a secret because a marker is misspelt."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Look for nbgrader's markers and for imports of the judge."""
        for cell in nb.cells:
            for left in ("### BEGIN ", "### END ", "course_lib.authoring"):
                if left in cell.source:
                    where = f"cell '{cell_name(cell)}'"
                    raise RuntimeError(f"{where}: '{left}' would reach students: is a ### BEGIN or ### END misspelt?")
        return nb, resources


class TidyMetadata(NbGraderPreprocessor):
    """Removes metadata that the author's Jupyter wrote: it may contain an answer or traces of the author's machine."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Keep the notebook's kernelspec and language; of cells, nbgrader's metadata, tags, and how they are shown."""
        nb.metadata = NotebookNode(
            {key: nb.metadata[key] for key in ("kernelspec", "language_info") if key in nb.metadata}
        )
        for cell in nb.cells:
            kept = ("nbgrader", "deletable", "editable", "tags", "jupyter", "slideshow", "collapsed")
            cell.metadata = NotebookNode({key: cell.metadata[key] for key in kept if key in cell.metadata})
        return nb, resources


# nbgrader's own steps, in its order; the kit adds those that are defined here, and ChooseLanguage
_COMPLETE = [IncludeHeaderFooter, InstantiateTests]
_CLEAR = [ChooseLanguage, LockCells, ClearSolutions, ClearOutput, TidyMetadata, CheckCellMetadata, ComputeChecksums]
_HIDE = [ClearHiddenTests, ClearMarkScheme, CheckRelease, ComputeChecksums, CheckCellMetadata]
PREPROCESSORS = [IncludeHeaderFooter, CheckSource, InstantiateTests, *_CLEAR, SaveCells, *_HIDE, AddStudentLibrary]
"""For ``c.GenerateAssignment.preprocessors``."""


def release_config() -> Config:
    """Nbgrader's configuration of the stubs that replace answers."""
    config = Config()
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    return config


def complete_notebook(source: NotebookNode, folder: Path, config: Config | None = None) -> NotebookNode:
    """The instructor's notebook with its header, footer and automatic tests.

    nbgrader turns a line ``### AUTOTEST x`` into tests of the instructor's value of ``x``: it runs the notebook.

    Args:
        source: the instructor's notebook; it is not changed.
        folder: the folder it is in, which may have a file autotests.yml.
        config: nbgrader's configuration.
    """
    return _processed(source, _COMPLETE, config, folder)


def release_notebook(source: NotebookNode, config: Config | None = None) -> NotebookNode:
    """Make the same student's notebook as ``nbgrader generate_assignment``.

    Args:
        source: the instructor's notebook; it is not changed.
        config: nbgrader's configuration, which may change markers and stubs.
    """
    return _processed(source, [*_CLEAR, *_HIDE], config)


def solved_notebook(source: NotebookNode, config: Config | None = None) -> NotebookNode:
    """The notebook of a student who gives the instructor's answers: ``source`` without hidden tests and mark schemes.

    The arguments are those of :func:`release_notebook`.
    """
    anywhere = Config(ClearMarkScheme={"enforce_metadata": False})  # also within a text answer
    anywhere.merge(config or {})
    return _processed(source, [ClearHiddenTests, ClearMarkScheme], anywhere)


def _processed(
    source: NotebookNode, steps: Sequence[Any], config: Config | None, folder: Path | None = None
) -> NotebookNode:
    notebook, settings = deepcopy(source), release_config()
    settings.merge({step.__name__: config[step.__name__] for step in steps if config and step.__name__ in config})
    resources: dict[str, Any] = {"nbgrader": {"notebook": ""}, "metadata": {"path": str(folder)}}
    for step in steps:
        notebook, resources = step(config=settings).preprocess(notebook, resources)
    return notebook
