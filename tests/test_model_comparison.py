"""Models are compared by what they compute, in any assignment: here, a regression with three features."""

from collections.abc import Callable
from textwrap import dedent

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.authoring import (
    ACTIVATION_SUSPECTS,
    OUTPUT_SUSPECTS,
    AccuracyTest,
    ModelCauses,
    ModelComparison,
    StudentFailure,
    Text,
)
from course_lib.authoring.live import student_of
from course_lib.messages import say

CAUSES = ModelCauses()


class Regression(nn.Module):
    """3-8-8-1, ReLU; features (N, 3) to predictions (N, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden1 = nn.Linear(3, 8)
        self.hidden2 = nn.Linear(8, 8)
        self.output = nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(F.relu(self.hidden2(F.relu(self.hidden1(x)))))


STANDARDIZED = Text("les variables sont encore normalisées.", "the features are normalized again.")
SUSPECTS = [
    *OUTPUT_SUSPECTS,
    *ACTIVATION_SUSPECTS,
    (STANDARDIZED, lambda model, x: model((x - x.mean(0)) / x.std(0))),
]


def features(generator: torch.Generator, n: int) -> torch.Tensor:
    """Random features, float32 (n, 3)."""
    return torch.randn((n, 3), generator=generator)


def comparison_with(source: str, loss: str = "mse_loss") -> ModelComparison:
    """The comparison for a notebook that has run ``source``."""
    namespace: dict[str, object] = {"torch": torch, "nn": nn, "F": F}
    exec(dedent(source), namespace)
    return ModelComparison(
        student_of(namespace), {"Regression": Regression}, features, loss=loss, suspects=SUSPECTS, causes=CAUSES
    )


def all_tests(models: ModelComparison) -> None:
    models.must_have_output_shape("Regression")
    models.must_agree("Regression")
    models.must_treat_examples_separately("Regression")


def with_forward(body: str) -> str:
    """The source of a right ``__init__`` and this ``forward``."""
    start = """
        class Regression(nn.Module):
            def __init__(self):
                super().__init__()
                self.one, self.two, self.three = nn.Linear(3, 8), nn.Linear(8, 8), nn.Linear(8, 1)

            def forward(self, x):
    """
    lines = "\n".join(f"        {line}" for line in dedent(body).strip().splitlines())
    return f"{dedent(start).rstrip()}\n{lines}\n"


RIGHT = {
    "other names": with_forward("return self.three(F.relu(self.two(F.relu(self.one(x)))))"),
    "sequential": """
        def relu():
            return nn.LeakyReLU(0)

        class Regression(nn.Sequential):
            def __init__(self):
                super().__init__(nn.Linear(3, 8), relu(), nn.Linear(8, 8), relu(), nn.Linear(8, 1))
    """,
    "matrices": """
        class Regression(nn.Module):
            def __init__(self):
                super().__init__()
                self.w1, self.b1 = nn.Parameter(torch.rand(3, 8)), nn.Parameter(torch.rand(8))
                self.w2, self.b2 = nn.Parameter(torch.rand(8, 8)), nn.Parameter(torch.rand(8))
                self.w3, self.b3 = nn.Parameter(torch.rand(8, 1)), nn.Parameter(torch.rand(1))

            def forward(self, x):
                x = (x @ self.w1 + self.b1).clamp(min=0)
                x = (x @ self.w2 + self.b2).clamp(min=0)
                return x @ self.w3 + self.b3
    """,
    "float64 inside": with_forward(
        """
        hidden = F.relu(self.two(F.relu(self.one(x)))).double()
        return hidden @ self.three.weight.double().T + self.three.bias.double()
        """
    ),
}


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
@pytest.mark.parametrize("loss", ["mse_loss", "l1_loss", "smooth_l1_loss", "binary_cross_entropy_with_logits"])
def test_a_right_model_passes_however_it_is_written(source: str, loss: str) -> None:
    all_tests(comparison_with(source, loss))


def suspect(english: str) -> Text:
    """The sentence of a suspect."""
    return next(text for text, _ in SUSPECTS if text.en.startswith(english))


WRONG: dict[str, tuple[str, Text]] = {
    "no activation": (
        with_forward("return self.three(self.two(F.relu(self.one(x))))"),
        suspect("a relu activation is missing"),
    ),
    "sigmoid": (
        with_forward("return self.three(F.relu(self.two(self.one(x).sigmoid())))"),
        suspect("an activation is not relu"),
    ),
    "tanh of the output": (
        with_forward("return self.three(F.relu(self.two(F.relu(self.one(x))))).tanh()"),
        suspect("tanh is applied"),
    ),
    "standardized": (
        with_forward("x = (x - x.mean(0)) / x.std(0)\nreturn self.three(F.relu(self.two(F.relu(self.one(x)))))"),
        STANDARDIZED,
    ),
    "features in another order": (
        with_forward("return self.three(F.relu(self.two(F.relu(self.one(x.flip(1))))))"),
        CAUSES.compare,
    ),
    "layer not used": (
        with_forward("return self.three(F.relu(self.one(x)))"),
        CAUSES.unused_layer,
    ),
    "cut off": (
        with_forward("return self.three(F.relu(self.two(F.relu(self.one(x)).detach())))"),
        CAUSES.cut_off,
    ),
    "noise": (
        with_forward("return self.three(F.relu(self.two(F.relu(self.one(x))))) + torch.randn(len(x), 1)"),
        CAUSES.random,
    ),
    "batch mean": (
        with_forward("return self.three(F.relu(self.two(F.relu(self.one(x - x.mean(0) + 1)))))"),
        CAUSES.mixed,
    ),
    "constant": (
        with_forward("return self.three(F.relu(self.two(F.relu(self.one(0 * x)))))"),
        CAUSES.same_outputs,
    ),
    "not finite": (
        with_forward("return self.three(F.relu(self.two(F.relu(self.one(x)))) / 0)"),
        CAUSES.not_finite,
    ),
    "other outputs in evaluation mode": (
        with_forward(
            """
            y = self.three(F.relu(self.two(F.relu(self.one(x)))))
            return y if self.training else y.round()
            """
        ),
        CAUSES.not_training,
    ),
}


@pytest.mark.parametrize(("source", "cause"), WRONG.values(), ids=WRONG)
def test_a_wrong_model_is_told_the_likely_cause(source: str, cause: Text) -> None:
    with pytest.raises(StudentFailure) as failure:
        comparison_with(source).must_agree("Regression")
    assert failure.value.detail == str(cause)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("return self.three(F.relu(self.two(F.relu(self.one(x))))).squeeze(1)", ("dimensions", {"actual": 1, "expected": 2})),
        ("return self.two(F.relu(self.one(x)))", ("columns", {})),
        ("return self.three(F.relu(self.two(F.relu(self.one(x)))))[:1]", ("rows", {})),
    ],
    ids=["one dimension", "eight outputs", "one row"],
)  # fmt: skip
def test_outputs_of_another_shape_are_told_why(body: str, cause: tuple[str, dict[str, int]]) -> None:
    models = comparison_with(with_forward(body))
    for test in (models.must_have_output_shape, models.must_agree):
        with pytest.raises(StudentFailure) as failure:
            test("Regression")
        assert failure.value.detail == say(f"cause.{cause[0]}", **cause[1])


def test_a_model_that_modifies_its_input_fails() -> None:
    source = with_forward("x += 1\nreturn self.three(F.relu(self.two(F.relu(self.one(x - 1)))))")
    with pytest.raises(StudentFailure) as failure:
        comparison_with(source).must_treat_examples_separately("Regression")
    assert failure.value.detail == say("cause.modified")


# -- what an author can choose ------------------------------------------------------------------------------------------


class Normalized(nn.Sequential):
    """With batch statistics, which training mode and evaluation mode use differently."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))


def test_reference_models_may_normalize_the_batch() -> None:
    models = ModelComparison(student_of({"Normalized": Normalized}), {"Normalized": Normalized}, features)
    models.must_agree("Normalized")


@pytest.mark.parametrize("references", [{"Line": lambda: nn.Linear(3, 2)}, lambda name: nn.Linear(3, 2)])
def test_references_are_a_mapping_or_a_function(references: Callable[[str], nn.Module]) -> None:
    models = ModelComparison(student_of({"Line": nn.Linear(3, 2)}), references, features)
    models.must_have_output_shape("Line")
    models.must_agree("Line")


def test_references_may_be_a_module() -> None:
    from course_lib.reference import mnist1

    models = ModelComparison(student_of({"DNN": mnist1.DNN}), mnist1, mnist1.random_images)
    models.must_agree("DNN")


def test_with_cross_entropy_log_probabilities_are_right() -> None:
    """Training cannot tell them from logits; with another loss, it can."""

    class Line(nn.Linear):
        def __init__(self) -> None:
            super().__init__(3, 4)

    class LogProbabilities(Line):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).log_softmax(1)

    student = student_of({"Line": LogProbabilities})
    ModelComparison(student, {"Line": Line}, features).must_agree("Line")
    with pytest.raises(StudentFailure):
        ModelComparison(student, {"Line": Line}, features, loss="mse_loss").must_agree("Line")


class Doubled(nn.Linear):
    """The line of the test below, with doubled outputs."""

    def __init__(self) -> None:
        super().__init__(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


def test_suspects_may_be_a_mapping() -> None:
    doubled = Text("les sorties sont doublées.", "the outputs are doubled.")
    suspects = {doubled: lambda model, x: 2 * model(x)}
    models = ModelComparison(
        student_of({"Line": Doubled}), {"Line": lambda: nn.Linear(3, 2)}, features, suspects=suspects
    )
    with pytest.raises(StudentFailure) as failure:
        models.must_agree("Line")
    assert failure.value.detail == str(doubled)


# -- accuracy -----------------------------------------------------------------------------------------------------------


def labelled() -> tuple[torch.Tensor, torch.Tensor]:
    """Points (200, 3), and whether the first coordinate is positive."""
    x = features(torch.Generator().manual_seed(0), 200)
    return x, (x[:, 0] > 0).long()


def good_classifier(layers: int = 1) -> nn.Module:
    """A line that separates the points, after ``layers - 1`` layers that change nothing."""
    model = nn.Sequential(*(nn.Linear(3, 3) for _ in range(layers - 1)), nn.Linear(3, 2))
    with torch.no_grad():
        for layer in model:
            layer.weight.copy_(torch.eye(3)[: len(layer.weight)])
            layer.bias.zero_()
        model[-1].weight.copy_(torch.tensor([[-1.0, 0, 0], [1, 0, 0]]))
    return model


def accuracy_comparison(model: nn.Module, required: float = 0.9) -> ModelComparison:
    x, labels = labelled()
    test = AccuracyTest(
        measure=lambda copy: (copy(x).argmax(1) == labels).double().mean().item(),
        required=required,
        disguised=labelled,
        disguised_required=required,
        disguised_as=Text(" sur d'autres points", " on other points"),
        by_chance=0.95,
    )
    references = {"Line": lambda: nn.Sequential(nn.Linear(3, 2))}
    return ModelComparison(student_of({"line": model}), references, features, accuracy={"Line": test})


@pytest.mark.parametrize("layers", [1, 2])
def test_an_accurate_model_passes(layers: int) -> None:
    """With one layer, the judge measures its copy; with two, the student's own model."""
    models = accuracy_comparison(good_classifier(layers))
    models.must_be_accurate("line", "Line")
    assert models.student.accuracy == (1.0, 0.9)


@pytest.mark.parametrize(("layers", "where"), [(1, "mesurée est"), (2, "mesurée sur d'autres points est")])
def test_an_inaccurate_model_fails(layers: int, where: str) -> None:
    model = good_classifier(layers)
    with torch.no_grad():
        model[-1].weight.neg_()
    with pytest.raises(StudentFailure, match=f"{where} 0.0000, trop peu"):
        accuracy_comparison(model).must_be_accurate("line", "Line")


def test_a_table_in_place_of_weights_fails() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.Linear(3, 7)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.one_hot((x[:, 0] > 0).long(), 2).float()

    with pytest.raises(StudentFailure) as failure:
        accuracy_comparison(Table()).must_be_accurate("line", "Line")
    assert failure.value.detail == str(CAUSES.weights_unused)
