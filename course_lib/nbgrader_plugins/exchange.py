"""nbgrader's exchange folder, where it would fail: ``nbgrader collect`` and ``nbgrader release_feedback``.

Students own what they hand in there, and can put anything beside it. nbgrader's ``collect`` copies all of it, 11 MB of
MNIST for each student and what links point to, with the instructor's rights, and a bad folder ends it for everyone.
"""

import os
import tempfile
from datetime import UTC, datetime, timedelta
from logging import Logger
from pathlib import Path
from typing import Any

from nbgrader.exchange.default import ExchangeCollect, ExchangeReleaseFeedback

from ..execution.submission_files import MAX_UPLOAD, SECRET, STAMP, read_plain, read_receipt, read_stamp, stamped_time

__all__ = ["Collect", "ReleaseFeedback"]

SLOW = timedelta(hours=1)
"""For ``nbgrader submit``, from its time stamp to its last change of the folder."""


class Collect(ExchangeCollect):
    """Copies the notebooks and nbgrader's two files of each student, follows no link, and goes on past every folder."""

    src_records: list[dict[str, Any]]

    def init_src(self) -> None:
        """Find the submissions, without those that nobody can have made with ``nbgrader submit``."""
        super().init_src()
        self.src_records = [record for record in self.src_records if record["username"]]

    def _path_to_record(self, path: str) -> dict[str, Any]:
        try:
            record: dict[str, Any] = super()._path_to_record(path)
            if not record["username"] or not record["username"].isprintable():
                raise ValueError("nobody can be called that")
        except Exception as error:  # whatever nbgrader and its parser of dates raise
            self.log.error("%r is left out, 'nbgrader submit' did not make it: %s", path, error)
            return {"username": "", "filename": "", "timestamp": datetime.min}
        return record

    def do_copy(self, src: str, dest: str, log: Logger | None = None) -> None:
        """Copy one submission; when that is not possible, say why."""
        with tempfile.TemporaryDirectory() as room:
            plain = Path(room, "plain")
            plain.mkdir()
            try:
                _copy_plain(src, plain)
                super().do_copy(str(plain), dest, log)
                if doubt := _doubt(src):
                    self.log.warning("%r %s", src, doubt)
            except (OSError, RuntimeError, ValueError) as error:  # nbgrader raises a RuntimeError for a large folder
                self.log.error("%r is not collected: %s. Look into it, then copy what counts to %s", src, error, dest)


def _doubt(folder: str) -> str:
    """What is to be doubted about the time stamp in a folder, if anything: a student may write any, or take it away."""
    stamp = read_stamp(Path(folder))
    if stamp is None:
        return f"has no {STAMP} that says a time in a known zone: it counts as never late"
    changed = datetime.fromtimestamp(os.lstat(folder).st_ctime, UTC).replace(tzinfo=None, microsecond=0)
    slow = changed - stamped_time(stamp) > SLOW
    return f"was changed at {changed} UTC, long after the time in its {STAMP}" if slow else ""


def _copy_plain(source: str, target: Path) -> None:
    """Copy what counts of a student's folder, whatever the student puts in its place meanwhile."""
    left = MAX_UPLOAD
    folder = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for name in sorted(os.listdir(folder)):
            if name in (STAMP, SECRET) or name.endswith(".ipynb"):
                content = read_plain(Path(name), left, folder)
                left -= len(content)
                (target / name).write_bytes(content)
    finally:
        os.close(folder)


class ReleaseFeedback(ExchangeReleaseFeedback):
    """Goes on past students who did not hand in through the exchange, and so have no place there for their feedback."""

    src_path: str

    def copy_files(self) -> None:
        """Release the feedback of each student."""
        for folder in sorted(Path(self.coursedir.root).glob(os.path.relpath(self.src_path, self.coursedir.root))):
            if len(read_receipt(folder)) == 2:
                self.src_path = str(folder)
                super().copy_files()
            else:
                self.log.warning("%s: not handed in through the exchange, give it to the student otherwise", folder)
