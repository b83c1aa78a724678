"""The wire between judge and kernel: values arrive unchanged, and invalid data are refused."""

import json
import math
from collections import Counter, OrderedDict, defaultdict, namedtuple

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save

from course_lib.authoring.notebook import StudentNotebook
from course_lib.error_causes import MAX_TEXT
from course_lib.kernel.wire import (
    MAX_BYTES,
    MAX_JSON,
    Other,
    Packet,
    TooLarge,
    Value,
    WireError,
    describe,
    pack,
    restore,
    unpack,
)
from course_lib.results.failures import StudentFailure
from course_lib.results.result import Verdict


def sent(value: object) -> Value:
    """``value`` after its way over the wire."""
    packet = Packet()
    packet.fields["value"] = describe(value, "value", packet.tensors)
    content, data = pack(packet)
    arrived = unpack(json.loads(json.dumps(content)), [data])
    return restore(arrived.fields["value"], arrived.tensors)


# -- values -----------------------------------------------------------------------------------------------------------


PLAIN = [True, 0, -7, 10**40, -(1 << 20_000), 0.1, math.inf, -0.0, "é", "\ud800", "x" * 10**6, None]
PLAIN += [1 - 2j, b"\x00\xff", b"", bytearray(b"a"), range(9, 2, -2)]


@pytest.mark.parametrize("value", PLAIN, ids=range(len(PLAIN)))
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


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "bcd"]),
        np.array([[b"a"], [b"bc"]]),
        np.array([None, "a", 1.5]),
        np.array(["2020-01-01", "NaT"], "datetime64[D]"),
        np.array([[3]], "timedelta64[s]"),
    ],
)
def test_an_array_of_texts_objects_or_times_arrives_unchanged(array: np.ndarray) -> None:
    arrived = sent(array)
    assert arrived.dtype == array.dtype
    assert np.array_equal(arrived, array, equal_nan=array.dtype.kind == "M")


@pytest.mark.parametrize("array", [np.ones(2, complex), np.ones(2, np.longdouble), np.ones(2, np.float16)])
def test_an_array_of_any_numbers_arrives_as_a_tensor(array: np.ndarray) -> None:
    assert sent(array).tolist() == array.tolist()


def test_an_array_of_structures_is_not_sent() -> None:
    assert isinstance(sent(np.zeros(2, [("x", float)])), Other)


TABLE = pd.DataFrame(
    {"n": [1, 2], "x": [0.5, math.nan], "name": ["é", None], "day": pd.to_datetime(["2020-01-01", None])},
    index=["r", "s"],
)


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        TABLE.set_index(["n", "name"]),
        TABLE.astype({"name": "category", "n": "Int64"}),
        TABLE.iloc[:0],
        pd.DataFrame([[1, 2]], columns=["twice", "twice"]),
    ],
)
def test_a_data_frame_arrives_with_columns_types_and_index(table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(sent(table), table, check_categorical=False)


def test_a_series_and_an_index_arrive_unchanged() -> None:
    series = pd.Series([1.5, math.nan], index=["a", "b"], name="weight")
    pd.testing.assert_series_equal(sent(series), series)
    pd.testing.assert_index_equal(sent(series.index), series.index)
    assert sent([pd.NA, pd.NaT]) == [pd.NA, pd.NaT]


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
    "value",
    [
        (0.5, "a", True),
        [1, [2, [3, [4, [5]]]]],
        {"mean": 2, (1, "b"): [None]},
        (),
        list(range(50_000)),
        {1, (2, "b")},
        frozenset([3]),
    ],
)
def test_containers_arrive_unchanged(value: object) -> None:
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


def test_an_endless_container_is_not_sent() -> None:
    endless: list[object] = []
    endless.append(endless)
    arrived = sent(endless)
    while isinstance(arrived, list) and arrived:
        arrived = arrived[-1]
    assert isinstance(arrived, Other)


@pytest.mark.parametrize("value", [[0] * MAX_JSON, "x" * (MAX_JSON + 1), bytes(MAX_BYTES + 1)], ids=range(3))
def test_what_is_too_large_is_refused_and_not_cut(value: object) -> None:
    with pytest.raises(TooLarge, match="MB"):
        sent(value)


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
        [],
        {},
        {"kind": "pickle"},
        {"kind": "tensor"},
        {"kind": "tensor", "key": "x"},
        {"kind": "int", "value": 3},
        {"kind": "int", "value": "three"},
        {"kind": "float", "value": "0x"},
        {"kind": "complex", "value": [1]},
        {"kind": "dict", "value": [1]},
        {"kind": "set", "value": [{"kind": "list", "value": []}]},
        {"kind": "range", "value": [1, 2, 3, 4]},
        {"kind": "bytes", "key": "b"},
        {"kind": "array", "dtype": "object", "shape": [1], "value": [1]},
        {"kind": "array", "dtype": "O", "shape": [2], "value": [1]},
        {"kind": "array", "dtype": "V8", "key": "t"},
        {"kind": "frame", "value": [], "columns": {}, "index": {}},
        {"kind": "frame", "value": 3},
        {"kind": "series", "value": {"dtype": "pickle", "value": 3}},
        {"kind": "index", "value": {"dtype": "int64", "value": {"kind": "tensor", "key": "t"}}, "names": []},
        {"kind": "missing", "type": "os"},
        {
            "kind": "series",
            "value": {"dtype": "datetime64[ns, dateutil//etc/hostname]", "value": {"kind": "tensor", "key": "t"}},
            "name": None,
            "index": None,
        },
        {"kind": "set", "value": [{"kind": "int", "value": hex(k * (2**61 - 1))} for k in range(200)]},
        {"kind": "array", "dtype": "U", "shape": [100_000], "value": ["a" * 100_000, *["a"] * 99_999]},
    ],
)
def test_an_invalid_description_is_refused(description: object) -> None:
    with pytest.raises(WireError):
        restore(description, {"t": torch.zeros(1, dtype=torch.int64)})


def test_a_value_that_is_nested_too_deep_is_refused() -> None:
    deep: object = None
    for _ in range(9000):
        deep = {"kind": "list", "value": [deep]}
    with pytest.raises(WireError):
        restore(deep, {})


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
