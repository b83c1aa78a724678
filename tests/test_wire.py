"""The wire between judge and kernel: values arrive unchanged, and invalid data are refused."""

import json
import math
import re
from collections import Counter, OrderedDict, defaultdict, namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from course_lib.authoring.failures import StudentFailure
from course_lib.authoring.notebook import StudentNotebook
from course_lib.authoring.result import Verdict
from course_lib.authoring.values import TRANSFERABLE, is_transferable
from course_lib.error_hints import MAX_TEXT
from course_lib.kernel.wire import MAX_BYTES, Other, Packet, Value, WireError, describe, pack, restore, unpack


def sent(value: object) -> Value:
    """``value`` after its way over the wire."""
    packet = Packet()
    packet.fields["value"] = describe(value, "value", packet.tensors)
    content, data = pack(packet)
    arrived = unpack(json.loads(json.dumps(content)), [data])
    return restore(arrived.fields["value"], arrived.tensors)


# -- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [True, 0, -7, 10**40, 0.1, math.inf, -0.0, "é", None])
def test_a_plain_value_arrives_unchanged(value: object) -> None:
    arrived = sent(value)
    assert type(arrived) is type(value)
    assert arrived == value


def test_nan_arrives_as_nan() -> None:
    arrived = sent(math.nan)
    assert isinstance(arrived, float)
    assert math.isnan(arrived)


@pytest.mark.parametrize("tensor", [torch.rand(2, 3), torch.tensor([]), torch.tensor(3)])
def test_a_tensor_arrives_unchanged(tensor: torch.Tensor) -> None:
    arrived = sent(tensor)
    assert isinstance(arrived, torch.Tensor)
    assert arrived.dtype == tensor.dtype
    assert torch.equal(arrived, tensor)


@pytest.mark.parametrize(
    "array", [np.arange(3), np.arange(3.0)[::-1], np.arange(3, dtype=">i4"), np.arange(3, dtype=">f8")]
)
def test_an_array_arrives_as_a_tensor(array: np.ndarray) -> None:
    arrived = sent(array)
    assert isinstance(arrived, torch.Tensor)
    assert arrived.tolist() == array.tolist()


def test_a_numpy_scalar_arrives_as_a_number() -> None:
    arrived = sent(np.float32(0.5))
    assert type(arrived) is float
    assert arrived == 0.5


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.ones(2, dtype=complex)])
def test_an_array_without_real_numbers_is_not_sent(array: np.ndarray) -> None:
    assert isinstance(sent(array), Other)


class LyingTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        return True

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        return True


class LyingFloat(float):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class EqualToEverything:
    def __eq__(self, other: object) -> bool:
        return True


def test_an_object_that_lies_arrives_as_plain_data() -> None:
    # describe would ask the tensor itself for its type, but a kernel can send it anyway
    packet = Packet({"value": {"kind": "tensor", "key": "v"}}, {"v": torch.zeros(2).as_subclass(LyingTensor)})
    content, data = pack(packet)
    arrived = restore(content["value"], unpack(content, [data]).tensors)
    assert type(arrived) is torch.Tensor
    assert not torch.equal(arrived, torch.ones(2))
    assert isinstance(sent(EqualToEverything()), Other)
    assert type(sent(LyingFloat(0.25))) is float


# -- containers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [(0.5, "a", True), [1, [2, [3, [4, [5]]]]], {"mean": 2, (1, "b"): [None]}, (), list(range(900))]
)
def test_lists_tuples_and_dicts_arrive_unchanged(value: object) -> None:
    assert sent(value) == value


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Counter("abac"), {"a": 2, "b": 1, "c": 1}),
        (OrderedDict(b=1, a=[2]), {"b": 1, "a": [2]}),
        (defaultdict(list, {"a": [1]}), {"a": [1]}),
        (namedtuple("Point", "x y")(1, 2), (1, 2)),
        (torch.Size([2, 3]), (2, 3)),
    ],
)
def test_subclasses_of_dict_and_tuple_arrive_as_plain_ones(value: object, plain: object) -> None:
    arrived = sent(value)
    assert type(arrived) is type(plain)
    assert arrived == plain


def test_tensors_in_a_tuple_arrive_unchanged() -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    arrived = sent((torch.ones(2, requires_grad=True), np.zeros(3), shared, shared, shared.T))
    assert isinstance(arrived, tuple)
    expected = [[1, 1], [0, 0, 0], shared.tolist(), shared.tolist(), shared.T.tolist()]
    assert [part.tolist() for part in arrived] == expected


def test_a_container_that_is_too_large_or_endless_is_not_sent() -> None:
    endless: list[object] = []
    endless.append(endless)
    for value in (list(range(2000)), [[i] for i in range(600)], endless):
        arrived = sent(value)
        while isinstance(arrived, list) and arrived:
            arrived = arrived[-1]
        assert isinstance(arrived, Other)


def test_the_readme_tells_authors_how_much_is_sent(root: Path) -> None:
    told = re.search(
        r"\(fewer than (\d+) items, or (\d+) entries of a dict;", (root / "docs" / "authoring.md").read_text()
    )
    assert told is not None
    items, entries = map(int, told.groups())
    for make, bound in ((list, items), (dict.fromkeys, entries)):
        assert is_transferable(make(range(bound - 1)))
        assert not is_transferable(make(range(bound)))
    assert f"fewer than {items} items (a list in a list counts two, an entry of a dict four)" in TRANSFERABLE
    assert items == 4 * entries


# -- invalid data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "buffers", "why"),
    [
        ([], [], "not an object"),
        (None, [], "not an object"),
        ({}, [b"rubbish"], "more tensors"),
        ({}, [b"\xff" * 16], "more tensors"),
        ({}, [b"", b""], "more binary data"),
        ({}, [b"\x00" * 8 + b"{}"], "unreadable"),
        ({}, [memoryview(bytes(MAX_BYTES + 1))], "more binary data"),
    ],
)
def test_an_invalid_message_is_refused(content: object, buffers: list[bytes], why: str) -> None:
    with pytest.raises(WireError, match=why):
        unpack(content, buffers)


def test_a_message_with_too_many_tensors_is_refused() -> None:
    with pytest.raises(WireError, match="more tensors"):
        unpack({}, [save({f"tensor {i}": torch.zeros(0) for i in range(30_000)})])


@pytest.mark.parametrize(
    "description",
    [
        None,
        3,
        {},
        {"kind": "pickle"},
        {"kind": "tensor"},
        {"kind": "tensor", "key": "x"},
        {"kind": "int", "value": 3},
        {"kind": "int", "value": "three"},
        {"kind": "float", "value": "0x"},
        {"kind": "bool", "value": "yes"},
        {"kind": "dict", "value": [{"kind": "int", "value": "1"}]},
    ],
)
def test_an_invalid_description_is_refused(description: object) -> None:
    with pytest.raises(WireError):
        restore(description, {})


def test_more_items_than_can_be_sent_are_refused() -> None:
    wide = {"kind": "list", "value": [{"kind": "list", "value": [{"kind": "none"}] * 100}] * 100}
    deep: dict[str, object] = {"kind": "none"}
    for _ in range(900):
        deep = {"kind": "list", "value": [deep]}
    for description in (wide, deep):
        with pytest.raises(WireError):
            restore(description, {})


def test_a_packet_that_would_be_refused_is_not_packed() -> None:
    with pytest.raises(WireError):
        pack(Packet({}, {"x": torch.zeros(MAX_BYTES // 4 + 1)}))


def test_the_name_of_a_type_is_cut() -> None:
    """A student chooses it and may read it."""
    found = restore({"kind": "other", "type": "x" * 10**6}, {})
    assert isinstance(found, Other)
    assert found.type_name == "x" * MAX_TEXT


# -- invalid answers are the student's fault, not the hidden test's ---------------------------------------------------


@pytest.mark.parametrize("count", [10**12, -1, 1.5, True, None])
def test_an_invalid_number_of_parameters_fails(count: object) -> None:
    student = StudentNotebook(lambda _: Packet({"status": "ok", "parameters": count, "buffers": 0}))
    with pytest.raises(StudentFailure):
        student.weights("dnn")


@pytest.mark.parametrize(
    ("fields", "tensors"),
    [
        ({"parameters": 1, "buffers": None}, {"p0": torch.ones(2)}),
        ({"parameters": 1, "buffers": 0}, {"p0": torch.ones(2).int()}),
        ({"parameters": 1, "buffers": 0}, {"p1": torch.ones(2)}),
    ],
)
def test_invalid_weights_fail(fields: dict[str, object], tensors: dict[str, torch.Tensor]) -> None:
    student = StudentNotebook(lambda _: Packet({"status": "ok"} | fields, tensors))
    with pytest.raises(StudentFailure) as failure:
        student.weights("dnn")
    assert failure.value.verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("fields", "tensors"),
    [
        ({"value": 3}, {}),
        ({}, {}),
        ({"value": {"kind": "none"}}, {"g0": torch.ones(2)}),
        ({"value": {"kind": "tensor", "key": "v"}}, {"v": torch.ones(1, 2)}),
        ({"value": {"kind": "tensor", "key": "v"}}, {"v": torch.ones(1, 2), "g0": torch.ones(3)}),
    ],
)
def test_an_invalid_forward_pass_fails(fields: dict[str, object], tensors: dict[str, torch.Tensor]) -> None:
    student = StudentNotebook(lambda _: Packet({"status": "ok"} | fields, tensors))
    x, labels = torch.ones(1, 3), torch.zeros(1, dtype=torch.int64)
    with pytest.raises(StudentFailure) as failure:
        student.forward("dnn", x, [torch.ones(2)], labels, shape=(1, 2))
    assert failure.value.verdict is Verdict.FAILED
