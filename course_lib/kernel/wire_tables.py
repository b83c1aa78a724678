"""How pandas tables are sent: as their columns, column types and index. pandas itself may be missing."""

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

DTYPE = re.compile(
    r"(u?int|float|complex|UInt|Int|Float)\d+|bool|boolean|object|str|string|category|timedelta64\[\w+\]|"
    r"datetime64\[\w+(, (?!dateutil)[A-Za-z_+-]+(/[A-Za-z_+-]+)*)?\]"
)
"""The column types that are restored. For other names of types, pandas might read files."""

Part = Callable[[object, object], Any]
"""Describes a part of a table under a name."""


def describe(value: object, part: Part) -> dict[str, Any] | None:
    """Describe a pandas DataFrame, Series, Index or missing value; None for anything else.

    Args:
        value: any object.
        part: describes a part of it.
    """
    pandas: Any = sys.modules.get("pandas")  # if the value is from pandas, pandas has been imported
    if pandas is None:
        return None
    if isinstance(value, pandas.DataFrame):
        columns = [_describe_column(value.iloc[:, i], part, i) for i in range(value.shape[1])]
        labels = {name: part(getattr(value, name), name) for name in ("columns", "index")}
        return {"kind": "frame", "value": columns} | labels
    if isinstance(value, pandas.Series):
        column = _describe_column(value, part, "values")
        return {"kind": "series", "value": column, "name": part(value.name, "name"), "index": part(value.index, "i")}
    if isinstance(value, pandas.Index):
        names = part(list(value.names), "names")
        return {"kind": "index", "value": _describe_column(value, part, "values"), "names": names}
    if value is pandas.NA or value is pandas.NaT:
        return {"kind": "missing", "type": type(value).__name__}
    return None


def _describe_column(column: Any, part: Part, name: object) -> dict[str, Any]:
    return {"dtype": str(column.dtype), "value": part(np.asarray(column.to_numpy()), name)}


def restore(kind: str, description: dict[str, Any], part: Callable[[Any], Any]) -> Any:
    """The table that ``description`` describes. Errors of pandas and Python are not caught.

    Args:
        kind: ``frame``, ``series``, ``index`` or ``missing``.
        description: made by :func:`describe`, or by a student's kernel.
        part: restores a part of it.
    """
    if kind not in ("frame", "series", "index", "missing"):
        raise ValueError(f"unknown kind of value {kind!r}")
    import pandas

    def column(described: Any) -> Any:
        values = part(described["value"])
        array = values if isinstance(values, np.ndarray) else values.numpy()  # numbers arrive as a tensor
        if not DTYPE.fullmatch(described["dtype"]):
            raise ValueError("a column of an unknown type")
        return pandas.Series(array).astype(described["dtype"])

    if kind == "missing":
        return {"NAType": pandas.NA, "NaTType": pandas.NaT}[description["type"]]
    if kind == "index":
        names, values = part(description["names"]), column(description["value"])
        if len(names) > 1:
            return pandas.MultiIndex.from_tuples(list(values), names=names)
        return pandas.Index(values, name=names[0])
    if kind == "series":
        found = column(description["value"])
        found.index, found.name = part(description["index"]), part(description["name"])
        return found
    table = pandas.DataFrame(dict(enumerate(map(column, description["value"]))))
    table.index = part(description["index"])
    table.columns = part(description["columns"])
    return table
