"""Show or empty the result cache."""

import argparse
from pathlib import Path

from ..execution.result_cache import RESULTS, shrink

__all__ = []


def main() -> None:
    """Say how much is stored, or forget it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--empty", action="store_true", help="forget all results; marks and feedback stay")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("autograded"), help="nbgrader's autograded folder")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        parser.error(f"{arguments.folder} is not there: run this in a course folder, or name its autograded folder")
    store = arguments.folder / RESULTS
    if not store.is_dir():
        parser.error(f"{arguments.folder} has no stored results: nothing was graded into it")
    if arguments.empty:
        shrink(store, 0)
    sizes = [path.stat().st_size for path in store.glob("*.json")]
    print(f"{store}: {len(sizes)} results, {sum(sizes) / 1e6:.1f} MB")
