"""The settings of a run, from the configuration."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..judge.limits import Limits
from ..judge.task import Device, Protection

Classic = Literal["allow", "warn", "refuse"]
"""What to do about grade cells that are tested by their own code."""


def cores() -> int:
    """The cores that this process may use. In a Slurm job or a container, they may be only some of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class RunSettings:
    """The settings of a run, from the configuration: see ``c.JudgedAutograde``."""

    language: str = "fr"
    protection: Protection = "bubblewrap"
    device: Device = "cpu"
    scheduler: str = ""
    """Address or scheduler file of a Dask cluster; empty for this machine."""
    configured_workers: int = 0
    given_limits: dict[str, float] = field(default_factory=dict)
    train_once: bool = True
    cache_size: int = 2 * 2**30
    """Bytes that results, training runs and pictures may take, each."""
    force: bool = False
    """Whether to grade everything again."""
    add_students: bool = True
    """Whether to add students that the gradebook does not know."""
    classic: Classic = "allow"
    execute: bool = True
    """Whether to run the notebooks; otherwise, a person grades them with the outputs that students handed in."""
    students_files: Sequence[str] = ()
    """Files for which the student's version replaces the one in the source folder."""
    keep_times: bool = True
    """Whether the autograded notebook says how long grading took."""

    @property
    def workers(self) -> int:
        """Submissions graded at the same time on this machine."""
        return self.configured_workers or cores()

    @property
    def limits(self) -> Limits:
        """The limits of a submission. Workers share the cores."""
        threads = 1 if self.scheduler else max(1, cores() // self.workers)
        return Limits(**{"threads": threads} | self.given_limits)  # type: ignore[arg-type]  # checked by the settings
