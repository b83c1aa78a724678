"""Draft a file of hidden tests from the asserts of a classic grade cell.

The draft is the cell's own code, which runs in the judge's process. Calls of the student's functions become questions
to the student's kernel, and so do uses of the student's variables. To find out whether a draft works, grade the source
notebook with it.
"""

import ast
from collections.abc import Collection

from nbformat import NotebookNode
from nbgrader.utils import is_solution

from ..authoring.student_code import StudentCode, names_bound, parsed
from .cells import cell_name
from .spec import NotebookSpec

HEAD = '''"""Hidden tests of the grade cell {name!r}, drafted by 'course harden' from the asserts in it."""

{imports}from course_lib.authoring import hidden_test


@hidden_test({points:g}, fr="Les tests de cette cellule réussissent.", en="The tests in this cell pass.")
def test_{function}(student):
{body}
'''


class CannotDraft(Exception):
    """The cell does something that a hidden test cannot do. The message says what."""


class _Questions(ast.NodeTransformer):
    """Replaces uses of the student's names with questions.

    Args:
        names: the names that the student's cells define.
        functions: those of them that are functions.
    """

    def __init__(self, names: Collection[str], functions: Collection[str]) -> None:
        self._names = names
        self._functions = functions
        self.own: set[str] = set()
        """The names that the test itself has defined."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        match node.func:
            case ast.Name(name) if self._is_students(name):
                if name not in self._functions:
                    raise CannotDraft(f"it calls {name}, which is not one of the student's functions")
                if any(isinstance(argument, ast.Starred) for argument in node.args):
                    raise CannotDraft(f"it calls {name} with *arguments")
                arguments = [self.visit(argument) for argument in node.args]
                keywords = [ast.keyword(keyword.arg, self.visit(keyword.value)) for keyword in node.keywords]
                return ast.Call(_attribute("call"), [ast.Constant(name), *arguments], keywords)
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Store):
            self.own.add(node.id)
            return node
        if not self._is_students(node.id):
            return node
        if node.id in self._functions:
            raise CannotDraft(f"it uses the function {node.id} without calling it")
        return ast.Call(_attribute("value"), [ast.Constant(node.id)], [])

    def visit_With(self, node: ast.With) -> ast.stmt:
        match node:
            case ast.With([ast.withitem(ast.Call(raises, [ast.Name(error)]), None)], [ast.Expr(ast.Call() as call)]):
                if ast.unparse(raises).endswith(("raises", "assertRaises")):
                    return self._raises(error, call)
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_Try(self, node: ast.Try) -> ast.stmt:
        match node:
            case ast.Try([ast.Expr(ast.Call() as call)], [ast.ExceptHandler(ast.Name(error))], [ast.Raise()], []):
                return self._raises(error, call)
        return self.generic_visit(node)  # type: ignore[return-value]

    def _raises(self, error: str, call: ast.Call) -> ast.stmt:
        """The question whether a call raises this exception."""
        question = self.visit(call)
        match question:
            case ast.Call(ast.Attribute(ast.Name("student"), "call"), arguments, keywords):
                return ast.Expr(ast.Call(_attribute("raises"), [ast.Constant(error), *arguments], keywords))
        raise CannotDraft(f"it expects {error} from something that is not a function of the student's")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        raise CannotDraft(f"it defines the function {node.name}")

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        raise CannotDraft("it has a lambda")

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        raise CannotDraft(f"it defines the class {node.name}")

    def _is_students(self, name: str) -> bool:
        return name in self._names and name not in self.own


def _attribute(method: str) -> ast.Attribute:
    return ast.Attribute(ast.Name("student", ast.Load()), method, ast.Load())


def draft(spec: NotebookSpec, grade_id: str) -> str:
    """The text of a file of hidden tests for a classic cell.

    Args:
        spec: the notebook.
        grade_id: the cell.

    Raises:
        CannotDraft: if the cell does something that a hidden test cannot do.
    """
    source = spec.classic[grade_id]
    if any(line.lstrip().startswith(("%", "!")) for line in source.splitlines()):
        raise CannotDraft("it has a magic or a shell line")
    tree = parsed(source)
    if tree is None:
        raise CannotDraft("it is not valid Python")
    if not any(isinstance(node, ast.Assert | ast.With | ast.Call) for node in ast.walk(tree)):
        raise CannotDraft("it checks nothing")
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not isinstance(tree.body[-1].value, ast.Call):
        raise CannotDraft("its last line gives partial points")
    before = _code_before(spec.solved, grade_id)
    students = StudentCode([cell.source for cell in before if is_solution(cell)])
    names = students.own_names
    functions = {name for name in names if isinstance(students.definition(name), ast.FunctionDef)}
    questions = _Questions(names, functions)
    body = [questions.visit(statement) for statement in tree.body]
    if not any(isinstance(node, ast.Name) and node.id == "student" for part in body for node in ast.walk(part)):
        raise CannotDraft("it uses nothing that the student wrote")
    imported = {name: ast.unparse(node) for cell in before for node, name in _imports(cell.source)}
    used = {node.id for part in body for node in ast.walk(part) if isinstance(node, ast.Name)} - questions.own
    imports = sorted({imported[name] for name in used & imported.keys()})
    lines = "\n".join(ast.unparse(ast.fix_missing_locations(part)) for part in body).splitlines()
    return HEAD.format(
        name=grade_id,
        imports="".join(f"{line}\n" for line in imports) + "\n" * bool(imports),
        points=next(cell.points for cell in spec.grade_cells if cell.grade_id == grade_id),
        function="".join(c if c.isalnum() else "_" for c in grade_id).removeprefix("test_"),
        body="\n".join(f"    {line}" for line in lines),
    )


def _code_before(notebook: NotebookNode, grade_id: str) -> list[NotebookNode]:
    """The code cells above a grade cell."""
    end = [*map(cell_name, notebook.cells)].index(grade_id)
    return [cell for cell in notebook.cells[:end] if cell.cell_type == "code"]


def _imports(source: str) -> list[tuple[ast.stmt, str]]:
    """The imports of a cell, each with a name that it defines."""
    tree = parsed(source)
    found = [node for node in (tree.body if tree else []) if isinstance(node, ast.Import | ast.ImportFrom)]
    return [(node, name) for node in found for name in names_bound(node)]
