"""The trained model `cnn`, measured by the judge."""

from typing import Any

from course_lib.grading.hidden import hidden_test


@hidden_test(
    2,
    fr="Le modèle cnn entraîné atteint l'exactitude demandée.",
    en="The trained model cnn reaches the required accuracy.",
)
def test_the_trained_model_is_accurate(models: Any) -> None:
    assert models.reaches_its_threshold("cnn", "CNN")
