"""The wire between judge and kernel: what goes in comes out, and rubbish is refused."""

import json
import math
import re
from collections import Counter, OrderedDict, defaultdict, namedtuple
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from course_lib.authoring.failures import StudentFailure
from course_lib.authoring.notebook import TRAVELS, StudentNotebook, travels_whole
from course_lib.authoring.result import Verdict
from course_lib.error_hints import MAX_TEXT
from course_lib.kernel.wire import MAX_BYTES, Other, Packet, WireError, describe, pack, restore, unpack


@pytest.mark.parametrize(
    "value", [True, 0, -7, 10**40, 0.1, math.inf, -0.0, "é", None, torch.rand(2, 3), torch.tensor([]), torch.tensor(3)]
)
def test_a_value_arrives_as_it_was(value: object) -> None:
    packet = Packet()
    packet.fields["value"] = describe(value, "v", packet.tensors)
    content, data = pack(packet)
    arrived = unpack(content, [data])
    back = restore(arrived.fields["value"], arrived.tensors)
    if isinstance(value, torch.Tensor):
        assert isinstance(back, torch.Tensor)
        assert back.dtype == value.dtype
        assert torch.equal(back, value)
    else:
        assert type(back) is type(value)
        assert back == value


def test_nan_arrives_as_nan() -> None:
    assert math.isnan(restore(describe(math.nan, "v", {}), {}))  # type: ignore[arg-type]


def test_arrays_and_scalars_of_numpy_arrive_as_torch_and_python() -> None:
    tensors: dict[str, torch.Tensor] = {}
    assert torch.equal(restore(describe(np.arange(3), "v", tensors), tensors), torch.arange(3))  # type: ignore[arg-type]
    assert restore(describe(np.float32(0.5), "v", tensors), tensors) == 0.5
    for array in (np.arange(3.0)[::-1], np.arange(3, dtype=">i4"), np.arange(3, dtype=">f8")):
        assert restore(describe(array, "v", tensors), tensors).tolist() == array.tolist()  # type: ignore[union-attr]
    for other in (np.array(["a"]), np.array([None]), np.ones(2, dtype=complex)):
        assert isinstance(restore(describe(other, "v", tensors), tensors), Other)


def test_a_lying_object_arrives_as_plain_data() -> None:
    class Liar(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            return True

        def __eq__(self, other: object) -> bool:  # type: ignore[override]
            return True

    class AlwaysEqual:
        def __eq__(self, other: object) -> bool:
            return True

    class Float(float):
        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 0

    packet = Packet({"value": {"kind": "tensor", "key": "v"}}, {"v": torch.zeros(2).as_subclass(Liar)})
    content, data = pack(packet)
    back = restore(content["value"], unpack(content, [data]).tensors)
    assert type(back) is torch.Tensor
    assert not torch.equal(back, torch.ones(2))
    assert isinstance(restore(describe(AlwaysEqual(), "v", {}), {}), Other)
    assert type(restore(describe(Float(0.25), "v", {}), {})) is float


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
def test_rubbish_is_refused(content: object, buffers: list[bytes], why: str) -> None:
    with pytest.raises(WireError, match=why):
        unpack(content, buffers)


@pytest.mark.parametrize("value", [
    (0.5, "a", True), [1, [2, [3, [4, [5]]]]], {"mean": 2, (1, "b"): [None]}, (), list(range(900)),
])  # fmt: skip
def test_lists_tuples_and_dicts_travel(value: object) -> None:
    tensors: dict[str, torch.Tensor] = {}
    assert restore(json.loads(json.dumps(describe(value, "value", tensors))), tensors) == value


@pytest.mark.parametrize(("value", "plain"), [
    (Counter("abac"), {"a": 2, "b": 1, "c": 1}), (OrderedDict(b=1, a=[2]), {"b": 1, "a": [2]}),
    (defaultdict(list, {"a": [1]}), {"a": [1]}), (namedtuple("Point", "x y")(1, 2), (1, 2)), (torch.Size([2, 3]), (2, 3)),
])  # fmt: skip
def test_what_is_a_dict_or_a_tuple_too_travels_as_one(value: object, plain: object) -> None:
    found = restore(describe(value, "value", {}), {})
    assert type(found) is type(plain)
    assert found == plain


def test_tensors_in_a_tuple_travel() -> None:
    tensors: dict[str, torch.Tensor] = {}
    shared = torch.arange(6.0).reshape(2, 3)
    described = describe((torch.ones(2, requires_grad=True), np.zeros(3), shared, shared, shared.T), "value", tensors)
    content, data = pack(Packet({"value": described}, tensors))
    arrived = unpack(content, [data])
    found = restore(arrived.fields["value"], arrived.tensors)
    assert [part.tolist() for part in found] == [
        [1, 1],
        [0, 0, 0],
        *[part.tolist() for part in (shared, shared, shared.T)],
    ]  # type: ignore[union-attr]


def test_what_is_too_large_or_endless_is_another_value() -> None:
    endless: list[object] = []
    endless.append(endless)
    for value in (list(range(2000)), [[i] for i in range(600)], endless):
        found = restore(describe(value, "value", {}), {})
        while isinstance(found, list) and found:
            found = found[-1]
        assert isinstance(found, Other)


def test_authors_are_told_how_much_travels(root: Path) -> None:
    told = re.search(r"\(fewer than (\d+) items, or (\d+) entries of a dict;", (root / "README.md").read_text())
    assert told is not None
    items, entries = map(int, told.groups())
    for make, bound in ((list, items), (dict.fromkeys, entries)):
        assert travels_whole(make(range(bound - 1)))
        assert not travels_whole(make(range(bound)))
    assert f"fewer than {items} items (one of them in another counts two, an entry of a dict four)" in TRAVELS
    assert items == 4 * entries


def test_more_items_than_are_sent_are_refused() -> None:
    wide = {"kind": "list", "value": [{"kind": "list", "value": [{"kind": "none"}] * 100}] * 100}
    deep: dict[str, object] = {"kind": "none"}
    for _ in range(900):
        deep = {"kind": "list", "value": [deep]}
    for description in (wide, deep, {"kind": "dict", "value": [{"kind": "int", "value": "1"}]}):
        with pytest.raises(WireError):
            restore(description, {})


def test_a_packet_that_would_be_refused_is_not_packed() -> None:
    with pytest.raises(WireError):
        pack(Packet({}, {"x": torch.zeros(MAX_BYTES // 4 + 1)}))


@pytest.mark.parametrize(
    "description",
    [None, 3, {}, {"kind": "pickle"}, {"kind": "tensor"}, {"kind": "tensor", "key": "x"}, {"kind": "int", "value": 3},
     {"kind": "int", "value": "three"}, {"kind": "float", "value": "0x"}, {"kind": "bool", "value": "yes"}],
)  # fmt: skip
def test_a_value_that_is_none_is_refused(description: object) -> None:
    with pytest.raises(WireError):
        restore(description, {})


def test_a_type_has_a_short_name() -> None:
    """A student may read it, and chooses it."""
    found = restore({"kind": "other", "type": "x" * 10**6}, {})
    assert isinstance(found, Other)
    assert found.type_name == "x" * MAX_TEXT


def test_a_number_of_parameters_that_are_not_there_is_a_wrong_answer() -> None:
    for count in (10**12, -1, 1.5, True, None):
        student = StudentNotebook(lambda _, n=count: Packet({"status": "ok", "parameters": n, "buffers": 0}))
        with pytest.raises(StudentFailure):
            student.weights("dnn")


@pytest.mark.parametrize(("fields", "tensors"), [
    ({"parameters": 1, "buffers": None}, {"p0": torch.ones(2)}), ({"parameters": 1, "buffers": 0}, {"p0": torch.ones(2).int()}),
    ({"parameters": 1, "buffers": 0}, {"p1": torch.ones(2)}), ({"value": 3}, {}), ({}, {}), ({"value": {"kind": "none"}}, {"g0": torch.ones(2)}),
    ({"value": {"kind": "tensor", "key": "v"}}, {"v": torch.ones(1, 2)}), ({"value": {"kind": "tensor", "key": "v"}}, {"v": torch.ones(1, 2), "g0": torch.ones(3)}),
])  # fmt: skip
def test_an_answer_that_is_none_is_a_wrong_one(fields: dict[str, object], tensors: dict[str, torch.Tensor]) -> None:
    """And no fault of the test that asks."""
    student = StudentNotebook(lambda _: Packet({"status": "ok"} | fields, tensors))
    x, labels = torch.ones(1, 3), torch.zeros(1, dtype=torch.int64)
    ask = (
        partial(student.weights, "dnn")
        if "parameters" in fields
        else partial(student.forward, "dnn", x, [torch.ones(2)], labels, classes=2)
    )
    with pytest.raises(StudentFailure) as failure:
        ask()
    assert failure.value.verdict is Verdict.FAILED


def test_a_packet_of_very_many_tensors_is_refused() -> None:
    with pytest.raises(WireError, match="more tensors"):
        unpack({}, [save({f"tensor {i}": torch.zeros(0) for i in range(30_000)})])
