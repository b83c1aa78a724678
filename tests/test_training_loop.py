"""The training loop as students use it: its history, its evaluation, its progress bar, and what ends it."""

import contextlib
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from jupyter_client.manager import run_kernel
from torch import nn

import course_lib as ooo
from course_lib import training
from course_lib.grading_hooks import GradingHooks, hooks


class Recorder(nn.Module):
    """A linear model that records how it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.modes: list[tuple[bool, bool]] = []
        self.batch_sizes: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.modes.append((self.training, torch.is_grad_enabled()))
        self.batch_sizes.append(len(x))
        return self.linear(x)


class WithConvolution(Recorder):
    """The same with a convolution among its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 1, 1)


def examples(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (n, 4) and labels (n,), one of three classes."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(n, 4, generator=generator), torch.randint(0, 3, (n,), generator=generator)


@ooo.training_loop
def fit(model, X_train, Y_train, X_test, Y_test, EPOCHS=2, BATCH_SIZE=8):  # type: ignore[no-untyped-def]
    optimizer = torch.optim.Adam(model.parameters())
    history = ooo.convergence_history_CrossEntropyLoss()
    history.update(model, X_train, Y_train, X_test, Y_test)
    for _ in range(EPOCHS):
        for start in range(0, len(X_train), BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X_train[batch]), Y_train[batch]).backward()
            optimizer.step()
        history.update(model, X_train, Y_train, X_test, Y_test)
    return history


# -- history and evaluation -------------------------------------------------------------------------------------------


def test_a_history_has_four_curves_with_one_value_per_update() -> None:
    model, history = Recorder(), ooo.ConvergenceHistory()
    x, y = examples(50)
    history.update(model, x, y, x[:20], y[:20])
    lengths = {name: len(values) for name, values in history.history.items()}
    assert lengths == {"loss": 1, "accuracy": 1, "val_loss": 1, "val_accuracy": 1}
    sample = torch.randperm(50, generator=torch.Generator().manual_seed(0))[:20]
    for prefix, images, labels in (("", x[sample], y[sample]), ("val_", x[:20], y[:20])):
        logits = model(images)
        loss, accuracy = nn.functional.cross_entropy(logits, labels), (logits.argmax(1) == labels).float().mean()
        assert history.history[f"{prefix}loss"][0] == pytest.approx(loss.item())
        assert history.history[f"{prefix}accuracy"][0] == pytest.approx(accuracy.item())


def test_each_update_takes_another_sample() -> None:
    model, history = Recorder(), ooo.ConvergenceHistory()
    x, y = examples(50)
    for _ in range(2):
        history.update(model, x, y, x[:20], y[:20])
    assert history.history["loss"][0] != history.history["loss"][1]
    assert history.history["val_loss"][0] == history.history["val_loss"][1]


def test_an_update_leaves_torchs_random_numbers_alone() -> None:
    x, y = examples(50)
    model, state = Recorder(), torch.get_rng_state()
    ooo.ConvergenceHistory().update(model, x, y, x[:20], y[:20])
    assert torch.equal(torch.get_rng_state(), state)


def test_arrays_give_the_same_history_as_tensors() -> None:
    model, of_tensors, of_arrays = Recorder(), ooo.ConvergenceHistory(), ooo.ConvergenceHistory()
    x, y = examples(50)
    of_tensors.update(model, x, y, x[:20], y[:20])
    of_arrays.update(model, x.numpy(), y.numpy(), x[:20].numpy(), y[:20].numpy().astype(np.int32))  # type: ignore[arg-type]
    assert of_arrays.history == of_tensors.history


@pytest.mark.parametrize("mode", [True, False])
def test_evaluate_uses_no_gradients_and_restores_the_mode(mode: bool) -> None:
    model = Recorder().train(mode)
    ooo.evaluate(model, *examples(20))
    assert set(model.modes) == {(False, False)}
    assert model.training is mode


def test_evaluate_restores_the_mode_after_an_error() -> None:
    model, (x, y) = Recorder(), examples(20)
    with pytest.raises(RuntimeError):
        ooo.evaluate(model, x[:, :3], y)
    assert model.training


def test_evaluate_takes_convolutions_in_small_batches() -> None:
    model, (x, y) = WithConvolution(), examples(610)
    loss, _ = ooo.evaluate(model, x, y)
    assert model.batch_sizes == [500, 110]
    assert loss == pytest.approx(nn.functional.cross_entropy(model(x), y).item(), rel=1e-4)


def test_evaluate_takes_others_in_one_batch() -> None:
    """Otherwise it would give another value for a model that normalizes over the batch, such as the course's first."""
    over_the_batch, (x, y) = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=0)), examples(610)
    loss, _ = ooo.evaluate(over_the_batch, x, y)
    assert loss == pytest.approx(nn.functional.cross_entropy(over_the_batch(x), y).item())


def test_evaluate_does_not_convert_tokens() -> None:
    """A model for texts begins with an embedding, which takes integers."""
    model = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(12, 2))
    x, y = torch.randint(5, (30, 4)), torch.randint(2, (30,))
    loss, accuracy = ooo.evaluate(model, x, y)
    with torch.no_grad():
        logits = model(x)
    assert loss == pytest.approx(nn.functional.cross_entropy(logits, y).item())
    assert accuracy == pytest.approx((logits.argmax(1) == y).float().mean().item())
    assert ooo.evaluate(model, x.int(), y) == (loss, accuracy)


def test_evaluate_converts_pixels_to_the_dtype_of_the_model() -> None:
    x, y = examples(30)
    pixels, model = (x * 255).to(torch.uint8), nn.Linear(4, 3)
    assert ooo.evaluate(model, pixels, y) == ooo.evaluate(model, pixels.float(), y)


# -- the loop ---------------------------------------------------------------------------------------------------------


class Bar(contextlib.nullcontext["Bar"]):
    """Records what a progress bar of tqdm is given."""

    def __init__(self, **options: object) -> None:
        super().__init__(self)
        self.options = options
        self.steps: list[int] = []
        self.shown: list[tuple[object, object]] = []

    def update(self, steps: int) -> None:
        self.steps.append(steps)

    def set_postfix(self, loss: object, accuracy: object) -> None:
        self.shown.append((loss, accuracy))


def test_the_progress_bar_counts_epochs_and_shows_the_test_set(monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[Bar] = []
    monkeypatch.setattr(training, "tqdm", lambda **options: bars.append(Bar(**options)) or bars[-1])
    x, y = examples(30)
    curves = fit(Recorder(), x, y, x[:10], y[:10], EPOCHS=3).history
    [bar] = bars
    assert bar.options["total"] == 3
    assert bar.options["desc"] == "Entraînement de Recorder"
    assert bar.steps == [0, 1, 1, 1]
    wanted = zip(curves["val_loss"], curves["val_accuracy"], strict=True)
    assert bar.shown == [(f"{loss:.4f}", f"{accuracy:.4f}") for loss, accuracy in wanted]
    ooo.ConvergenceHistory().update(Recorder(), x, y, x, y)
    assert len(bar.steps) == 4, "an update outside of the loop must not reach the bar"


def test_a_model_trains_without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "tqdm", None)
    x, y = examples(30)
    assert len(fit(Recorder(), x, y, x, y).history["loss"]) == 3


def test_the_decorated_loop_keeps_its_name() -> None:
    assert fit.__name__ == "fit"


def test_an_unfinished_model_gives_one_line_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    class Unfinished(Recorder):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise NotImplementedError

    assert fit(Unfinished(), *examples(8), *examples(8)).history["loss"] == []
    assert "À faire" in capsys.readouterr().out


def test_a_missing_forward_is_an_error_and_not_unfinished() -> None:
    """PyTorch then raises NotImplementedError, too, with a message."""

    class Misspelled(Recorder):
        forward = nn.Module.forward  # type: ignore[assignment]

    with pytest.raises(NotImplementedError, match="forward"):
        fit(Misspelled(), *examples(8), *examples(8))


def test_stopping_a_training_cancels_the_waiting_cells(tmp_path: Path) -> None:
    """Under "Run All Cells", Jupyter goes on to the next cell if the stopped one is tagged ``raises-exception``."""
    endless = """
        import course_lib, time, torch

        net = torch.nn.Linear(1, 1)

        @course_lib.training_loop
        def fit(model):
            print("trains")
            time.sleep(20)

        fit(net)
    """
    with run_kernel(cwd=str(tmp_path)) as client:
        cells = textwrap.dedent(endless), "fit(net)", "1 + 1"
        sent = [client.execute(code, stop_on_error=False) for code in cells]
        while (message := client.get_iopub_msg(timeout=60))["msg_type"] != "stream":
            pass
        assert message["content"]["text"].strip() == "trains"
        client.parent.interrupt_kernel()
        status = {}
        while not status.keys() >= {*sent}:  # on a busy machine, late replies to kernel_info requests arrive as well
            reply = client.get_shell_msg(timeout=30)
            status[reply["parent_header"]["msg_id"]] = reply["content"]["status"]
        assert [status[one] for one in sent] == ["ok", "aborted", "aborted"]
        client.execute_interactive("3 + 4", timeout=30, output_hook=lambda message: None)  # a later cell runs


def test_a_stopped_training_keeps_weights_and_history(capsys: pytest.CaptureFixture[str]) -> None:
    class Stopped(Recorder):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if len(self.modes) > 20:
                raise KeyboardInterrupt
            return super().forward(x)

    x, y = examples(30)
    history = fit(Stopped(), x, y, x[:10], y[:10], EPOCHS=9).history
    done = len(history["loss"]) - 1
    assert 0 < done < 9
    assert f"Arrêté après {done} époque(s) sur 9 ; les poids sont gardés." in capsys.readouterr().out


def test_saved_weights_can_be_loaded(tmp_path: Path) -> None:
    first, second = nn.Linear(2, 3), nn.Linear(2, 3)
    ooo.save(first, tmp_path / "w.pt")
    ooo.load(second, tmp_path / "w.pt")
    assert torch.equal(first.weight, second.weight)
    with pytest.raises(RuntimeError, match="size mismatch"):
        ooo.load(nn.Linear(2, 4), tmp_path / "w.pt")


def test_every_grading_hook_is_none_outside_of_grading() -> None:
    assert all(value is None for value in vars(GradingHooks()).values())
    assert hooks == GradingHooks()


def test_a_recalled_training_is_not_trained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finished, runs = ooo.ConvergenceHistory(), []

    def recall(run: training.TrainingRun) -> ooo.ConvergenceHistory:
        runs.append(run)
        return finished

    monkeypatch.setattr(hooks, "recall_training", recall)
    model, (x, y) = Recorder(), examples(8)
    assert fit(model, x, y, x, y, EPOCHS=7) is finished
    assert model.batch_sizes == []
    assert "repris" in capsys.readouterr().out
    [run] = runs
    assert (run.model, run.loop) == (model, fit.__wrapped__)
    assert list(run.arguments) == ["X_train", "Y_train", "X_test", "Y_test", "EPOCHS", "BATCH_SIZE"]
    assert (run.arguments["EPOCHS"], run.arguments["BATCH_SIZE"]) == (7, 8)


def test_a_training_ends_at_the_accuracy_of_the_hook(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[tuple[int, bool]] = []
    monkeypatch.setattr(hooks, "recall_training", lambda run: 0.0)
    monkeypatch.setattr(
        hooks, "keep_training", lambda run, history, stopped: kept.append((len(history.history["loss"]), stopped))
    )
    x, y = examples(8)
    assert len(fit(Recorder(), x, y, x, y).history["loss"]) == 1, "the first update reaches it"
    assert "arrête ici" in capsys.readouterr().out
    monkeypatch.setattr(hooks, "recall_training", lambda run: 1.1)
    fit(Recorder(), x, y, x, y)
    assert kept == [(1, True), (3, False)]
