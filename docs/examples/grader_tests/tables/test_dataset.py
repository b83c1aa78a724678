"""`HomeData`: a Dataset over a table."""

from functools import partial

import pandas as pd
import torch
from torch.utils.data import DataLoader

from course_lib.authoring import StudentNotebook, expect, hidden_test, wrong

TABLE = pd.DataFrame(
    {"a": [0.5, 1.5, 2.5, 3.5, 4.5], "b": [7, 2, 9, 4, 1], "c": [10, 20, 30, 40, 50]}, index=[3, 0, 4, 1, 2]
)


def example(i, table, features, target):
    row = table.iloc[i]
    return torch.tensor([float(row[name]) for name in features]), torch.tensor(float(row[target]))


SUSPECTS = {
    "rows are chosen by the index of the table: count them from 0.":
        lambda i, table, *columns: example(i, table.sort_index(), *columns),
    "x contains all columns: take the features only.":
        lambda i, table, features, target: example(i, table, list(table), target),
    "y should have the shape (), not (1,).":
        lambda *inputs: (example(*inputs)[0], example(*inputs)[1][None]),
}  # fmt: skip


def batches(nb, table, features, target):
    """What a loader makes of the student's data."""
    return list(DataLoader(nb.HomeData(table, features, target), batch_size=2))


def stacked(example, table, *columns):
    """The batches of examples that another function gives; a loader makes lists."""
    x, y = (torch.stack(parts) for parts in zip(*(example(i, table, *columns) for i in range(len(table))), strict=True))
    return [list(pair) for pair in zip(x.split(2), y.split(2), strict=True)]


def must_have_length(student, table):
    expect(student.instance("HomeData", table, ["b", "a"], "c").call("__len__"), len, table)


@hidden_test(0.5, "HomeData is a Dataset with one example for each row.")
def test_length(student: StudentNotebook) -> None:
    if not student.uses("HomeData", "Dataset"):
        raise wrong("HomeData should be a subclass of Dataset.")
    for table in TABLE, TABLE[1:3]:
        must_have_length(student, table)


@hidden_test(1, "An example of HomeData is the features and the target of its row.")
def test_examples(student: StudentNotebook) -> None:
    for columns in (["b", "a"], "c"), (["c"], "a"):
        data = student.instance("HomeData", TABLE, *columns)
        for i in 0, 3:
            pair = data.call("__getitem__", i)
            expect(pair, example, i, TABLE, *columns, suspects=SUSPECTS)
            if any(getattr(part, "dtype", None) != torch.float32 for part in pair):
                raise wrong("x and y should be tensors of the dtype float32.")


@hidden_test(0.5, "A DataLoader makes batches of HomeData.")
def test_loader(student: StudentNotebook) -> None:
    must_have_length(student, TABLE)  # otherwise the probe would stop
    inputs = TABLE, ["a", "b"], "c"
    suspects = {sentence: partial(stacked, mistake) for sentence, mistake in SUSPECTS.items()}
    expect(student.run(batches, *inputs), partial(stacked, example), *inputs, suspects=suspects)
