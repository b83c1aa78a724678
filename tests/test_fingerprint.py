"""Equal values have the same fingerprint, different values have different ones."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from course_lib.kernel.fingerprint import fingerprint

LOSSES = {
    "plain": nn.CrossEntropyLoss(),
    "summed": nn.CrossEntropyLoss(reduction="sum"),
    "smoothed": nn.CrossEntropyLoss(label_smoothing=0.9),
    "weighed": nn.CrossEntropyLoss(weight=torch.tensor([0.0, 1.0])),
    "in a sequence": nn.Sequential(nn.CrossEntropyLoss(reduction="sum")),
}


def test_losses_with_other_settings_have_other_fingerprints() -> None:
    """Their ``repr`` is the same, so it cannot tell them apart."""
    assert len({fingerprint(loss) for loss in LOSSES.values()}) == len(LOSSES)
    assert fingerprint(nn.CrossEntropyLoss()) == fingerprint(LOSSES["plain"])


def exchanged(x: torch.Tensor, word: int) -> torch.Tensor:
    """Return ``x`` with its first word, which is two floats, and another word exchanged."""
    words = x.clone().view(torch.int64).flatten()
    words[[0, word]] = words[[word, 0]]
    return words.view(x.dtype).view_as(x)


CHANGES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "other values": lambda x: x / 2,
    "other signs": lambda x: -x,
    "another sign for every other column": lambda x: x * (-1) ** torch.arange(28),
    "images in another order": lambda x: x.roll(1, dims=0),
    "two images exchanged": lambda x: x[[1, 0, *range(2, len(x))]],
    "turned images": lambda x: x.mT,
    "mirrored images": lambda x: x.flip(2),
    "images moved by a pixel": lambda x: x.roll(1, dims=2),
    "one value of the last image": lambda x: torch.cat([x.flatten()[:-1], x.flatten()[:1]]).view_as(x),
    "two pairs of values exchanged": lambda x: exchanged(x, 1),
    "another shape": lambda x: x.flatten(1),
    "another type": lambda x: x.double(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("images", [3, 128])
def test_different_data_have_different_fingerprints(
    change: Callable[[torch.Tensor], torch.Tensor], images: int
) -> None:
    x = torch.rand((images, 28, 28), generator=torch.Generator().manual_seed(0))
    assert fingerprint(x.clone()) == fingerprint(x)
    assert fingerprint(change(x)) != fingerprint(x)


def test_a_changed_tensor_has_another_fingerprint() -> None:
    x = torch.zeros(100_000)
    before = fingerprint(x)
    assert fingerprint(x) == before
    x += 1
    assert fingerprint(x) != before
    again = fingerprint(x)
    x.numpy()[:] = 2  # torch does not notice this change
    assert fingerprint(x) != again
