"""What ``nbgrader_config.py`` can say of the grading, as ``c.JudgedAutograde``, and whether that can be done."""

import logging
from dataclasses import fields
from typing import get_args

from nbgrader.converters import Autograde
from traitlets import Bool, Dict, Integer, Unicode

from ..authoring.errors import AssignmentError
from ..judge.task import Device, Limits, Protection
from ..messages import LANGUAGES, language

__all__ = ["Settings"]

UNUSED = {
    "Autograde": [
        "autograde_preprocessors", "exclude_overwriting", "post_convert_hook", "pre_convert_hook",
        "sanitize_preprocessors",
    ],
    "Execute": ["allow_errors", "enabled", "error_on_timeout", "execute_retries", "interrupt_on_timeout", "timeout"],
    "ExecutePreprocessor": ["allow_errors", "timeout"],
    "IgnorePattern": ["pattern"],
    "LimitOutput": ["max_lines", "max_traceback"],
}  # fmt: skip
"""Settings of nbgrader's own way of grading, by class, that mean nothing to the judge."""


class Settings(Autograde):
    """The settings of :class:`course_lib.nbgrader_plugins.autograde.JudgedAutograde`, beside nbgrader's own."""

    log: logging.Logger
    hidden_tests = Unicode("grader_tests", help="Folder of the hidden tests, in the course's root.").tag(config=True)
    language = Unicode(language(), help=f"Language of the feedback: {' or '.join(LANGUAGES)}.").tag(config=True)
    workers = Integer(0, help="Submissions graded at the same time; 0: one for each core.").tag(config=True)
    scheduler = Unicode(
        "",
        help="Address (tcp://host:port) or scheduler file of a Dask cluster to grade on; empty: this machine. Its "
        "workers see the course's folder under the same path, and COURSE_LIB_CACHE names a folder that all share.",
    ).tag(config=True)
    protection = Unicode(
        "bubblewrap", help="What students' code runs in: bubblewrap, or none, only for notebooks you trust."
    ).tag(config=True)
    device = Unicode(
        "cpu",
        help="Where models are trained: cpu, or cuda, a graphics card; all else computes on the CPU, as long as "
        "train_once is set. Students' code then reaches the card's driver.",
    ).tag(config=True)
    limits = Dict(
        help=f"What a submission may use; any of {', '.join(field.name for field in fields(Limits))}: "
        "course_lib/judge/task.py says what each is."
    ).tag(config=True)
    train_once = Bool(
        True, help="Reuse finished trainings of models that behave the same; False: each student's kernel trains."
    ).tag(config=True)
    store_size = Integer(
        2 * 2**30,
        help="Bytes that results, trainings and pictures may take each; what was not used for longest goes first.",
    ).tag(config=True)

    def check_settings(self) -> None:
        """See that the configuration says what can be done; traitlets' own checks would end in a traceback.

        Raises:
            AssignmentError: if it does not; the message names the setting.
        """
        wrong = []
        kinds = {field.name: field.type for field in fields(Limits)}
        for name, value in self.limits.items():
            if name not in kinds:
                wrong.append(f"limits: {name!r} is none of {', '.join(kinds)}")
            elif type(value) not in (int, kinds[name]):
                whole = "whole " if kinds[name] is int else ""
                wrong.append(f"limits: {name} is {value!r}, which is no {whole}number")
        choices = {"language": LANGUAGES, "protection": get_args(Protection), "device": get_args(Device)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                wrong.append(f"{name}: {getattr(self, name)!r} is none of {', '.join(allowed)}")
        if self.workers < 0:
            wrong.append(f"workers: {self.workers} is less than 0")
        unused = [f"{of}.{name}" for of, names in UNUSED.items() for name in names if name in self.config.get(of, ())]
        if unused:
            self.log.warning(
                "The judge takes no notice of %s: it runs every notebook itself, beside the source's files only; "
                "c.JudgedAutograde.limits sets times and sizes", ", ".join(unused)
            )  # fmt: skip
        if wrong:
            raise AssignmentError("\n".join(f"c.JudgedAutograde.{line}" for line in wrong))
