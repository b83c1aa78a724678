"""The training loop as students have it: its history, its layout of the images, what stops it."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from jupyter_client.manager import run_kernel
from torch import nn

import course_lib as ooo
from course_lib import training


class Recorder(nn.Module):
    """A model that remembers in which mode it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.modes: list[tuple[bool, bool]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.modes.append((self.training, torch.is_grad_enabled()))
        return self.linear(x)


@pytest.mark.parametrize("mode", [True, False])
def test_the_history_evaluates_without_gradients_and_gives_the_mode_back(mode: bool) -> None:
    torch.manual_seed(0)
    model, history = Recorder().train(mode), ooo.convergence_history_CrossEntropyLoss()
    x, y = torch.rand(50, 4), torch.randint(0, 3, (50,))
    state = torch.get_rng_state()
    history.update(model, x, y, x[:20], y[:20])
    assert torch.equal(torch.get_rng_state(), state), "watching a training must not change it"
    assert set(model.modes) == {(False, False)}
    assert model.training is mode
    assert {name: len(values) for name, values in history.history.items()} == {
        "loss": 1, "accuracy": 1, "val_loss": 1, "val_accuracy": 1,
    }  # fmt: skip
    rows = torch.randperm(50, generator=torch.Generator().manual_seed(0))[:20]
    for prefix, images, labels in (("", x[rows], y[rows]), ("val_", x[:20], y[:20])):
        logits = model(images)
        loss, accuracy = nn.functional.cross_entropy(logits, labels), (logits.argmax(1) == labels).float().mean()
        assert history.history[f"{prefix}loss"][0] == pytest.approx(loss.item())
        assert history.history[f"{prefix}accuracy"][0] == pytest.approx(accuracy.item())
    again = ooo.ConvergenceHistory()
    again.update(model, x.numpy(), y.numpy(), x[:20].numpy(), y[:20].numpy().astype(np.int32))
    assert again.history == history.history
    history.update(model, x, y, x[:20], y[:20])
    assert history.history["loss"][0] != history.history["loss"][1], "another sample"


def test_a_model_is_evaluated_in_batches_and_gets_its_mode_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Watched(Convolution):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            sizes.append(len(x))
            return super().forward(x)

    x, y = torch.rand(610, 8, 8), torch.randint(0, 3, (610,))
    model = Watched(nn.MaxPool2d(2))
    loss, _ = ooo.evaluate(model, x, y)
    with torch.no_grad():
        assert loss == pytest.approx(nn.functional.cross_entropy(model(x), y).item(), rel=1e-4)
    assert sizes == [500, 110, 610]
    over_the_batch = nn.Sequential(nn.Flatten(), nn.Softmax(dim=0))
    logits = over_the_batch(x)
    assert ooo.evaluate(over_the_batch, x, y)[0] == pytest.approx(nn.functional.cross_entropy(logits, y).item())
    with pytest.raises(RuntimeError):
        ooo.evaluate(model, x[:, :3], y)
    assert model.training


@ooo.training_loop
def fit(model, X_train, Y_train, X_test, Y_test, EPOCHS=2, BATCH_SIZE=8):  # type: ignore[no-untyped-def]
    optimizer = torch.optim.Adam(model.parameters())
    history = ooo.convergence_history_CrossEntropyLoss()
    history.update(model, X_train, Y_train, X_test, Y_test)
    for _ in range(EPOCHS):
        for start in range(0, len(X_train), BATCH_SIZE):
            optimizer.zero_grad()
            nn.functional.cross_entropy(
                model(X_train[start : start + BATCH_SIZE]), Y_train[start : start + BATCH_SIZE]
            ).backward()
            optimizer.step()
        history.update(model, X_train, Y_train, X_test, Y_test)
    return history


class Convolution(nn.Module):
    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.conv, self.pool = nn.Conv2d(1, 4, 3, padding=1), pool
        self.fc = nn.Linear(pool(torch.zeros(1, 4, 8, 8)).numel(), 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.conv(x.view(-1, 1, 8, 8))))
        return self.fc(x.view(len(x), -1))


@pytest.mark.parametrize(
    "pool",
    [
        nn.Identity(),
        nn.MaxPool2d(2),
        nn.MaxPool2d((2, 2), stride=2),
        nn.MaxPool2d(2, stride=1),
        nn.MaxPool2d(3, stride=2),
        nn.MaxPool2d(2, padding=1),
        nn.MaxPool2d(2, dilation=2),
        nn.Sequential(nn.MaxPool2d(2, stride=1), nn.MaxPool2d(2)),
        nn.Sequential(nn.MaxPool2d(2, stride=1), nn.MaxPool2d(2, ceil_mode=True)),
        nn.AvgPool2d(2),
    ],
    ids=str,
)
def test_the_decorated_loop_computes_what_the_bare_one_does(pool: nn.Module) -> None:
    torch.manual_seed(2)
    x, y = torch.rand(64, 8, 8), torch.randint(0, 3, (64,))
    outcomes = []
    for loop in (fit, fit.__wrapped__):
        torch.manual_seed(3)
        model = Convolution(pool)
        history = loop(model, x, y, x[:16], y[:16])
        outcomes.append((history.history["val_loss"], [p.detach().clone() for p in model.parameters()]))
    assert outcomes[0][0] == pytest.approx(outcomes[1][0], rel=1e-4)
    for mine, its in zip(outcomes[0][1], outcomes[1][1], strict=True):
        assert torch.allclose(mine, its, atol=1e-4)
        assert mine.is_contiguous()


@pytest.mark.parametrize("shape", [(8,), (8, 8), (1, 1, 1, 8, 8)])
def test_images_of_a_wrong_shape_are_refused_inside_the_loop_as_outside(shape: tuple[int, ...]) -> None:
    with training._fast_layout(Convolution(nn.MaxPool2d(2))), torch.no_grad(), pytest.raises(RuntimeError):
        nn.functional.max_pool2d(torch.zeros(shape), 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.view(2, -1),
        lambda x: x.view((2, 108)),
        lambda x: x.view(size=(2, 108)),
        lambda x: x.view(torch.Size([2, 108])),
        lambda x: torch.Tensor.view(x, [-1]),
        lambda x: x.view_as(other=torch.zeros(2, 108)),
        lambda x: x.view(np.int64(2), torch.tensor(108)),
        lambda x: x.view(torch.int32),
        lambda x: x.view(dtype=torch.int32),
        lambda x: x.contiguous().view(float),
        lambda x: x.view(2, 100),
        lambda x: x.contiguous().view(2.0, 108),
        lambda x: x.contiguous().view(),
    ],
)
def test_view_is_called_inside_the_loop_as_outside(call: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = torch.rand(2, 3, 6, 6)

    def said(images: torch.Tensor) -> tuple[torch.Tensor, str]:
        try:
            return call(images), ""
        except (RuntimeError, TypeError) as error:
            return torch.empty(0), str(error)

    tensor, error = said(x)
    with training._fast_layout(Convolution(nn.MaxPool2d(2))):
        inside, error_inside = said(x.to(memory_format=torch.channels_last))
    assert error_inside == error
    assert inside.dtype == tensor.dtype
    assert torch.equal(inside, tensor)


@pytest.mark.parametrize("gradients", [True, False])
def test_max_pool2d_is_called_inside_the_loop_as_outside(gradients: bool) -> None:
    pool, x = nn.functional.max_pool2d, torch.rand(2, 3, 6, 6, requires_grad=True)
    calls = [((), {"input": x, "kernel_size": 2}), ((x, 2, 2, 0, 1, False, True), {}), ((x, 4, 2, 0, 1, True), {})]
    calls.append(((x, 2), {"ceil_mode": False, "return_indices": False}))
    with training._fast_layout(Convolution(nn.MaxPool2d(2))), torch.set_grad_enabled(gradients):
        for args, kwargs in calls:
            mine, its = nn.functional.max_pool2d(*args, **kwargs), pool(*args, **kwargs)
            assert type(mine) is type(its)
            assert all(map(torch.equal, mine, its))
        if gradients:
            same = torch.ones(1, 1, 2, 2, requires_grad=True)
            slopes = [
                torch.autograd.grad(function(same, 2).sum(), same) for function in (nn.functional.max_pool2d, pool)
            ]
            assert torch.equal(*slopes[0], *slopes[1]), "of equal pixels, one has the gradient"


def test_gradients_of_each_image_are_computed_inside_the_loop_as_outside() -> None:
    model, x = Convolution(nn.MaxPool2d(2)), torch.rand(5, 8, 8)

    def loss(parameters: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, parameters, (image[None],)).sum()

    def gradient() -> torch.Tensor:
        parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
        return torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)["conv.weight"]

    outside = gradient()
    with training._fast_layout(model):
        assert torch.allclose(gradient(), outside, atol=1e-5)


def test_the_functions_replaced_inside_the_loop_are_torchs_again_after_it() -> None:
    before = torch.Tensor.view, nn.functional.max_pool2d
    model = Convolution(nn.MaxPool2d(2))
    with contextlib.suppress(ZeroDivisionError), training._fast_layout(model):
        assert (torch.Tensor.view, nn.functional.max_pool2d) != before
        raise ZeroDivisionError
    assert (torch.Tensor.view, nn.functional.max_pool2d) == before
    assert "view" not in vars(torch.Tensor)


def test_weights_have_their_own_layout_again_after_the_loop() -> None:
    model = nn.Conv2d(3, 4, 3)  # of one channel, both layouts are the same
    with training._fast_layout(model):
        assert not model.weight.is_contiguous()
    assert model.weight.is_contiguous()


def test_a_loop_of_another_thread_goes_on_when_one_ends() -> None:
    before = torch.Tensor.view, nn.functional.max_pool2d
    first, second = (training._fast_layout(Convolution(nn.MaxPool2d(2))) for _ in range(2))
    first.__enter__()
    with second:
        first.__exit__(None, None, None)
        images = torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last)
        assert images.view(2, -1).shape == (2, 48)
    assert (torch.Tensor.view, nn.functional.max_pool2d) == before


def test_what_the_notebook_has_put_in_the_place_of_torchs_functions_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.functional, "max_pool2d", nn.functional.avg_pool2d)
    with training._fast_layout(Convolution(nn.Identity())):
        assert nn.functional.max_pool2d is nn.functional.avg_pool2d


def test_the_progress_bar_counts_epochs_and_shows_the_test_set(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bar(contextlib.nullcontext["Bar"]):
        def __init__(self, **options: object) -> None:
            super().__init__(self)
            self.options, self.done, self.shown = options, [], []  # type: ignore[var-annotated]
            self.update, self.set_postfix = self.done.append, lambda **values: self.shown.append(values)
            bars.append(self)

    bars: list[Bar] = []
    monkeypatch.setattr(training, "tqdm", Bar)
    x, y = torch.rand(30, 4), torch.randint(0, 3, (30,))
    values = fit(Recorder(), x, y, x[:10], y[:10], EPOCHS=3).history
    [bar] = bars
    assert bar.options["total"] == 3
    assert bar.options["desc"] == "Entraînement de Recorder"
    assert bar.done == [0, 1, 1, 1]
    assert [(one["loss"], one["accuracy"]) for one in bar.shown] == [
        (f"{loss:.4f}", f"{accuracy:.4f}")
        for loss, accuracy in zip(values["val_loss"], values["val_accuracy"], strict=True)
    ]
    ooo.ConvergenceHistory().update(Recorder(), x, y, x, y)
    assert len(bar.done) == 4, "no longer watched"
    monkeypatch.setattr(training, "tqdm", None)
    assert len(fit(Recorder(), x, y, x, y).history["loss"]) == 3
    assert fit.__name__ == "fit"


def test_an_unfinished_model_gives_one_line_instead_of_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    class Unfinished(Convolution):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise NotImplementedError

    history = fit(Unfinished(nn.Identity()), *2 * (torch.rand(8, 8, 8), torch.zeros(8).long()))
    assert history.history["loss"] == []
    assert "À faire" in capsys.readouterr().out


def test_an_error_of_pytorch_is_no_unfinished_model() -> None:
    """A misspelled forward, say: PyTorch raises an error of the same type, with a message."""

    class Misspelled(Convolution):
        forward = nn.Module.forward

    with pytest.raises(NotImplementedError, match="forward"):
        fit(Misspelled(nn.Identity()), *2 * (torch.rand(8, 8, 8), torch.zeros(8).long()))


def test_who_stops_a_training_starts_no_other(tmp_path: Path) -> None:
    """By "run all", every cell was handed over before; those that may fail go on after one that was stopped."""
    loop = "@course_lib.training_loop\ndef fit(model):\n    print('trains')\n    time.sleep(20)\n"
    cells = (f"import course_lib, time, torch\nnet = torch.nn.Linear(1, 1)\n{loop}fit(net)", "fit(net)", "1 + 1")
    with run_kernel(cwd=str(tmp_path)) as client:
        sent = [client.execute(code, stop_on_error=False) for code in cells]
        while (message := client.get_iopub_msg(timeout=60))["msg_type"] != "stream":
            pass
        assert message["content"]["text"].strip() == "trains"
        client.parent.interrupt_kernel()
        status = {}
        while not status.keys() >= {*sent}:  # on a busy machine, late answers to "are you ready?" come as well
            reply = client.get_shell_msg(timeout=30)
            status[reply["parent_header"]["msg_id"]] = reply["content"]["status"]
        assert [status[one] for one in sent] == ["error", "aborted", "aborted"]
        client.execute_interactive("3 + 4", timeout=30, output_hook=lambda message: None)  # the next one runs


def test_tokens_stay_what_they_are() -> None:
    """A model for texts begins with an embedding, which takes whole numbers."""
    model = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(12, 2))
    x, y = torch.randint(5, (30, 4)), torch.randint(2, (30,))
    loss, accuracy = ooo.evaluate(model, x, y)
    with torch.no_grad():
        logits = model(x)
    assert loss == pytest.approx(nn.functional.cross_entropy(logits, y).item())
    assert accuracy == pytest.approx((logits.argmax(1) == y).float().mean().item())
    assert ooo.evaluate(model, x.int(), y) == (loss, accuracy)
    images = (torch.rand(30, 4) * 255).to(torch.uint8)
    ooo.evaluate(nn.Linear(4, 2), images, y)  # raw pixels become numbers of the model's kind


def test_students_do_not_look_for_finished_trainings() -> None:
    assert training.recall is None
    assert training.keep is None
