"""How the kernel recognizes a training: the loop, its data, how the model behaves. In doubt, it is another training."""

import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest
import torch
from torch import nn

import course_lib
from course_lib import training
from course_lib.grading_hooks import hooks
from course_lib.judge.training_cache import find_training, keep_code_training, keep_trainings, load_training
from course_lib.kernel import training_reuse
from course_lib.kernel.model_behaviour import behaviour_of
from course_lib.kernel.wire import Packet

LOOP = """
import course_lib, torch
from torch import nn

def step(model, x, y):
    {step}

@course_lib.training_loop
def fit(model, x, y, EPOCHS=3):
    history = course_lib.ConvergenceHistory()
    for _ in range(EPOCHS):
        step(model, x, y){more}
    return history
"""


def module_of(path: Path, source: str, **names: object) -> ModuleType:
    """A module with this source, in a file; ``names`` are there before it runs."""
    path.write_text(source)
    module = ModuleType("notebook")
    vars(module).update(names)
    exec(compile(source, path, "exec"), vars(module))
    return module


def run_of(folder: Path, name: str, model: nn.Module, step: str = "pass", more: str = "") -> training.TrainingRun:
    """A training whose loop stands in a module, with what it uses."""
    module = module_of(folder / f"{name}.py", LOOP.format(step=step, more=more))
    x, y = torch.linspace(-1, 1, 60).reshape(20, 3), torch.arange(20) % 2
    return training.TrainingRun(model, inspect.unwrap(module.fit), {"x": x, "y": y})


def test_another_loop_or_version_is_another_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(tmp_path, "m0", nn.Linear(3, 2))
    recipes = [
        training_reuse.recipe(run),
        training_reuse.recipe(run_of(tmp_path, "m1", run.model, more="; EPOCHS -= 1")),
    ]
    (tmp_path / "other.py").write_text("# another library")
    for module, name, value in ((torch, "__version__", "1.0"), (training, "__file__", str(tmp_path / "other.py"))):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            recipes.append(training_reuse.recipe(run))
    assert len({*recipes}) == 4
    assert training_reuse.recipe(run) == recipes[0]


class Coder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(3, 2)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.encode(x)


@dataclass
class Schedule:
    """What makes a rate of an epoch is not in its ``repr``."""

    rate: float

    def __call__(self, epoch: int) -> float:
        return self.rate / epoch


Schedule.__module__ = "__main__"  # as in a notebook


@pytest.mark.parametrize("argument", [
    nn.Linear(2, 3), Coder(), object(), torch.Generator(), [torch.utils.data.DataLoader([1])],
    torch.optim.SGD(nn.Linear(2, 3).parameters()), Schedule(0.1), Schedule, partial(Schedule, 0.1),
], ids=lambda argument: type(argument).__name__)  # fmt: skip
def test_an_argument_without_fingerprint_prevents_reuse(tmp_path: Path, argument: object) -> None:
    """A second model would stay untrained, and two data loaders at the same address would be taken for equal."""
    run = run_of(tmp_path, "m", nn.Linear(3, 2))
    run.arguments["more"] = argument
    with pytest.raises(TypeError):
        training_reuse.recipe(run)


@pytest.mark.parametrize(("loss", "same"), [("nn.functional.cross_entropy", True), ("nn.functional.nll_loss", False)])
def test_log_probabilities_are_logits_for_cross_entropy_only(tmp_path: Path, loss: str, same: bool) -> None:
    models = [nn.Sequential(nn.Linear(3, 2)), nn.Sequential(nn.Linear(3, 2), nn.LogSoftmax(dim=1))]
    more = f"\n        {loss}(model(x), y).backward()"
    first, second = (behaviour_of(run_of(tmp_path, f"m{n}", m, more=more)) for n, m in enumerate(models))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(first, second, strict=True)) is same


def test_models_with_one_output_differ(tmp_path: Path) -> None:
    """Their cross entropy is 0, whatever they compute."""
    models = [nn.Sequential(nn.Linear(3, 4), between, nn.Linear(4, 1)) for between in (nn.ReLU(), nn.Tanh())]
    more = "\n        nn.functional.mse_loss(model(x)[:, 0], y.float()).backward()"
    first, second = (behaviour_of(run_of(tmp_path, f"m{n}", m, more=more)) for n, m in enumerate(models))
    assert not torch.allclose(first[0], second[0], rtol=1e-2)


@pytest.mark.parametrize("change", [nn.Flatten(0), nn.Unflatten(1, (1, 1))])
def test_outputs_of_another_shape_differ(tmp_path: Path, change: nn.Module) -> None:
    """A mean squared error of (N,) and (N, 1) compares each output with each target."""
    models = [nn.Linear(3, 1), nn.Sequential(nn.Linear(3, 1), change)]
    first, second = (behaviour_of(run_of(tmp_path, f"m{n}", model)) for n, model in enumerate(models))
    assert torch.allclose(first[0], second[0])
    assert not torch.equal(first[-1], second[-1])


class Auto(nn.Module):
    """An autoencoder that gives its code, too."""

    def __init__(self, act: nn.Module, kind: type) -> None:
        super().__init__()
        self.a, self.b, self.act, self.kind = nn.Linear(3, 2), nn.Linear(2, 3), act, kind

    def forward(self, x: torch.Tensor) -> object:
        code = self.act(self.a(x))
        parts = {"image": self.b(code), "code": (code,)}
        return parts if self.kind is dict else self.kind(parts.values())


@pytest.mark.parametrize("kind", [tuple, list, dict])
def test_models_with_several_outputs_differ(tmp_path: Path, kind: type) -> None:
    found = []
    for n, act in enumerate((nn.ReLU(), nn.ReLU(), nn.Tanh())):
        run = run_of(tmp_path, f"m{n}", Auto(act, kind))
        del run.arguments["y"]
        found.append(behaviour_of(run)[0].item())
    assert found[0] == found[1] != pytest.approx(found[2], rel=1e-2)


def test_outputs_under_other_names_differ(tmp_path: Path) -> None:
    found = []
    for n, names in enumerate([("image", "code"), ("code", "image"), ("image", "c"), (0, 1)]):
        run = run_of(tmp_path, f"m{n}", nn.Linear(3, 3))
        run.model.register_forward_hook(lambda m, args, y, names=names: dict(zip(names, (y, y.relu()), strict=True)))
        found.append(behaviour_of(run))
    first = found[0][-1]
    assert [torch.equal(first, other[-1]) for other in found] == [True, True, False, False]
    assert not torch.allclose(found[0][0], found[1][0]), "in each other's place"


def test_models_of_sequences_differ(tmp_path: Path) -> None:
    """Their cross entropy is one of many words for each text, which the loop lays out as it likes."""
    found = []
    for n, act in enumerate((nn.ReLU(), nn.ReLU(), nn.Tanh())):
        model = nn.Sequential(nn.Embedding(9, 4), act, nn.Linear(4, 9))
        run = run_of(tmp_path, f"m{n}", model, more="\n        F.cross_entropy(model(x).mT, y)")
        run.arguments["x"] = run.arguments["y"] = torch.arange(60).reshape(20, 3) % 9
        found.append(behaviour_of(run)[0].item())
    assert found[0] == found[1] != pytest.approx(found[2], rel=1e-2)


class Remembers(nn.Module):
    """Does at its first batch what it does not do again, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(3, 2)
        self.register_buffer("mean", torch.zeros(3))
        self.seen, self.last, self.total, self.head = [0], None, torch.zeros(3), None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x -= 0.5
        if self.head is None:
            self.head = nn.Linear(2, 2)
        self.seen.append(self.seen[-1] + 1)
        self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        self.total += x.mean(0)
        self.last = self.head(self.line(x))
        return self.last


def test_a_fingerprint_leaves_no_trace(tmp_path: Path) -> None:
    """Not in the data either. What is done at the first batch only would not be done in the training."""
    run = run_of(tmp_path, "m", Remembers())
    x, mean, total = run.arguments["x"].clone(), run.model.mean, run.model.total
    calls: list[object] = []
    hook = run.model.register_forward_hook(lambda *_: calls.append(1))
    with pytest.raises(TypeError, match="creates"):  # its head would not be trained
        behaviour_of(run)
    assert torch.equal(run.arguments["x"], x)
    assert run.model.mean is mean
    assert not mean.any()
    assert run.model.total is total
    assert not total.any()
    assert (run.model.seen, run.model.last, run.model.head) == ([0], None, None)
    assert [name for name, _ in run.model.named_parameters()] == ["line.weight", "line.bias"]
    hook.remove()
    calls.clear()
    run.model(run.arguments["x"].clone())
    assert not calls, "a hook that was there before can still be removed"


class Norm(nn.Module):
    """Batch statistics by hand, as buffers or as plain attributes."""

    def __init__(self, names: tuple[str, ...] = (), rate: float = 0.1) -> None:
        super().__init__()
        self.line, self.rate = nn.Linear(3, 2), rate
        self.mean, self.var = torch.zeros(2), torch.ones(2)
        for name in names:
            value = getattr(self, name)
            delattr(self, name)
            self.register_buffer(name, value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.line(x) + 1
        if self.training:
            mean, var = y.mean(0), y.var(0)
            self.mean = (1 - self.rate) * self.mean + self.rate * mean.detach()
            self.var = (1 - self.rate) * self.var + self.rate * var.detach()
        else:
            mean, var = self.mean, self.var
        return (y - mean) / (var + 1e-5).sqrt()


class Dropping(nn.Module):
    def __init__(self, always: bool) -> None:
        super().__init__()
        self.line, self.always = nn.Linear(3, 2), always

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(self.line(x), training=self.training or self.always)


@pytest.mark.parametrize(("one", "other"), [
    (Norm(("mean", "var")), Norm(("var", "mean"))), (Norm(("mean", "var")), Norm(("mean", "var"), 0.0)),
    (Dropping(False), Dropping(True)),
])  # fmt: skip
def test_models_that_differ_only_in_evaluation_differ(one: nn.Module, other: nn.Module, tmp_path: Path) -> None:
    """Their losses and gradients are the same, but what comes back with the weights would not fit."""
    run = run_of(tmp_path, "m", one)
    first, again = behaviour_of(run), behaviour_of(run)
    run.model = other
    second = behaviour_of(run)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(first[:3], second[:3], strict=True))
    assert not all(torch.allclose(a, b, rtol=1e-2) for a, b in zip(first[3:], second[3:], strict=True))


def test_statistics_outside_buffers_prevent_reuse(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="stores state"):
        behaviour_of(run_of(tmp_path, "m", Norm()))


class Corrected(nn.Module):
    """Divides by what its number of calls has made of an average; at the first ones that number does not show."""

    def __init__(self) -> None:
        super().__init__()
        self.line, self.calls = nn.Linear(3, 2), 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += self.training
        return self.line(x) / max(self.calls, 5)


def test_a_model_that_counts_its_calls_prevents_reuse(tmp_path: Path) -> None:
    """Its count would be that of no training."""
    run = run_of(tmp_path, "m", Corrected())
    with pytest.raises(TypeError, match="counts"):
        behaviour_of(run)
    assert run.model.calls == 0


class Brighter(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.3


def test_models_with_many_outputs_differ(tmp_path: Path) -> None:
    models = [nn.Sequential(nn.Linear(3, 784), nn.Sigmoid(), last) for last in (nn.Identity(), Brighter())]
    answers = []
    for n, model in enumerate(models):
        found = behaviour_of(run_of(tmp_path, f"m{n}", model))
        answers.append(Packet({"recipe": "0" * 32}, {f"behaviour{i}": value for i, value in enumerate(found)}))
    about = {"recipe": "0" * 32, "history": {}, "stopped": False, "device": "cpu", "training": True}
    keep_code_training(
        Packet(
            {"trainings": [about]}, {f"0/{k}": v for k, v in (answers[0].tensors | {"weight0": torch.ones(1)}).items()}
        ),
        tmp_path / "a",
    )
    assert [len(load_training(answer, tmp_path / "a")[0].tensors) for answer in answers] == [1, 0]


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.BatchNorm1d])
def test_a_layer_before_a_normalization_shows(tmp_path: Path, norm: type[nn.Module]) -> None:
    models = [nn.Sequential(nn.Linear(3, 4), act, nn.Linear(4, 4), norm(4), nn.Linear(4, 4), norm(4), nn.Linear(4, 2))
              for act in (nn.ReLU(), nn.Tanh())]  # fmt: skip
    first, second = (behaviour_of(run_of(tmp_path, f"m{n}", m)) for n, m in enumerate(models))
    assert not all(torch.allclose(a, b, atol=1e-5) for a, b in zip(first, second, strict=True))


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(x)


def separable() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(200) % 2
    return torch.randn((200, 2), generator=generator) + 2 * (2 * y[:, None] - 1), y


@course_lib.training_loop
def fit(model, x, y, x_test, y_test, EPOCHS):
    history = course_lib.ConvergenceHistory()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(EPOCHS):
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        history.update(model, x, y, x_test, y_test)
    return history


@pytest.fixture
def judge() -> Iterator[list[Packet]]:
    """The requests of this process, which is a grading kernel for a while; each answer names an accuracy."""
    requests: list[Packet] = []

    def answer(request: Packet) -> Packet:
        requests.append(request)
        return Packet({"enough": 0.9})

    before = vars(hooks).copy()
    training_reuse.report()  # forgets the trainings of other tests
    training_reuse.activate(answer)
    yield requests
    vars(hooks).update(before)


def test_a_training_ends_at_the_required_accuracy(judge: list[Packet], capsys) -> None:
    x, y = separable()
    torch.manual_seed(2)
    history = fit(Line(), x, y, x, y, EPOCHS=300).history["val_accuracy"]
    assert len(history) < 300
    assert history[-1] >= 0.9
    assert max(history[:-1], default=0) < 0.9
    assert "0.9" in capsys.readouterr().out
    assert [request.fields.get("stopped") for request in judge] == [None, True], "the judge is told"
    report = training_reuse.report()
    assert [one["stopped"] for one in report.fields["trainings"]] == [True]


def test_a_stored_training_fits_only_equal_behaviour(judge: list[Packet], tmp_path: Path) -> None:
    x, y = separable()
    fit(Line(), x, y, x, y, EPOCHS=3)
    request = judge[0]
    path = tmp_path / "code-1.safetensors"
    keep_code_training(training_reuse.report(), path)
    answer, stopped = load_training(request, path)
    assert set(answer.tensors) == {"weight0", "weight1", "gradient0", "gradient1"}
    assert isinstance(stopped, bool)
    assert find_training(request, tmp_path)[0].tensors == {}, "a student's training is not for others"
    os.rename(path, tmp_path / f"{request.fields['recipe']}-0.safetensors")
    assert find_training(request, tmp_path)[0].tensors.keys() == answer.tensors.keys()
    other = Packet(request.fields, request.tensors | {"behaviour0": request.tensors["behaviour0"] + 1})
    assert find_training(other, tmp_path)[0].tensors == {}
    assert find_training(Packet(request.fields | {"recipe": "0" * 32}, request.tensors), tmp_path)[0].tensors == {}


def test_continuing_a_training_is_another_training(judge: list[Packet], tmp_path: Path) -> None:
    """Also with a copy of what was trained. What has been changed since is trained by itself."""
    x, y = separable()
    torch.manual_seed(0)
    model, copied, new, pruned = Line(), Line(), Line(), Line()
    first = fit(model, x, y, x, y, EPOCHS=3).history
    second = fit(model, x, y, x, y, EPOCHS=3).history
    assert len(keep_trainings(training_reuse.report(), tmp_path)[0]) == 2
    training_reuse.activate(lambda request: find_training(request, tmp_path)[0])
    assert fit(new, x, y, x, y, EPOCHS=3).history == first
    copied.load_state_dict(new.state_dict())
    assert fit(copied, x, y, x, y, EPOCHS=3).history == second
    assert fit(new, x, y, x, y, EPOCHS=3).history == second
    assert torch.equal(new(x), model(x))
    assert training_reuse.report().fields["trainings"] == [], "they were taken over"
    assert fit(pruned, x, y, x, y, EPOCHS=3).history == first
    with torch.no_grad():
        pruned.line.weight *= 1.1  # as usual as before
    assert fit(pruned, x, y, x, y, EPOCHS=3).history not in (first, second)


class First(Line):
    """Begins with what it sees in its first batch."""

    seen = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.seen:
            with torch.no_grad():
                self.line.bias.copy_(-x.mean(0))
            self.seen = True
        return super().forward(x)


def test_the_first_batch_does_not_change_reused_weights(judge: list[Packet], tmp_path: Path) -> None:
    x, y = separable()
    trained, model = First(), First()
    fit(trained, x, y, x, y, EPOCHS=3)
    keep_trainings(training_reuse.report(), tmp_path)
    training_reuse.activate(lambda request: find_training(request, tmp_path)[0])
    fit(model, x, y, x, y, EPOCHS=3)
    assert training_reuse.report().fields["trainings"] == [], "it was taken over"
    assert torch.equal(model(x), trained(x))
    assert torch.equal(model.line.weight.grad, trained.line.weight.grad), "a cell may look at the last gradients"


@pytest.mark.parametrize("change", [
    lambda model: setattr(model, "line", nn.Sequential(model.line, nn.Softmax(dim=1))),
    lambda model: model.register_forward_hook(lambda module, args, output: -output),
    lambda model: setattr(model, "forward", lambda x: -model.line(x)),
], ids=["layer", "hook", "method"])  # fmt: skip
def test_a_model_changed_since_is_evaluated_again(
    judge: list[Packet], tmp_path: Path, change: Callable[[nn.Module], object]
) -> None:
    """With the weights that it took over, and whose evaluation is known."""
    x, y = separable()
    fit(Line(), x, y, x, y, EPOCHS=3)
    keep_trainings(training_reuse.report(), tmp_path)
    training_reuse.activate(lambda request: find_training(request, tmp_path)[0])
    model = Line()
    history = fit(model, x, y, x, y, EPOCHS=3).history
    assert training_reuse.recall_evaluation(model, x, y) == (history["val_loss"][-1], history["val_accuracy"][-1])
    others = x.clone()
    others[-1] += 1
    assert training_reuse.recall_evaluation(model, others, y) is None
    assert training_reuse.recall_evaluation(model, x, 1 - y) is None
    change(model)
    assert training_reuse.recall_evaluation(model, x, y) is None
    assert training.evaluate(model, x, y)[0] == pytest.approx(nn.functional.cross_entropy(model(x), y).item())


@pytest.mark.parametrize("more", [
    "", "model.requires_grad_(False)", "x -= 1", "model.register_buffer('mean', x)",
])  # fmt: skip
def test_a_loop_that_changes_its_data_runs_each_time(judge: list[Packet], tmp_path: Path, more: str) -> None:
    module = module_of(tmp_path / "m.py", LOOP.format(step="pass", more=f"\n    {more}"))
    x, y = separable()
    module.fit(Line(), x, y)
    assert len(training_reuse.report().fields["trainings"]) == (not more)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("more", ["", "model.eval()"])
def test_the_mode_is_that_at_the_end_of_the_training(
    judge: list[Packet], tmp_path: Path, more: str, before: bool
) -> None:
    """And that of its beginning counts: a loop may train in evaluation mode."""
    fit = module_of(tmp_path / "m.py", LOOP.format(step="pass", more=f"\n    {more}")).fit
    x, y = separable()
    trained, model, other = Line().train(before), Line().train(before), Line().train(not before)
    fit(trained, x, y)
    keep_trainings(training_reuse.report(), tmp_path)
    training_reuse.activate(
        lambda request: find_training(request, tmp_path)[0] if "recipe" in request.fields else Packet()
    )
    fit(model, x, y)
    assert training_reuse.report().fields["trainings"] == [], "it was taken over"
    assert model.training is trained.training
    assert model.line.training is trained.line.training
    fit(other, x, y)
    assert len(training_reuse.report().fields["trainings"]) == 1


@pytest.mark.parametrize("table", [nn.Embedding, nn.EmbeddingBag])
def test_an_embedding_begins_with_usual_weights(judge: list[Packet], table: type[nn.Module]) -> None:
    """Torch's own have a deviation of 1, whatever the length of a row."""
    rows = table(50, 64)
    model = nn.Sequential(rows, nn.Flatten(), nn.LazyLinear(2))
    x, y = torch.randint(0, 50, (40, 6)), torch.arange(40) % 2
    model(x)
    fit(model, x, y, x, y, EPOCHS=1)
    nn.init.zeros_(rows.weight)
    fit(model, x, y, x, y, EPOCHS=1)
    assert ["recipe" in request.fields for request in judge].count(True) == 1


def test_a_loop_may_keep_another_history(judge: list[Packet], tmp_path: Path) -> None:
    """Such as a loss only: its training is taken over all the same, and stops nobody's cell."""

    @course_lib.training_loop
    def regress(model, x, y, x_test, y_test, EPOCHS):
        history = course_lib.ConvergenceHistory()
        history.history["loss"] += [nn.functional.mse_loss(model(x), y).item()] * EPOCHS
        return history

    x, y = torch.rand(40, 2), torch.rand(40, 2)
    regress(Line(), x, y, x, y, EPOCHS=2)
    keep_trainings(training_reuse.report(), tmp_path)
    training_reuse.activate(lambda request: find_training(request, tmp_path)[0])
    assert len(regress(Line(), x, y, x, y, EPOCHS=2).history["loss"]) == 2
    assert training_reuse.report().fields["trainings"] == [], "it was taken over"


@pytest.mark.parametrize(("init", "usual"), [
    (lambda p: None, True), (nn.init.xavier_uniform_, True), (nn.init.kaiming_normal_, True),
    (nn.init.orthogonal_, True), (nn.init.zeros_, False), (nn.init.ones_, False), (nn.init.normal_, False),
    (lambda p: p.abs_().neg_(), False), (lambda p: p.copy_(p[:1].expand_as(p)), False),
    (lambda p: p.copy_(p[:, :1].expand_as(p)), False), (lambda p: p[1::2].zero_(), False),
])  # fmt: skip
def test_unusual_initial_weights_prevent_reuse(
    init: Callable[[torch.Tensor], object], usual: bool, judge: list[Packet]
) -> None:
    """What the weights are at first does not show in the behaviour fingerprint, but a model may learn nothing from them."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                init(parameter)
    assert asks(model, judge) is usual


@pytest.mark.parametrize(("init", "usual"), [
    (nn.init.zeros_, True), (lambda p: p.fill_(0.1), True), (lambda p: p.fill_(-1), False),
    (lambda p: p.fill_(100), False), (lambda p: p.normal_(std=10), False),
])  # fmt: skip
def test_unusual_initial_biases_prevent_reuse(
    init: Callable[[torch.Tensor], object], usual: bool, judge: list[Packet]
) -> None:
    """Behind a bias of -1 no unit answers an image, and none learns to."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.BatchNorm1d(100), nn.PReLU(), nn.Linear(100, 10))
    assert asks(model, judge)
    with torch.no_grad():
        init(model[1].bias)
    assert asks(model, judge) is usual


def asks(model: nn.Module, judge: list[Packet]) -> bool:
    """Whether the judge is asked for a finished training of ``model``."""
    judge.clear()
    x, y = torch.rand(40, 28, 28), torch.arange(40) % 10
    loop = training.training_loop(lambda model, x, y, EPOCHS=0: training.ConvergenceHistory())
    training_reuse.recall(training.TrainingRun(model, inspect.unwrap(loop), {"x": x, "y": y}))
    return bool(judge)


PROMISES = {
    "its arguments only": ("pass", ""),
    "random numbers that the cell has seeded": ("torch.rand(1) * model(x).sum()", ""),
    "a generator that outlives the loop": ("""
        loss = (model(x) * torch.rand(2, generator=GENERATOR)).square().sum()
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
                p.grad = None
        """, "start end differently"),
    "a count of its calls": ("""
        CALLS.append(1)
        with torch.no_grad():
            model.weight += len(CALLS)
        """, "start end differently"),
}  # fmt: skip


@pytest.mark.parametrize("step", PROMISES, ids=str)
def test_training_twice_tries_the_promise(tmp_path: Path, step: str) -> None:
    """``@training_loop`` promises that the loop depends on its arguments only."""
    body, why = PROMISES[step]
    indented = dedent(body).strip().replace("\n", "\n    ")
    run = run_of(tmp_path, "m", nn.Linear(3, 2), indented)
    run.loop.__globals__.update(GENERATOR=torch.Generator(), CALLS=[])
    before = [p.clone() for p in run.model.parameters()]
    random = torch.get_rng_state()
    assert why in training_reuse.broken_promise(run)
    assert bool(training_reuse.broken_promise(run)) == bool(why)
    assert all(map(torch.equal, before, run.model.parameters())), "the model is left as it was"
    assert all(p.grad is None for p in run.model.parameters())
    assert torch.equal(random, torch.get_rng_state())


def test_a_broken_promise_keeps_a_training_from_reuse(judge: list[Packet], tmp_path: Path) -> None:
    module = module_of(
        tmp_path / "m.py",
        LOOP.format(step=dedent(PROMISES["a count of its calls"][0]).strip().replace("\n", "\n    "), more=""),
        CALLS=[],
    )
    training_reuse.activate(lambda request: Packet({"try_promise": True}))
    x, y = torch.linspace(-1, 1, 60).reshape(20, 3), torch.arange(20) % 2
    module.fit(nn.Linear(3, 2), x, y)
    names, warnings = keep_trainings(training_reuse.report(), tmp_path)
    assert names == []
    assert "fit depends on more than its arguments" in warnings[0]
