"""nbgrader's exchange folder, made safe for ``nbgrader collect`` and ``nbgrader release_feedback``.

Students own their folders in the exchange and can put anything there. nbgrader's own ``collect`` runs with the
instructor's rights and copies everything, including link targets and 11 MB of MNIST per student. One bad folder stops
it for the whole class.
"""

import os
import tempfile
from datetime import UTC, datetime, timedelta
from logging import Logger
from pathlib import Path
from typing import Any

from nbgrader.exchange.default import ExchangeCollect, ExchangeReleaseFeedback

from ..execution.submission_files import MAX_UPLOAD, SECRET, STAMP, read_plain, read_receipt, read_stamp, stamped_time

MAX_SUBMIT_DELAY = timedelta(hours=1)
"""A folder that was changed later than this after its time stamp is suspicious: ``nbgrader submit`` takes seconds."""


class Collect(ExchangeCollect):
    """Copies each student's notebooks and nbgrader's two files. Follows no links, and does not stop at a bad folder."""

    src_records: list[dict[str, Any]]

    def init_src(self) -> None:
        """Find the submissions. Ignore folders that ``nbgrader submit`` cannot have made."""
        super().init_src()
        self.src_records = [record for record in self.src_records if record["username"]]

    def _path_to_record(self, path: str) -> dict[str, Any]:
        try:
            record: dict[str, Any] = super()._path_to_record(path)
            if not record["username"] or not record["username"].isprintable():
                raise ValueError("no student can have this name")
        except Exception as error:  # nbgrader and its date parser raise many types
            self.log.error("%r is ignored, because 'nbgrader submit' did not make it: %s", path, error)
            return {"username": "", "filename": "", "timestamp": datetime.min}
        return record

    def do_copy(self, src: str, dest: str, log: Logger | None = None) -> None:
        """Copy one submission. If that fails, log why and what to do."""
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary, "submission")
            copy.mkdir()
            try:
                copy_submission(src, copy)
                super().do_copy(str(copy), dest, log)
                if doubt := timestamp_doubt(src):
                    self.log.warning("%r %s", src, doubt)
            except (OSError, RuntimeError, ValueError) as error:  # nbgrader raises RuntimeError for a large folder
                self.log.error(
                    "%r was not collected: %s. Check the folder, then copy the notebooks to grade into %s",
                    src,
                    error,
                    dest,
                )


def timestamp_doubt(folder: str) -> str:
    """Why the time stamp in a folder is doubtful; empty if it is not. A student may change or delete it."""
    stamp = read_stamp(Path(folder))
    if stamp is None:
        return f"has no {STAMP} with a time in a known time zone, so it never counts as late"
    changed = datetime.fromtimestamp(os.lstat(folder).st_ctime, UTC).replace(tzinfo=None, microsecond=0)
    if changed - stamped_time(stamp) > MAX_SUBMIT_DELAY:
        return f"was changed at {changed} UTC, long after the time in its {STAMP}: the student may have backdated it"
    return ""


def copy_submission(source: str, target: Path) -> None:
    """Copy the notebooks and nbgrader's two files from a student's folder, even if the student changes it meanwhile.

    Raises:
        OSError: if the folder or a file is a link, or cannot be read.
        ValueError: if the files have more than ``MAX_UPLOAD`` bytes.
    """
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
    """Skips students who did not submit through the exchange.

    nbgrader would stop at them, and they could not fetch feedback anyway.
    """

    src_path: str

    def copy_files(self) -> None:
        """Release the feedback of each student."""
        for folder in sorted(Path(self.coursedir.root).glob(os.path.relpath(self.src_path, self.coursedir.root))):
            if len(read_receipt(folder)) == 2:
                self.src_path = str(folder)
                super().copy_files()
            else:
                self.log.warning("%s: not submitted through the exchange. Send the feedback to the student", folder)
