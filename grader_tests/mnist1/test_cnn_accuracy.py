"""The trained model `cnn`, measured by the judge."""

import json
from pathlib import Path

from course_lib.authoring import ModelComparison, hidden_test

THRESHOLD = json.loads(Path(__file__).with_name("thresholds.json").read_text())["CNN"]["accuracy"]


@hidden_test(
    2,
    fr="Le modèle cnn entraîné atteint l'exactitude demandée.",
    en="The trained model cnn reaches the required accuracy.",
    accuracy=THRESHOLD,
)
def test_the_trained_model_is_accurate(models: ModelComparison) -> None:
    models.must_be_accurate("cnn", "CNN")
