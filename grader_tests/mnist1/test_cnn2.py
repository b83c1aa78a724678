"""`cnn2`: the model CNN2, compared with the reference by what it computes."""

from course_lib.authoring import ModelComparison, hidden_test


@hidden_test(
    0.5,
    fr="CNN2 transforme N images (28, 28) en N fois dix sorties.",
    en="CNN2 turns N images (28, 28) into ten outputs for each image.",
)
def test_ten_outputs_per_image(models: ModelComparison) -> None:
    models.must_have_output_shape("CNN2")


@hidden_test(
    1,
    fr="CNN2 calcule ce que l'énoncé décrit : mêmes poids, mêmes sorties et mêmes gradients.",
    en="CNN2 computes what the exercise describes: given the same weights, it returns the reference's outputs and gradients.",
)
def test_same_weights_same_outputs_and_gradients(models: ModelComparison) -> None:
    models.must_agree("CNN2")


@hidden_test(
    0.5,
    fr="Une image seule reçoit les mêmes sorties que parmi d'autres, et reste intacte.",
    en="An image gets the same outputs on its own as in a batch, and is not modified.",
)
def test_a_single_image_keeps_its_outputs(models: ModelComparison) -> None:
    models.must_treat_examples_separately("CNN2")
