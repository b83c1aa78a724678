"""The doctor's checks of this machine: Python packages, memory, disks, MNIST, the GPU."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from ..execution.run_settings import cores
from ..files import cache_folder
from ..judge.sandbox import gpu_name
from ..mnist import unpack_mnist
from ..results.errors import GraderError

MIN_FREE_DISK = 2 * 2**30
"""Bytes that should be free for results and scratch files."""

WORKER_MEMORY = 1.5 * 2**30
"""Bytes of memory that grading one submission takes."""


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    what: str
    says: str
    fix: str = ""
    """How to fix it; empty if nothing is wrong."""


def check_python() -> Iterator[Finding]:
    """Name the version of Python."""
    yield Finding("Python", sys.version.split()[0])


def check_packages() -> Iterator[Finding]:
    """Compare the installed packages with those that course_lib requires."""
    for line in requires("course-lib") or []:
        required = Requirement(line)
        if required.marker is not None and not required.marker.evaluate({"extra": ""}):
            continue
        fix = f"pip install '{required.name}{required.specifier}'"
        try:
            found = version(required.name)
        except PackageNotFoundError:
            yield Finding(required.name, "is missing", fix)
            continue
        if not required.specifier.contains(found, prereleases=True):
            yield Finding(required.name, f"{found}, but {required.specifier} is required", fix)
        elif str(required.specifier).startswith("=="):
            yield Finding(required.name, found)


def check_computing() -> Iterator[Finding]:
    """Check processors, memory and the GPU."""
    import torch  # takes seconds

    from .. import torchvision_compat  # noqa: F401 - raises if torchvision does not fit torch

    yield Finding("processors", f"{cores()}; training uses {torch.get_num_threads()} threads")
    memory = psutil.virtual_memory()
    workers = int(memory.available // WORKER_MEMORY)
    enough = workers >= min(2, cores())
    fix = "" if enough else "Close other programs, or grade one submission at a time: c.JudgedAutograde.workers = 1"
    yield Finding("memory", f"{memory.available / 2**30:.1f} GB free, enough for {workers} workers", fix)
    if not torch.cuda.is_available():
        yield Finding("GPU", "none; models are trained on the processor")
        return
    try:
        yield Finding("GPU", f"{gpu_name('bubblewrap')}; c.JudgedAutograde.device = 'cuda' trains on it")
    except (GraderError, OSError) as error:
        yield Finding("GPU", f"{torch.cuda.get_device_name()}, which does not work in the sandbox: {error}")


def check_data() -> Iterator[Finding]:
    """Unpack MNIST if it is missing, and check the free space of the disks."""
    try:
        yield Finding("MNIST", f"complete, in {unpack_mnist(cache_folder())}")
    except (OSError, RuntimeError) as error:
        yield Finding("MNIST", str(error), "Choose a cache folder that you can write to: COURSE_LIB_CACHE=...")
    for name, place in (("cache", cache_folder()), ("scratch", Path(tempfile.gettempdir())), ("course", Path.cwd())):
        free = shutil.disk_usage(place if place.exists() else Path.home()).free
        fix = "" if free >= MIN_FREE_DISK else f"Make room in {place}: {MIN_FREE_DISK / 2**30:.0f} GB should be free."
        yield Finding(f"{name} disk", f"{free / 2**30:.0f} GB free", fix)


MACHINE_CHECKS = (check_python, check_packages, check_computing, check_data)
