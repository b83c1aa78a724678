"""Reference answers of the assignment ``mnist1``, and the images that trained models are measured on.

The models come from the course notebook [MNIST1], by J.-L. Parouty (CNRS/SIMaP), adapted to PyTorch by L. Risser
(CNRS/IMT). Here, unlike there, the dense model returns raw logits.
"""

import functools

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from ..files import cache_folder
from ..mnist import unpack_mnist
from ..training import evaluate


class DNN(nn.Module):
    """784-100-100-10, ReLU; images (N, 28, 28) to logits (N, 10); 89,610 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden1 = nn.Linear(784, 100)
        self.hidden2 = nn.Linear(100, 100)
        self.hidden3 = nn.Linear(100, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (N, 28, 28) to logits (N, 10)."""
        x = F.relu(self.hidden1(x.reshape(-1, 784)))
        x = self.hidden3(F.relu(self.hidden2(x)))
        return x


class CNN(nn.Module):
    """One convolution, two linear layers; images (N, 28, 28) to logits (N, 10); 76,038 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(6 * 14 * 14, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (N, 28, 28) to logits (N, 10)."""
        x = self.pool(F.relu(self.conv1(x.reshape(-1, 1, 28, 28))))
        x = self.fc2(F.relu(self.fc1(x.flatten(1))))
        return x


class CNN2(nn.Module):
    """Three convolutions, two linear layers; images (N, 28, 28) to logits (N, 10); 20,250 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(6, 6, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(6, 6, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(6 * 7 * 7, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (N, 28, 28) to logits (N, 10)."""
        x = self.pool(F.relu(self.conv1(x.reshape(-1, 1, 28, 28))))
        x = F.relu(self.conv3(self.pool(F.relu(self.conv2(x)))))
        x = self.fc2(F.relu(self.fc1(x.flatten(1))))
        return x


def one_hot(labels: torch.Tensor) -> torch.Tensor:
    """Labels int64 (N,) to float32 (N, 10)."""
    return F.one_hot(labels, 10).float()


def probabilities(logits: torch.Tensor) -> torch.Tensor:
    """Logits (N, 10) to probabilities (N, 10): a softmax of each row."""
    return F.softmax(logits, dim=1)


def predict_labels(y_pred: torch.Tensor) -> torch.Tensor:
    """Scores (N, 10) to labels int64 (N,)."""
    return y_pred.argmax(dim=1)


def accuracy(y_pred: torch.Tensor, labels: torch.Tensor) -> float:
    """The fraction of rows of the scores ``y_pred``, (N, 10), whose argmax is the label, in [0, 1]."""
    return (predict_labels(y_pred) == labels).double().mean().item()


def random_images(generator: torch.Generator, n: int) -> torch.Tensor:
    """Random images, float32 (n, 28, 28). Some pixels are 0, and none reaches MNIST's largest value, 1."""
    grey, ink = torch.rand((2, n, 28, 28), generator=generator).unbind()
    contrast = 0.4 + 0.5 * torch.rand((n, 1, 1), generator=generator)
    return grey * (ink < 0.6) * contrast


@functools.cache
def test_set() -> tuple[torch.Tensor, torch.Tensor]:
    """MNIST's test images, float32 (10000, 28, 28) in [0, 1], and their labels, int64 (10000,)."""
    raw = unpack_mnist(cache_folder()) / "MNIST" / "raw"  # importing torchvision would take a second, in each worker
    images = np.fromfile(raw / "t10k-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.fromfile(raw / "t10k-labels-idx1-ubyte", np.uint8, offset=8)
    return torch.from_numpy(images).float() / 255, torch.from_numpy(labels).long()


test_set.__test__ = False  # type: ignore[attr-defined]  # not a test of pytest


def test_accuracy(model: nn.Module) -> float:
    """The accuracy of a reference model on the test set. The same weights are measured only once."""
    weights = parameters_to_vector(model.parameters()).detach().numpy().tobytes()
    return _test_accuracy(type(model), weights)  # type: ignore[arg-type]  # a class is hashable


test_accuracy.__test__ = False  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=64)
def _test_accuracy(model_class: type[nn.Module], weights: bytes) -> float:
    """The same, for the bytes of ``parameters_to_vector(model.parameters())``, float32."""
    model = model_class()
    vector_to_parameters(torch.frombuffer(bytearray(weights), dtype=torch.float32), model.parameters())
    return evaluate(model, *test_set())[1]


def shifted(images: torch.Tensor) -> torch.Tensor:
    """The images, (N, 28, 28), each shifted by -1, 0 or 1 pixel along each axis, so nobody can have memorized them.

    Every call shifts an image in the same way. Nothing is cut off, because MNIST has a margin of four pixels.
    """
    moves = torch.randint(-1, 2, (len(images), 2), generator=torch.Generator().manual_seed(20_250))
    result = torch.empty_like(images)
    for move in moves.unique(dim=0):
        chosen = (moves == move).all(dim=1)
        result[chosen] = images[chosen].roll(tuple(move.tolist()), dims=(1, 2))
    return result


def shifted_test_set() -> tuple[torch.Tensor, torch.Tensor]:
    """The test images, :func:`shifted`, and their labels."""
    images, labels = test_set()
    return shifted(images), labels
