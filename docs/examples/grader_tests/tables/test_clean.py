"""`clean`: missing values, dtypes and a derived column."""

import numpy as np
import pandas as pd

from course_lib.authoring import StudentNotebook, expect, hidden_test, wrong


def homes(seed):
    """20 homes, with missing values in three columns."""
    rng = np.random.default_rng(seed)
    area, rooms, price = rng.integers(30, 200, 20).astype(str), rng.integers(2, 6, 20) * 1.0, rng.uniform(100, 900, 20)
    table = pd.DataFrame({"id": range(7, 27), "area": area, "rooms": rooms, "price": price})
    for column, missing in ("area", "unknown"), ("rooms", np.nan), ("price", np.nan):
        table.loc[rng.choice(20, 4, replace=False), column] = missing
    return table


def reference(table, column, fill=pd.Series.median, rooms=1, median_of_all=False):
    """A column of the right answer, or of one with a usual mistake."""
    area = pd.to_numeric(table["area"], errors="coerce")
    clean = table.assign(area=area).dropna(subset=["price"])
    clean["area"] = clean["area"].fillna(fill(area if median_of_all else clean["area"]))
    clean["rooms"] = clean["rooms"].fillna(rooms)
    return list(clean["area"] / clean["rooms"] if column == "area_per_room" else clean[column])


SUSPECTS = {
    "missing areas become the mean: take the median.": lambda *inputs: reference(*inputs, fill=pd.Series.mean),
    "missing areas become 0: take the median.": lambda *inputs: reference(*inputs, fill=lambda area: 0.0),
    "the median includes homes without a price.": lambda *inputs: reference(*inputs, median_of_all=True),
    "a missing number of rooms becomes 0: it should become 1.": lambda *inputs: reference(*inputs, rooms=0),
    "homes without a price are still there.": lambda table, column: list(table[column]),
}


def answer_and_argument(nb, table):
    return nb.clean(table), table


def must_be_clean(answer, table, *columns):
    """Compare columns of the student's table."""
    for column in columns:
        if not isinstance(answer, pd.DataFrame) or column not in answer:
            raise wrong(f"clean should return a table with the column {column}.")
        expect(list(answer[column]), reference, table, column, suspects=SUSPECTS)


@hidden_test(0.5, "clean drops the homes without a price and numbers the rest from 0.")
def test_rows(student: StudentNotebook) -> None:
    answer = student.call("clean", homes(0))
    must_be_clean(answer, homes(0), "id", "price")
    if list(answer.index) != list(range(len(answer))):
        raise wrong("the rows keep their old numbers: see reset_index.")


@hidden_test(1, "clean replaces missing areas by the median, and missing numbers of rooms by 1.")
def test_missing_values(student: StudentNotebook) -> None:
    for seed in 1, 2:
        must_be_clean(student.call("clean", homes(seed)), homes(seed), "area", "rooms")


@hidden_test(0.5, "clean adds the area per room as the last column.")
def test_area_per_room(student: StudentNotebook) -> None:
    answer = student.call("clean", homes(3))
    must_be_clean(answer, homes(3), "area_per_room")
    if list(answer) != ["id", "area", "rooms", "price", "area_per_room"]:
        raise wrong("the columns should keep their order, with area_per_room last.")


@hidden_test(0.5, "clean gives the dtypes float64 and int64.")
def test_dtypes(student: StudentNotebook) -> None:
    answer = student.call("clean", homes(4))
    must_be_clean(answer, homes(4), "id")
    for column, dtype in {"area": "float64", "rooms": "int64", "area_per_room": "float64"}.items():
        if column not in answer or answer[column].dtype != dtype:
            raise wrong(f"the column {column} should have the dtype {dtype}.")


@hidden_test(0.5, "clean leaves its argument as it was.")
def test_argument(student: StudentNotebook) -> None:
    """The answer is checked, too: a function that does nothing should earn nothing."""
    answer, argument = student.run(answer_and_argument, homes(5))
    must_be_clean(answer, homes(5), "id")
    if not homes(5).equals(argument):
        raise wrong("clean changes its argument: work on a copy.")
