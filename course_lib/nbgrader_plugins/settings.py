"""The settings of the grading, ``c.JudgedAutograde`` in ``nbgrader_config.py``, and their checks."""

import logging
from dataclasses import fields
from typing import get_args

from nbgrader.converters import Autograde
from traitlets import Bool, Dict, Integer, Unicode

from ..execution.run_settings import Classic
from ..judge.limits import Limits
from ..judge.task import Device, Protection
from ..messages import LANGUAGES, language
from ..results.errors import AssignmentError

UNUSED = {
    "Autograde": ["autograde_preprocessors", "sanitize_preprocessors"],
    "Execute": ["allow_errors", "error_on_timeout", "execute_retries", "interrupt_on_timeout"],
    "ExecutePreprocessor": ["allow_errors"],
    "LimitOutput": ["max_lines", "max_traceback"],
}  # fmt: skip
"""Settings of nbgrader's own grading, by class. The judge ignores them."""


class Settings(Autograde):
    """The settings of :class:`course_lib.nbgrader_plugins.autograde.JudgedAutograde`, besides nbgrader's own."""

    log: logging.Logger
    hidden_tests = Unicode("grader_tests", help="Folder of the hidden tests, in the course folder.").tag(config=True)
    language = Unicode(language(), help=f"Language of the feedback: {' or '.join(LANGUAGES)}.").tag(config=True)
    workers = Integer(0, help="Submissions graded at the same time; 0 means one for each core.").tag(config=True)
    scheduler = Unicode(
        "",
        help="Address (tcp://host:port) or scheduler file of a Dask cluster to grade on; empty for this machine. Its "
        "workers must see the course folder under the same path, and share the folder in COURSE_LIB_CACHE.",
    ).tag(config=True)
    protection = Unicode(
        "bubblewrap", help="Sandbox for students' code: bubblewrap; or none, only for notebooks that you trust."
    ).tag(config=True)
    device = Unicode(
        "cpu",
        help="Where models are trained: cpu, or cuda for a GPU. If train_once is True, everything else runs "
        "on the CPU. With cuda, students' code can reach the card's driver.",
    ).tag(config=True)
    classic = Unicode(
        "allow",
        help="Grade cells without a file of hidden tests, which are tested by their own code as in nbgrader: allow, "
        "warn, or refuse. The verdict on such a cell is made in the student's process and can be forged.",
    ).tag(config=True)
    limits = Dict(
        help=f"What a submission may use; any of {', '.join(field.name for field in fields(Limits))}. "
        "course_lib/judge/limits.py explains each."
    ).tag(config=True)
    train_once = Bool(
        True, help="Reuse finished training runs of models that behave the same. False: each student's kernel trains."
    ).tag(config=True)
    cache_size = Integer(
        2 * 2**30,
        help="Bytes for results, training runs and pictures, each. The least recently used are deleted first.",
    ).tag(config=True)

    def cell_limits(self) -> dict[str, float]:
        """The time limit of a cell from nbgrader's own setting, ``c.Execute.timeout``; nothing if it is not set."""
        for section in ("Execute", "ExecutePreprocessor"):
            if "timeout" in self.config.get(section, ()):
                given = self.config[section].timeout  # a string if it comes from the command line
                seconds = -1.0 if given in (None, "None") else float(given)
                return {"cell": seconds if seconds > 0 else Limits.submission, "slack": 1}
        return {}

    def check_settings(self) -> None:
        """Check the settings. traitlets' own checks would end in a traceback.

        Raises:
            AssignmentError: if settings are wrong; the message names them.
        """
        wrong = []
        types = {field.name: field.type for field in fields(Limits)}
        for name, value in self.limits.items():
            if name not in types:
                wrong.append(f"limits: {name!r} is unknown; choose from {', '.join(types)}")
            elif type(value) not in (int, types[name]):
                wanted = "an integer" if types[name] is int else "a number"
                wrong.append(f"limits: {name} is {value!r}, but must be {wanted}")
        choices = {
            "language": LANGUAGES,
            "protection": get_args(Protection),
            "device": get_args(Device),
            "classic": get_args(Classic),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                wrong.append(f"{name}: {getattr(self, name)!r} is not one of {', '.join(allowed)}")
        if self.workers < 0:
            wrong.append(f"workers: {self.workers} is negative; 0 means one for each core")
        unused = [f"{of}.{name}" for of, names in UNUSED.items() for name in names if name in self.config.get(of, ())]
        if unused:
            self.log.warning(
                "The judge ignores %s, because it runs every notebook itself. Set times and sizes with "
                "c.JudgedAutograde.limits.", ", ".join(unused)
            )  # fmt: skip
        if wrong:
            raise AssignmentError("\n".join(f"c.JudgedAutograde.{line}" for line in wrong))
