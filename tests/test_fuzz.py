"""Random input from a student, on every way into the judge: it gives a value, a verdict or a refusal, never a crash."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jupyter_client.session import Session as MessageSession
from nbclient.exceptions import CellExecutionComplete
from nbformat.v4 import new_code_cell, new_notebook

from course_lib.assignment.spec import NotebookSpec
from course_lib.authoring.notebook import StudentNotebook
from course_lib.judge.checked_messages import BadMessage
from course_lib.judge.kernel_client import JudgeClient, JudgeKernelManager
from course_lib.judge.read_notebook import UnreadableNotebook, read_notebook
from course_lib.judge.rebuild import rebuild
from course_lib.judge.sanitize import sanitize_notebook
from course_lib.judge.task import trainings_folder
from course_lib.judge.training_cache import find_training
from course_lib.kernel.wire import Other, Packet, WireError, pack, restore, unpack
from course_lib.results.failures import StudentFailure
from tests.support.tiny_course import notebook, written

RUNS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)

names = st.sampled_from(
    ["status", "value", "kind", "key", "type", "message", "parameters", "buffers", "data", "metadata", "transient", "display_id",
     "name", "text", "ename", "evalue", "traceback", "execution_state", "execution_count", "text/plain", "text/html", "image/png",
     "cells", "source", "cell_type", "nbgrader", "grade_id", "outputs", "nbformat", "recipe"]
)  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["ok", "tensor", "int", "float", "other", "w0", "g0", "stdout", "idle", "code", "markdown", "add", "0x1p3"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names | st.text(max_size=5), inner, max_size=5),
    max_leaves=12,
)
objects = st.dictionaries(names, values, max_size=6)
tensors = st.sampled_from(
    [torch.zeros(3), torch.tensor(1.0), torch.full((2, 2), float("nan")), torch.arange(4), torch.zeros(0, 10), torch.ones(4, 10),
     torch.zeros(2, dtype=torch.bfloat16), torch.tensor(True), torch.zeros(1, dtype=torch.complex64)]
)  # fmt: skip
packets = st.builds(
    Packet,
    objects,
    st.dictionaries(st.sampled_from(["value", "w0", "g0", "p0", "p1", "behaviour0", "v"]), tensors, max_size=3),
)


@RUNS
@given(values | objects, st.lists(st.binary(max_size=200), max_size=3))
def test_any_bytes_are_a_packet_or_refused(content: Any, buffers: list[bytes]) -> None:
    try:
        packet = unpack(content, buffers)
    except WireError:
        return
    assert packet.fields is content


@RUNS
@given(packets, st.data())
def test_flipped_bytes_are_a_packet_or_refused(packet: Packet, data: st.DataObject) -> None:
    content, buffer = pack(packet)
    damaged = bytearray(buffer)
    for _ in range(data.draw(st.integers(0, 3)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        unpack(content, [bytes(damaged)])
    except WireError:
        pass


@RUNS
@given(values, st.dictionaries(st.text(max_size=3), tensors, max_size=2))
def test_any_description_is_a_value_or_refused(description: Any, given_tensors: dict[str, torch.Tensor]) -> None:
    try:
        value = restore(description, given_tensors)
    except WireError:
        return
    assert type(value) in (bool, int, float, str, torch.Tensor, Other, type(None))


# what hidden tests ask a student's notebook
QUESTIONS: list[Callable[[StudentNotebook], object]] = [
    lambda student: student.value("x"),
    lambda student: student.call("f", torch.ones(2), 1, 0.5),
    lambda student: student.number("f", 1.0),
    lambda student: student.tensor("f", torch.ones(2), shape=(2,), dtype=torch.int64),
    lambda student: student.tensor("f", shape=(4, 10)),
    lambda student: student.forward(
        "M", torch.ones(4, 28, 28), [torch.ones(2, 2)], torch.zeros(4).long(), shape=(4, 10)
    ),
    lambda student: student.weights("m").copy_into(torch.nn.Linear(1, 3)),
]


@RUNS
@given(packets, st.sampled_from(QUESTIONS))
def test_any_answer_gives_a_value_or_a_verdict(packet: Packet, question: Callable[[StudentNotebook], object]) -> None:
    try:
        question(StudentNotebook(lambda _: packet))
    except StudentFailure as failure:
        assert failure.verdict != "passed"
        assert str(failure)


def test_the_cause_of_a_long_error_is_found_quickly() -> None:
    long = "expected input[" * 40_000
    began = time.monotonic()
    for fields in ({"type": long, "message": ""}, {"type": "E", "message": long}):
        answer = Packet({"status": "raised"} | fields)
        with pytest.raises(StudentFailure):
            StudentNotebook(lambda _, answer=answer: answer).value("x")  # type: ignore[misc]
    assert time.monotonic() - began < 5


@RUNS
@given(packets)
def test_any_request_for_a_training_is_answered(packet: Packet) -> None:
    assert find_training(packet, trainings_folder())[0].tensors == {}


MANAGER: Any = JudgeKernelManager()
"""Only its message session is used: no kernel runs."""
assert isinstance(MANAGER.session, MessageSession)

headers = st.fixed_dictionaries({"msg_id": st.just("1"), "msg_type": st.sampled_from(
    ["stream", "display_data", "execute_result", "update_display_data", "error", "status", "clear_output", "comm_open", "execute_input", "odd"]
)}) | objects  # fmt: skip


@RUNS
@given(headers | values, objects | values, objects | values, objects | values)
def test_any_message_becomes_an_output_or_is_refused(header: Any, parent: Any, metadata: Any, content: Any) -> None:
    session = MANAGER.session
    cell = new_code_cell("x")
    client = JudgeClient(new_notebook(cells=[cell]), MANAGER, 2**16, lambda request: Packet())
    parts = [json.dumps(part).encode() for part in (header, parent, metadata, content)]
    frames = [session.sign(parts), *parts]
    session.digest_history.clear()
    try:
        message = session.deserialize(frames)
        client.process_message(message, cell, 0)
    except (BadMessage, CellExecutionComplete):
        return
    sanitize_notebook(client.nb)
    json.dumps(client.nb, allow_nan=False)


@RUNS
@given(st.lists(st.binary(max_size=60), max_size=7))
def test_unsigned_frames_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(BadMessage):
        MANAGER.session.deserialize(frames)


@RUNS
@given(st.binary(max_size=300) | values.map(lambda v: json.dumps(v).encode()))
def test_any_file_is_a_notebook_or_unreadable(content: bytes) -> None:
    try:
        read_notebook(content)
    except UnreadableNotebook as error:
        assert str(error)


@RUNS
@given(st.data())
def test_a_damaged_notebook_is_rebuilt_or_unreadable(spec: NotebookSpec, data: st.DataObject) -> None:
    """Random values are put anywhere into a submission: the assignment's own cells stay as they are."""
    node = json.loads(written(notebook()))
    for _ in range(data.draw(st.integers(1, 4))):
        target = data.draw(
            st.sampled_from([node, node["metadata"], *node["cells"], *(c["metadata"] for c in node["cells"])])
        )
        if isinstance(target, dict):
            target[data.draw(names)] = data.draw(values)
        cells = node.get("cells")
        if not isinstance(cells, list) or not all(isinstance(cell, dict) and "metadata" in cell for cell in cells):
            break
    try:
        submitted = read_notebook(json.dumps(node).encode())
    except UnreadableNotebook:
        return
    rebuilt = rebuild(spec.skeleton, submitted)
    kept = [c for c in rebuilt.notebook.cells if "course_lib_extra" not in c.metadata]
    assert [c.id for c in kept] == [c.id for c in spec.skeleton.cells]
    assert [c.metadata for c in kept] == [c.metadata for c in spec.skeleton.cells]
