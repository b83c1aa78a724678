"""Mutation testing: make small changes to the right answers, and see whether the hidden tests notice.

    python -m tools.mutants

A mutant is a right answer from ``tests/answers`` with one change: another constant, operator, function or layer, or a
missing call, argument or statement. A mutant that earns full marks has survived: either it is as right as the answer,
or the hidden tests have a gap. ``tests/answers/right_mutants.txt`` lists the survivors that a person has found right.
The command prints all other survivors, and fails if there are any.
"""

import argparse
import ast
import copy
import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import torch
from tqdm import tqdm

from tests.corpus import ANSWERS, FOLDER, MODELS, Answer, judged

REVIEWED = FOLDER / "right_mutants.txt"

NAMES = (
    ("argmax", "argmin"), ("max", "min"), ("amax", "amin"), ("sum", "mean"), ("zeros", "ones"), ("exp", "log"),
    ("relu", "sigmoid", "tanh", "gelu", "leaky_relu", "softplus"), ("softmax", "log_softmax", "sigmoid", "softmin"),
    ("max_pool2d", "avg_pool2d"), ("MaxPool2d", "AvgPool2d"), ("ReLU", "Sigmoid", "Tanh", "GELU"),
    ("AdaptiveMaxPool2d", "AdaptiveAvgPool2d"), ("float", "double", "int", "bool"), ("size", "stride"),
    ("x_train", "x_test"), ("F", "torch"), ("eq", "ne"), ("float32", "float64", "int64"),
)  # fmt: skip
"""Groups of names: a mutant has one name of a group in place of another."""

OPERATORS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub, ast.Mult), ast.Sub: (ast.Add,), ast.Mult: (ast.Add, ast.Div), ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Div,), ast.Eq: (ast.NotEq, ast.GtE), ast.NotEq: (ast.Eq,), ast.Gt: (ast.Lt, ast.GtE),
    ast.GtE: (ast.Gt, ast.Lt), ast.Lt: (ast.Gt, ast.LtE), ast.LtE: (ast.Lt,), ast.Pow: (ast.Mult,),
}  # fmt: skip


def _others(name: str) -> Iterator[str]:
    for group in NAMES:
        if name in group:
            yield from (other for other in group if other != name)


def _changes(node: ast.AST, layers: set[str]) -> Iterator[ast.AST | None]:
    """Generate what a mutant has in place of ``node``; None leaves the statement out.

    Args:
        node: a node of the answer's syntax tree.
        layers: attributes of ``self`` that the answer assigns; a mutant may exchange them.
    """
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Constant(value=float(value)):
            yield from (ast.Constant(value + 1), ast.Constant(value / 2))
        case ast.BinOp() | ast.AugAssign():
            for operator in OPERATORS.get(type(node.op), ()):
                yield _with(node, op=operator())
            if isinstance(node, ast.BinOp):
                yield from (node.left, node.right)
        case ast.Compare():
            for operator in OPERATORS.get(type(node.ops[0]), ()):
                yield _with(node, ops=[operator()])
        case ast.UnaryOp():
            yield node.operand
        case ast.Call():
            if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) not in ("F", "nn", "torch", "np"):
                yield node.func.value  # x.float() -> x
            elif node.args and not isinstance(node.args[0], ast.Starred):
                yield node.args[0]  # F.relu(x) -> x
            for i in range(len(node.args)):
                yield _with(node, args=node.args[:i] + node.args[i + 1 :])
            for i in range(len(node.args) - 1):
                yield _with(node, args=[*node.args[:i], node.args[i + 1], node.args[i], *node.args[i + 2 :]])
            for i in range(len(node.keywords)):
                yield _with(node, keywords=node.keywords[:i] + node.keywords[i + 1 :])
        case ast.Attribute(attr=name):
            yield from (_with(node, attr=other) for other in _others(name))
            if name in layers:
                yield from (_with(node, attr=other) for other in sorted(layers - {name}))
        case ast.Name(id=name):
            yield from (_with(node, id=other) for other in _others(name))
        case ast.Tuple() | ast.List() if len(node.elts) > 1:
            for i in range(len(node.elts) - 1):
                yield _with(node, elts=[*node.elts[:i], node.elts[i + 1], node.elts[i], *node.elts[i + 2 :]])
        case ast.Return(value=value) if value is not None:
            yield None
        case ast.Expr() | ast.Assign() | ast.For() | ast.If():
            yield None


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


class _Replace(ast.NodeTransformer):
    """Replaces the ``n``-th node with ``other``."""

    def __init__(self, n: int, other: ast.AST | None) -> None:
        self.n, self.other = n, other

    def visit(self, node: ast.AST) -> ast.AST:
        self.n -= 1
        if self.n == -1:
            return self.other or ast.Pass()
        self.generic_visit(node)
        return node


def mutants(code: str) -> Iterator[str]:
    """Generate the code of every mutant of ``code``, each once."""
    tree = ast.parse(code)
    made = [n.targets[0] for n in ast.walk(tree) if isinstance(n, ast.Assign)]
    layers = {t.attr for t in made if isinstance(t, ast.Attribute) and ast.unparse(t.value) == "self"}
    seen = {ast.unparse(tree)}
    for n, node in enumerate(_nodes(tree)):
        for other in _changes(node, layers):
            changed = ast.fix_missing_locations(_Replace(n, copy.deepcopy(other)).visit(copy.deepcopy(tree)))
            try:
                text = ast.unparse(changed)
                compile(text, "mutant", "exec")
            except (SyntaxError, ValueError):
                continue
            if text not in seen:
                seen.add(text)
                yield text


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Generate a node and its descendants in the order in which a NodeTransformer visits them."""
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _nodes(child)


def difference(code: str, mutant: str) -> str:
    """Return the lines of ``code`` that ``mutant`` lacks, an arrow, and the lines that it has instead."""
    before, after = (ast.unparse(ast.parse(text)).splitlines() for text in (code, mutant))
    left = Counter(before) - Counter(after)
    new = Counter(after) - Counter(before)
    return " | ".join(line.strip() for line in left) + "  ->  " + " | ".join(line.strip() for line in new)


def survives(answer: Answer) -> bool:
    """Tell whether a mutant earns full marks. It runs in a fork, because an invalid index may kill the process."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    earned = False
    try:
        earned = all(test.score for test in judged(answer, "fr").values())
    finally:
        os._exit(not earned)


def main() -> None:
    """Try every mutant, print the survivors, and count mutants by cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cells = sorted({answer.cell for answer in ANSWERS})
    parser.add_argument("--cells", nargs="+", default=cells, help="solution cells; all by default")
    parser.add_argument("--all", action="store_true", help="change every model of the corpus, not every fourth")
    parser.add_argument("--accept", action="store_true", help="add the survivors to right_mutants.txt")
    arguments = parser.parse_args()
    work: list[tuple[Answer, str]] = []
    for cell in arguments.cells:
        right = [answer for answer in ANSWERS if answer.is_right and answer.cell == cell]
        some = right[::4] if cell in MODELS and not arguments.all else right
        work += [(answer, mutant) for answer in some for mutant in mutants(answer.code)]
    reviewed = set(REVIEWED.read_text().splitlines()) if REVIEWED.exists() else set()
    counts: dict[str, Counter[str]] = {cell: Counter() for cell in arguments.cells}
    new = []
    with ProcessPoolExecutor(initializer=torch.set_num_threads, initargs=(1,)) as pool:
        outcomes = pool.map(survives, (replace(answer, code=mutant) for answer, mutant in work), chunksize=4)
        for (answer, mutant), survived in zip(work, tqdm(outcomes, total=len(work)), strict=True):
            line = f"{answer}: {difference(answer.code, mutant)}"
            kind = "killed" if not survived else "right" if line in reviewed else "survived"
            counts[answer.cell][kind] += 1
            if kind == "survived":
                new.append(line)
    if arguments.accept:
        REVIEWED.write_text("".join(f"{line}\n" for line in sorted(reviewed | set(new))))
    print("\n".join(new))
    for cell, count in counts.items():
        killed, survived = count["killed"], count["survived"]
        share = killed / max(1, killed + survived)
        print(f"{cell:12} {killed:5} killed, {survived:3} survived ({share:.1%}), {count['right']:3} found right")
    sys.exit(bool(new) and not arguments.accept)


if __name__ == "__main__":
    main()
