"""`write_predictions`: a csv file."""

import csv

import pandas as pd
import torch

from course_lib.authoring import StudentNotebook, expect, hidden_test, wrong

INPUTS = pd.Series([104, 7, 58, 31], index=[5, 2, 0, 9]), torch.tensor([251.375, 0.015625, 1234.5, -3.25])


def written(student, *inputs):
    """The file that the student's function writes, as lists of texts."""
    text = student.file("predictions.csv", "write_predictions", *inputs).decode(errors="replace")
    return list(csv.reader(text.splitlines()))


def numbers(rows):
    """The ids and the predictions of a file without its first line."""
    try:
        return [(int(number), float(prediction)) for number, prediction in rows]
    except ValueError:
        raise wrong("each row should be an id and a number, separated by a comma.") from None


def reference(ids, predictions):
    return list(zip(ids.tolist(), predictions.tolist(), strict=True))


SUSPECTS = {
    "the rows are sorted: keep the given order.":
        lambda *inputs: sorted(reference(*inputs)),
    "ids and predictions are combined by the index of the Series.":
        lambda ids, predictions: list(zip(ids.sort_index().tolist(), predictions.tolist(), strict=True)),
    "the predictions are rounded.":
        lambda ids, predictions: list(zip(ids.tolist(), predictions.round(decimals=2).tolist(), strict=True)),
}  # fmt: skip


@hidden_test(0.5, "The first line of predictions.csv is id,prediction.")
def test_header(student: StudentNotebook) -> None:
    header = written(student, *INPUTS)[:1]
    if header == [["", "id", "prediction"]]:
        raise wrong("the file has the index as an additional column.")
    if header != [["id", "prediction"]]:
        raise wrong("the first line should be id,prediction.")


@hidden_test(1.5, "predictions.csv has the id and the prediction of each home.")
def test_rows(student: StudentNotebook) -> None:
    for inputs in INPUTS, (INPUTS[0][:2], INPUTS[1][2:]):
        expect(numbers(written(student, *inputs)[1:]), reference, *inputs, suspects=SUSPECTS)
