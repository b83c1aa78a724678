"""Show the size of a course's result cache, or empty it.

    course cache
    course cache --empty

Run this in the course folder.
"""

import argparse
import sys
from pathlib import Path

from ..execution.result_cache import RESULTS, shrink


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``course cache``."""
    parser.add_argument("--empty", action="store_true", help="delete all results; marks and feedback stay")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("autograded"), help="nbgrader's autograded folder")


def run(arguments: argparse.Namespace) -> None:
    """Print the number and size of the cached results, after deleting them on request."""
    folder: Path = arguments.folder
    if not folder.is_dir():
        sys.exit(f"course cache: {folder} does not exist. Run this in a course folder, or name its autograded folder")
    results = folder / RESULTS
    if not results.is_dir():
        sys.exit(f"course cache: {folder} has no cached results, because nothing was graded into it")
    if arguments.empty:
        shrink(results, 0)
    sizes = [path.stat().st_size for path in results.glob("*.json")]
    print(f"{results}: {len(sizes)} results, {sum(sizes) / 1e6:.1f} MB")
