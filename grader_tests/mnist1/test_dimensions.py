"""`dimensions`: the sizes of x_train."""

from course_lib.grading.hidden import hidden_test
from course_lib.grading.student import Student


def is_integer(value: object, expected: int) -> bool:
    """A Python integer (True is none) of that value."""
    return isinstance(value, int) and not isinstance(value, bool) and value == expected


@hidden_test(0.5, fr="n_images est le nombre d'images.", en="n_images is the number of images.")
def test_number_of_images(student: Student) -> None:
    assert is_integer(student.value("n_images"), 60_000)


@hidden_test(0.25, fr="n_rows est le nombre de lignes d'une image.", en="n_rows is the number of rows of an image.")
def test_number_of_rows(student: Student) -> None:
    assert is_integer(student.value("n_rows"), 28)


@hidden_test(
    0.25, fr="n_columns est le nombre de colonnes d'une image.", en="n_columns is the number of columns of an image."
)
def test_number_of_columns(student: Student) -> None:
    assert is_integer(student.value("n_columns"), 28)
