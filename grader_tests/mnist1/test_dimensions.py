"""`dimensions`: the sizes of x_train."""

from course_lib.authoring import StudentNotebook, Text, hidden_test, wrong

CAUSES = {
    10_000: Text("c'est le nombre d'images de test.", "this is the number of test images."),
    784: Text("c'est le nombre de pixels d'une image.", "this is the number of pixels of an image."),
    60_000 * 784: Text("c'est le nombre de tous les pixels.", "this is the total number of pixels."),
    10: Text("c'est le nombre de classes.", "this is the number of classes."),
    3: Text("c'est le nombre de dimensions de x_train.", "this is the number of dimensions of x_train."),
    60_000: Text("c'est le nombre d'images : vérifiez l'ordre.", "this is the number of images: check the order."),
    28: Text("c'est la taille d'une image : vérifiez l'ordre.", "this is the size of an image: check the order."),
}
OTHER = Text("ce nombre n'est pas dans x_train.shape.", "this number does not occur in x_train.shape.")


def assert_size(student: StudentNotebook, name: str, expected: int) -> None:
    """The variable ``name`` must be ``expected``."""
    size = student.integer(name)
    if size != expected:
        raise wrong(CAUSES.get(size, OTHER))


@hidden_test(0.5, fr="n_images est le nombre d'images.", en="n_images is the number of images.")
def test_number_of_images(student: StudentNotebook) -> None:
    assert_size(student, "n_images", 60_000)


@hidden_test(0.25, fr="n_rows est le nombre de lignes d'une image.", en="n_rows is the number of rows of an image.")
def test_number_of_rows(student: StudentNotebook) -> None:
    assert_size(student, "n_rows", 28)


@hidden_test(
    0.25, fr="n_columns est le nombre de colonnes d'une image.", en="n_columns is the number of columns of an image."
)
def test_number_of_columns(student: StudentNotebook) -> None:
    assert_size(student, "n_columns", 28)
