"""`one_hot`: labels to one-hot rows."""

import torch

from course_lib.authoring import Dtype, StudentNotebook, Text, expect, expect_all, hidden_test
from course_lib.reference import mnist1 as reference

SUSPECTS = {
    Text("les colonnes sont comptées à partir de la fin.",
         "the columns are counted from the end."): lambda y: reference.one_hot(y).flip(1),
    Text("le 1 est une colonne trop à droite : les labels commencent à 0.",
         "the 1 is one column too far to the right: labels start at 0."): lambda y: reference.one_hot(y).roll(1, 1),
    Text("le 1 est une colonne trop à gauche : les labels commencent à 0.",
         "the 1 is one column too far to the left: labels start at 0."): lambda y: reference.one_hot(y).roll(-1, 1),
    Text("les labels sont comparés à 1, ..., 10 au lieu de 0, ..., 9.",
         "the labels are compared with 1, ..., 10 instead of 0, ..., 9."):
        lambda y: torch.nn.functional.pad(reference.one_hot(y), (0, 1))[:, 1:],
    Text("0 et 1 sont échangés.", "0 and 1 are swapped."): lambda y: 1 - reference.one_hot(y),
    Text("il y a -1 au lieu de 0.", "there is a -1 in place of each 0."): lambda y: 2 * reference.one_hot(y) - 1,
    Text("il n'y a que des zéros.", "there are only zeros."): lambda y: torch.zeros(len(y), 10),
    Text("il n'y a que des 1.", "there are only ones."): lambda y: torch.ones(len(y), 10),
    Text("tous les 1 sont dans chaque ligne : il faut un indice de ligne, torch.arange(N), avec celui de la colonne, "
         "et N lignes distinctes, non N fois la même.",
         "every row has all the 1s: use a row index, torch.arange(N), together with the column index, "
         "and N separate rows, not the same row N times."):
        lambda y: reference.one_hot(y).amax(0).expand(len(y), 10),
    Text("les 1 des lignes précédentes restent : chaque ligne commence par des zéros.",
         "the 1s of the previous rows are still there: start each row with zeros."):
        lambda y: reference.one_hot(y).cummax(0).values,
    Text("le label 0 n'a pas de 1 : c'est une classe comme les autres.",
         "the label 0 has no 1: it is a class like the others."):
        lambda y: reference.one_hot(y).index_fill(1, torch.tensor([0]), 0),
    Text("la dernière ligne n'a pas de 1 : la boucle s'arrête trop tôt.",
         "the last row has no 1: the loop stops too early."):
        lambda y: reference.one_hot(y).index_fill(0, torch.tensor([len(y) - 1]), 0),
    Text("la première ligne n'a pas de 1 : la boucle commence trop tard.",
         "the first row has no 1: the loop starts too late."):
        lambda y: reference.one_hot(y).index_fill(0, torch.tensor([0]), 0),
    Text("les labels choisissent des lignes entières : il faut un indice de ligne, torch.arange(N), avec celui de la colonne.",
         "the labels select whole rows: use a row index, torch.arange(N), together with the column index."):
        lambda y: torch.isin(torch.arange(len(y)), y)[:, None].expand(-1, 10),
    Text("les colonnes jusqu'au label valent toutes 1.", "all columns up to the label are 1."):
        lambda y: reference.one_hot(y).flip(1).cumsum(1).flip(1),
    Text("le label lui-même est dans la colonne, au lieu de 1.", "the label itself is in the column, instead of 1."):
        lambda y: reference.one_hot(y) * y[:, None],
    Text("les valeurs ne sont pas exactement 0 et 1.", "the values are not exactly 0 and 1."):
        lambda y: 0.9 * reference.one_hot(y) + 0.01,
    Text("le softmax ne sert pas ici.", "a softmax is not needed here."): lambda y: reference.one_hot(y).softmax(1),
}  # fmt: skip


def assert_encodes(student: StudentNotebook, labels: torch.Tensor, dtype: Dtype = "any") -> None:
    """``one_hot`` must encode ``labels``."""
    encoded = student.tensor("one_hot", labels, shape=(len(labels), 10), dtype=dtype)
    expect(encoded, reference.one_hot, labels, suspects=SUSPECTS)


@hidden_test(
    0.5,
    fr="Chaque ligne vaut 1 à la colonne du label et 0 ailleurs.",
    en="Each row is 1 in the column of the label and 0 elsewhere.",
)
def test_a_single_one_per_row(student: StudentNotebook, generator: torch.Generator) -> None:
    for n in (30, 600):
        assert_encodes(student, torch.cat([torch.arange(10), torch.randint(0, 10, (n,), generator=generator)]))


@hidden_test(0.25, fr="Le résultat est juste et de type float32.", en="The result is right and of type float32.")
def test_float32(student: StudentNotebook) -> None:
    assert_encodes(student, torch.tensor([9, 3, 0, 3]), torch.float32)


@hidden_test(
    0.25,
    fr="Il y a dix colonnes quels que soient les labels présents, et les labels restent intacts.",
    en="There are always ten columns, whichever labels occur, and the labels are not modified.",
)
def test_ten_columns_whichever_labels_occur(student: StudentNotebook) -> None:
    batches = [(torch.tensor([label]),) for label in (3, 0)]
    encoded = [student.tensor("one_hot", *batch, shape=(1, 10), dtype="any") for batch in batches]
    expect_all(encoded, reference.one_hot, batches, SUSPECTS)
    for labels in (
        torch.tensor([3]),
        torch.tensor([9, 3, 3, 0]),
    ):  # an offset for each row, added in place, is 0 for the first label
        student.must_not_modify("one_hot", labels)
