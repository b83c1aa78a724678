"""The tricks that make training faster on a CPU: results stay the same, torch is restored, one variable turns all off."""

import contextlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from course_lib import fast_cpu


class Convolution(nn.Module):
    """A convolution, a pooling and a linear layer for images of 8 x 8 pixels."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.conv, self.pool = nn.Conv2d(1, 4, 3, padding=1), pool
        self.fc = nn.Linear(pool(torch.zeros(1, 4, 8, 8)).numel(), 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.conv(x.view(-1, 1, 8, 8))))
        return self.fc(x.view(len(x), -1))


def train(model: nn.Module) -> list[torch.Tensor]:
    """Train ``model`` for some steps with an evaluation after each; all parameters and losses."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(64, 8, 8, generator=generator), torch.randint(0, 3, (64,), generator=generator)
    optimizer, losses = torch.optim.Adam(model.parameters()), []
    for start in range(0, 64, 8):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[start : start + 8]), y[start : start + 8]).backward()
        optimizer.step()
        with torch.no_grad():
            losses.append(nn.functional.cross_entropy(model(x), y))
    return [*losses, *(parameter.detach().clone() for parameter in model.parameters())]


@pytest.fixture
def model() -> Convolution:
    return Convolution(nn.MaxPool2d(2))


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
def test_a_training_computes_the_same_as_without(pool: nn.Module) -> None:
    results = []
    for context in (fast_cpu.training, contextlib.nullcontext):
        torch.manual_seed(3)
        model = Convolution(pool)
        with context(model):
            results.append(train(model))
    for fast, plain in zip(*results, strict=True):
        assert torch.allclose(fast, plain, atol=1e-4)


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
def test_view_takes_the_same_arguments_as_torchs(
    model: Convolution, call: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    def result(images: torch.Tensor) -> tuple[torch.Tensor, str]:
        try:
            return call(images), ""
        except (RuntimeError, TypeError) as error:
            return torch.empty(0), str(error)

    x = torch.rand(2, 3, 6, 6)
    plain, error = result(x)
    with fast_cpu.training(model):
        fast, fast_error = result(x.to(memory_format=torch.channels_last))
    assert fast_error == error
    assert fast.dtype == plain.dtype
    assert torch.equal(fast, plain)


@pytest.mark.parametrize("gradients", [True, False])
def test_max_pool2d_takes_the_same_arguments_as_torchs(model: Convolution, gradients: bool) -> None:
    torchs, x = nn.functional.max_pool2d, torch.rand(2, 3, 6, 6, requires_grad=True)
    calls = [((), {"input": x, "kernel_size": 2}), ((x, 2, 2, 0, 1, False, True), {}), ((x, 4, 2, 0, 1, True), {})]
    calls.append(((x, 2), {"ceil_mode": False, "return_indices": False}))
    with fast_cpu.training(model), torch.set_grad_enabled(gradients):
        for args, kwargs in calls:
            fast, plain = nn.functional.max_pool2d(*args, **kwargs), torchs(*args, **kwargs)
            assert type(fast) is type(plain)
            assert all(map(torch.equal, fast, plain))


def test_of_equal_pixels_only_one_gets_the_gradient(model: Convolution) -> None:
    torchs, equal = nn.functional.max_pool2d, torch.ones(1, 1, 2, 2, requires_grad=True)
    with fast_cpu.training(model):
        [fast], [plain] = (
            torch.autograd.grad(pool(equal, 2).sum(), equal) for pool in (nn.functional.max_pool2d, torchs)
        )
    assert torch.equal(fast, plain)


@pytest.mark.parametrize("shape", [(8,), (8, 8), (1, 1, 1, 8, 8)])
def test_max_pool2d_refuses_wrong_shapes_as_torchs_does(model: Convolution, shape: tuple[int, ...]) -> None:
    with fast_cpu.training(model), torch.no_grad(), pytest.raises(RuntimeError):
        nn.functional.max_pool2d(torch.zeros(shape), 2)


def test_vmap_computes_the_same_gradients(model: Convolution) -> None:
    x = torch.rand(5, 8, 8)

    def output(parameters: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, parameters, (image[None],)).sum()

    def gradients() -> torch.Tensor:
        parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
        return torch.func.vmap(torch.func.grad(output), (None, 0))(parameters, x)["conv.weight"]

    plain = gradients()
    with fast_cpu.training(model):
        assert torch.allclose(gradients(), plain, atol=1e-5)


# -- torch is restored ------------------------------------------------------------------------------------------------


def torchs_functions() -> tuple[object, object, object]:
    return torch.Tensor.view, torch.Tensor.view_as, nn.functional.max_pool2d


def test_torchs_functions_are_restored_after_an_error(model: Convolution) -> None:
    before = torchs_functions()
    with contextlib.suppress(ZeroDivisionError), fast_cpu.training(model):
        assert not set(torchs_functions()) & set(before)
        raise ZeroDivisionError
    assert torchs_functions() == before
    assert "view" not in vars(torch.Tensor), "it is inherited"


def test_a_model_without_convolutions_replaces_nothing() -> None:
    before = torchs_functions()
    with fast_cpu.training(nn.Linear(2, 2)):
        assert torchs_functions() == before


def test_weights_are_contiguous_again_after_the_training() -> None:
    model = nn.Conv2d(3, 4, 3)  # with one channel, both layouts would be the same
    with fast_cpu.training(model):
        assert not model.weight.is_contiguous()
    assert model.weight.is_contiguous()


def test_a_training_in_another_thread_keeps_its_functions() -> None:
    before = torchs_functions()
    first, second = (fast_cpu.training(Convolution(nn.MaxPool2d(2))) for _ in range(2))
    first.__enter__()
    with second:
        first.__exit__(None, None, None)
        images = torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last)
        assert images.view(2, -1).shape == (2, 48)
    assert torchs_functions() == before


def test_functions_that_the_notebook_replaced_stay(monkeypatch: pytest.MonkeyPatch, model: Convolution) -> None:
    monkeypatch.setattr(nn.functional, "max_pool2d", nn.functional.avg_pool2d)
    with fast_cpu.training(model):
        assert nn.functional.max_pool2d is nn.functional.avg_pool2d


# -- the switch -------------------------------------------------------------------------------------------------------


def test_the_switch_turns_everything_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LIB_FAST_CPU", "0")
    monkeypatch.setattr(fast_cpu, "keep_pages", lambda: pytest.fail("the process must not keep memory"))
    model, before = nn.Conv2d(3, 4, 3), torchs_functions()
    with fast_cpu.training(model):
        assert model.weight.is_contiguous()
        assert torchs_functions() == before


@pytest.mark.parametrize(("switch", "value"), [("", "1"), ("1", "1"), ("0", "None")])
def test_the_switch_decides_about_huge_pages(switch: str, value: str) -> None:
    environment = {name: text for name, text in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    code = """
        import os
        from course_lib import fast_cpu

        print(os.environ.get("THP_MEM_ALLOC_ENABLE"))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment | {"COURSE_LIB_FAST_CPU": switch},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == value


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_a_process_that_keeps_pages_gets_no_new_ones() -> None:
    code = """
        import resource
        import torch
        from course_lib import fast_cpu

        def page_faults() -> int:
            for _ in range(3):
                torch.ones(10_000_000)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(10):
                torch.ones(10_000_000)
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

        without = page_faults()
        fast_cpu.keep_pages()
        print(without > 10 * page_faults())
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"
