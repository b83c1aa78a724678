"""`minibatches`: once through the data, in order or shuffled."""

from itertools import islice

import torch

from course_lib.authoring import StudentNotebook, close, expect, hidden_test, wrong

N = 50
Y = torch.arange(N)


def x_of(y):
    """The row of x for each number in y."""
    return y.reshape(-1, 1) + torch.tensor([0.0, 0.25, 0.5])


X = x_of(Y)


def in_order(x, y, batch_size):
    return list(zip(x.split(batch_size), y.split(batch_size), strict=True))


SUSPECTS = {
    "the last examples are missing if they do not fill a batch.":
        lambda x, y, n: [pair for pair in in_order(x, y, n) if len(pair[1]) == n],
    "batch_size is the number of examples in a batch, not the number of batches.":
        lambda x, y, n: in_order(x, y, -(-len(x) // n)),
}  # fmt: skip


def epochs(nb, seeds, x, y):
    """Two epochs of minibatches for each seed: not all of them, if they never end."""
    result = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        result += [list(islice(nb.minibatches(x, y, 8, generator) or [], len(x))) for _ in range(2)]
    return result


def pairs(answer):
    """The minibatches, each as a tuple: a list is as good."""
    if not all(
        isinstance(pair, tuple | list) and [type(part) for part in pair] == 2 * [torch.Tensor] for pair in answer
    ):
        raise wrong("yield pairs of two tensors.")
    return [tuple(pair) for pair in answer]


def orders(student, *seeds):
    """The examples of each epoch by their number. The rows of x and y must belong together."""
    result = []
    for epoch in student.run(epochs, seeds, X, Y):
        epoch = pairs(epoch)
        if not all(close(x, x_of(y)) for x, y in epoch):
            raise wrong("the rows of x and y do not belong together: use one order for both.")
        result.append([int(number) for _, y in epoch for number in y])
    return result


@hidden_test(1, "Without a generator, minibatches gives all examples in order.")
def test_in_order(student: StudentNotebook) -> None:
    for size in 8, 10, 64:
        answer = pairs(student.take("minibatches", 60, X, Y, size))
        expect(answer, in_order, X, Y, size, suspects=SUSPECTS)


@hidden_test(1, "With a generator, each epoch has every example once, in another order.")
def test_shuffled(student: StudentNotebook) -> None:
    first, second = orders(student, 1)
    if sorted(first) != list(range(N)) or sorted(second) != list(range(N)):
        raise wrong("each example should come once in an epoch.")
    if first == sorted(first):
        raise wrong("the examples still come in order.")
    if first == second:
        raise wrong("two epochs have the same order: do not seed the generator again.")


@hidden_test(1, "The random order depends on the generator only.")
def test_generator(student: StudentNotebook) -> None:
    first, second, first_again, second_again, other, _ = orders(student, 1, 1, 2)
    if [first, second] != [first_again, second_again]:
        raise wrong("the same seed gives another order: pass the generator to torch.randperm.")
    if first == other:
        raise wrong("another generator gives the same order.")
