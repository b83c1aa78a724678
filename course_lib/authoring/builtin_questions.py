"""Questions to a student's notebook that are answered by built-in probes."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch

from ..error_causes import type_cause
from ..kernel.wire import Other, Value
from ..messages import say
from ..results.failures import ParameterMismatch, StudentFailure
from ..results.result import Verdict
from . import builtin_probes
from .student_code import StudentCode
from .values import Argument, type_name, wrong_value


@dataclass(frozen=True)
class Axes:
    """The visible contents of the axes of a matplotlib figure."""

    title: str = ""
    xlabel: str = ""
    ylabel: str = ""
    xscale: str = ""
    """``linear`` or ``log``, as ``yscale``."""
    yscale: str = ""
    xlim: tuple[float, float] = (0.0, 1.0)
    ylim: tuple[float, float] = (0.0, 1.0)
    lines: list[dict[str, Any]] = field(default_factory=list)
    """Each with ``x``, ``y`` (tensors, float64) and ``label``."""
    bars: list[dict[str, Any]] = field(default_factory=list)
    """Each with ``x``, its centre, and ``height``."""
    points: list[torch.Tensor] = field(default_factory=list)
    """The positions of the points of each scatter plot, (N, 2)."""
    images: list[torch.Tensor] = field(default_factory=list)
    legend: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function."""

    name: str
    kind: str
    """``positional_or_keyword``, ``keyword_only``, ``var_positional``, ..."""
    has_default: bool
    default: Value


@dataclass(frozen=True)
class Seconds:
    """CPU times, each of the fastest of several calls."""

    students: float
    reference: float

    @property
    def ratio(self) -> float:
        """How many times as long as the reference the student's function takes."""
        return self.students / max(self.reference, 1e-9)


class Instance:
    """An instance of a student's class. For each answer, a new instance repeats all steps so far.

    Args:
        take: runs these steps, and returns the last result.
    """

    def __init__(self, take: Callable[[list[tuple[str, str, Any, Any]]], Value]) -> None:
        self._take = take
        self._steps: list[tuple[str, str, Any, Any]] = []

    def call(self, method: str, *args: Argument, **kwargs: Argument) -> Value:
        """What a method returns. ``call("__call__", x)`` calls the instance itself."""
        self._steps.append(("call", method, list(args), kwargs))
        return self._take(self._steps)

    def get(self, attribute: str) -> Value:
        """The value of an attribute."""
        return self._take([*self._steps, ("get", attribute, [], {})])


class Probing:
    """The questions to a student's notebook that are answered by probes."""

    code: StudentCode

    @abstractmethod
    def run(self, probe: Callable[..., object], *args: Argument, **kwargs: Argument) -> Value:
        """See :meth:`course_lib.authoring.notebook.StudentNotebook.run`."""

    def raises(self, exception: str, name: str, *args: Argument, **kwargs: Argument) -> None:
        """The function ``name`` must raise an exception of this class, or of one derived from it.

        Args:
            exception: the name of the class, such as ``"ValueError"``.
            name: of the function.
            *args: its arguments.
            **kwargs: its keyword arguments.
        """
        kinds = self.run(builtin_probes.raised_by, name, list(args), kwargs)
        if kinds is None:
            raise wrong_value("raised nothing", say("cause.raises_nothing", expected=exception))
        if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
            raise _invalid_answer(kinds)
        if exception not in kinds or (kinds[0] == "NotImplementedError" != exception):
            raise wrong_value(f"raised {kinds[:1]}", say("cause.raises_other", expected=exception))

    def printed(self, name: str, *args: Argument, **kwargs: Argument) -> str:
        """What the function ``name`` prints."""
        printed = self.run(builtin_probes.printed_by, name, list(args), kwargs)
        if not isinstance(printed, str):
            raise _invalid_answer(printed)
        return printed

    def file(self, path: str, name: str | None = None, *args: Argument, **kwargs: Argument) -> bytes:
        """The content of a file that the notebook has written, or that the function ``name`` writes when called.

        Args:
            path: relative to the notebook.
            name: of a function to call first.
            *args: its arguments.
            **kwargs: its keyword arguments.
        """
        content = self.run(builtin_probes.content_of, path, name, list(args), kwargs)
        if not isinstance(content, bytes):
            raise wrong_value(f"there is no file {path}", say("cause.no_file", name=path))
        return content

    def axes(self, name: str, *args: Argument, **kwargs: Argument) -> list[Axes]:
        """The axes of the figure that the function ``name`` draws or returns, or that the variable ``name`` holds."""
        found = self.run(builtin_probes.drawn_by, name, list(args), kwargs)
        if not isinstance(found, list) or not found:
            raise wrong_value("no figure", say("cause.no_figure"))
        known = {one.name for one in fields(Axes)}
        try:
            return [Axes(**{key: value for key, value in one.items() if key in known}) for one in found]
        except (AttributeError, TypeError) as error:
            raise _invalid_answer(found) from error

    def instance(self, name: str, *args: Argument, **kwargs: Argument) -> Instance:
        """An instance of the class ``name``, made with these arguments."""

        def take(steps: list[tuple[str, str, Any, Any]]) -> Value:
            answer = self.run(builtin_probes.result_of_steps, name, list(args), kwargs, steps)
            has_all, result = _pair(answer)
            if has_all is True:
                return result
            if result in [attribute for _, attribute, _, _ in steps]:
                raise wrong_value(f"{name} has no {result}", say("cause.no_member", name=result))
            raise _invalid_answer(answer)

        return Instance(take)

    def take(self, name: str, count: int, *args: Argument, **kwargs: Argument) -> list[Value]:
        """The first ``count`` items of the generator function ``name``; fewer if it ends before that."""
        items = self.run(builtin_probes.first_of, name, count, list(args), kwargs)
        if not isinstance(items, list):
            raise wrong_value(f"{type_name(items)} is not iterable", type_cause(type_name(items), "generator"))
        return items

    def signature(self, name: str) -> dict[str, Parameter]:
        """The parameters of the function ``name``, in order."""
        answer = self.run(builtin_probes.parameters_of, name)
        try:
            found = [Parameter(*map(_plain, one)) for one in answer]
            return {one.name: one for one in found}
        except TypeError as error:
            raise _invalid_answer(answer) from error

    def uses(self, name: str, word: str) -> bool:
        """Whether the code of ``name`` uses ``word``: see :class:`~course_lib.authoring.student_code.StudentCode`."""
        return self.code.uses(name, word)

    def draws(self, name: str, count: int, *args: Argument, **kwargs: Argument) -> torch.Tensor:
        """What the function ``name`` returns in ``count`` calls, (count, ...), float64.

        torch is seeded before the first call. Compare them with
        :func:`~course_lib.authoring.distributions.must_be_distributed`.
        """
        values = self.run(builtin_probes.drawn_values, name, count, list(args), kwargs)
        try:
            return torch.stack([torch.as_tensor(value, dtype=torch.float64) for value in values])
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            kind = type_name(values[0]) if isinstance(values, list) and values else type_name(values)
            raise wrong_value(f"not numbers of one shape: {error}", type_cause(kind, "float")) from error

    def seconds(
        self, name: str, *args: Argument, reference: Callable[..., object], repeat: int = 3, **kwargs: Argument
    ) -> Seconds:
        """The CPU time of the function ``name``, and of ``reference`` in the same kernel.

        The student's code can pretend to be fast, and can see the reference while it runs: use a reference that gives
        nothing away, such as a naive one.

        Args:
            name: of the function.
            *args: the arguments of both.
            reference: a probe: a function in the test's file whose first argument is the student's names.
            repeat: the number of calls. The fastest one counts.
            **kwargs: the keyword arguments of both.
        """
        students = self.run(builtin_probes.seconds_of, name, list(args), kwargs, repeat)
        if not isinstance(students, float):
            raise _invalid_answer(students)
        return Seconds(students, min(self._seconds_of(reference, args, kwargs) for _ in range(repeat)))

    @abstractmethod
    def _seconds_of(self, probe: Callable[..., object], args: Sequence[Any], kwargs: Mapping[str, Any]) -> float:
        """The CPU seconds of a probe."""

    def outputs(
        self,
        name: str,
        *inputs: Argument,
        init: Sequence[Argument] | Mapping[str, Argument] = (),
        weights: Sequence[torch.Tensor] | Mapping[str, torch.Tensor] | None = None,
        train: bool = False,
        **kwargs: Argument,
    ) -> Value:
        """Run the model ``name`` on any inputs: the result is a tensor, or a tuple, list or dict of tensors.

        Args:
            name: a model, or a model class, which starts with the same weights each time.
            *inputs: the arguments of its forward.
            init: the arguments of the class, in order or by name.
            weights: values to load first: a state dict by name, or a list of parameters sorted by shape.
            train: whether to run in training mode.
            **kwargs: the keyword arguments of its forward.

        Raises:
            ParameterMismatch: if the weights do not fit.
        """
        loaded = dict(weights) if isinstance(weights, Mapping) else None if weights is None else list(weights)
        made_with = dict(init) if isinstance(init, Mapping) else list(init)
        answer = self.run(builtin_probes.outputs_of, name, made_with, list(inputs), kwargs, loaded, train)
        status, result = _pair(answer)
        if not isinstance(status, str):
            raise _invalid_answer(status)
        if status == "not_a_model":
            raise wrong_value("not a model", say("cause.not_a_model"))
        if status == "parameter_mismatch":
            raise ParameterMismatch(Verdict.FAILED, say("cause.parameters"), "the model has other parameters")
        return result


def _plain(value: Value) -> Value:
    """A value, or the name of its type if it cannot be sent."""
    return value.type_name if isinstance(value, Other) else value


def _pair(answer: Value) -> tuple[Any, Any]:
    """The two parts of a common probe's answer. The student's code may have answered in its place."""
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise _invalid_answer(answer)
    return answer


def _invalid_answer(answer: Value) -> StudentFailure:
    """The failure for an answer that no common probe gives."""
    return StudentFailure(Verdict.INVALID_ANSWER, note=f"answered {type_name(answer)}")
