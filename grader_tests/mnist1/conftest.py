"""Fixtures of the hidden tests of mnist1."""

import json
from pathlib import Path

import pytest
import torch

from course_lib.authoring import IMAGE_CAUSES, IMAGE_SUSPECTS, AccuracyTest, ModelComparison, StudentNotebook, Text
from course_lib.reference import mnist1 as reference

THRESHOLDS = json.loads(Path(__file__).with_name("thresholds.json").read_text())

ACCURACY = {
    name: AccuracyTest(
        measure=reference.test_accuracy,
        required=threshold["accuracy"],
        disguised=reference.shifted_test_set,
        disguised_required=threshold["shifted"],
        disguised_as=Text(" sur des images déplacées d'un pixel", " on images shifted by one pixel"),
    )
    for name, threshold in THRESHOLDS.items()
}


@pytest.fixture
def models(student: StudentNotebook) -> ModelComparison:
    """Compares the models of the student's notebook with the reference models."""
    return ModelComparison(
        student,
        reference,
        reference.random_images,
        suspects=IMAGE_SUSPECTS,
        causes=IMAGE_CAUSES,
        accuracy=ACCURACY,
    )


@pytest.fixture
def generator() -> torch.Generator:
    """Random numbers that are the same in each run."""
    return torch.Generator().manual_seed(0)
