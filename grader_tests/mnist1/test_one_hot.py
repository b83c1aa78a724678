"""`one_hot`: labels to one-hot rows."""

import torch

from course_lib.grading.hidden import hidden_test
from course_lib.grading.student import Student
from course_lib.reference import mnist1 as reference


@hidden_test(
    0.5,
    fr="Chaque ligne vaut 1 à la colonne du label et 0 ailleurs.",
    en="Each row is 1 in the column of the label and 0 elsewhere.",
)
def test_a_single_one_per_row(student: Student, generator: torch.Generator) -> None:
    labels = torch.cat([torch.arange(10), torch.randint(0, 10, (30,), generator=generator)])
    encoded = student.call("one_hot", labels)
    assert isinstance(encoded, torch.Tensor)
    assert encoded.shape == (40, 10)
    assert torch.equal(encoded.double(), reference.one_hot(labels).double())


@hidden_test(0.25, fr="Le résultat est juste et de type float32.", en="The result is right and of type float32.")
def test_float32(student: Student) -> None:
    labels = torch.tensor([9, 3, 3, 0])
    encoded = student.tensor("one_hot", labels, shape=(4, 10), dtype=torch.float32)
    assert torch.equal(encoded, reference.one_hot(labels))


@hidden_test(
    0.25,
    fr="Il y a dix colonnes quels que soient les labels présents.",
    en="There are ten columns whichever labels occur.",
)
def test_ten_columns_whichever_labels_occur(student: Student) -> None:
    for label in (0, 4):
        labels = torch.tensor([label])
        encoded = student.call("one_hot", labels)
        assert isinstance(encoded, torch.Tensor)
        assert encoded.shape == (1, 10)
        assert torch.equal(encoded.double(), reference.one_hot(labels).double())
