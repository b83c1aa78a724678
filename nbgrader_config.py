"""The course's configuration of nbgrader: its commands in this folder, and formgrader, grade with the kit's judge.

Keep ``nbgrader_config.json`` next to this file: it stops nbgrader if this file has an error.
"""

import os
import sys
from pathlib import Path

from course_lib.assignment.release import PREPROCESSORS, release_config
from course_lib.judge.sanitize import PAGE_FILTERS
from course_lib.nbgrader_plugins.autograde import use_judge
from course_lib.nbgrader_plugins.config_guard import configured

# nbgrader starts the program alembic, which must be found even if this Python environment is not activated
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

c = get_config()  # noqa: F821 - given by traitlets

c.CourseDirectory.course_id = "deep_learning"

# The steps from a source notebook to what students get. Assign such lists, never append to them: nbgrader loads this
# file twice, and again for each request of formgrader.
c.GenerateAssignment.preprocessors = PREPROCESSORS
c.merge(release_config())

# `nbgrader zip_collect` accepts the zip file that Moodle offers as a download
c.ZipCollectApp.extractor_plugin = "course_lib.nbgrader_plugins.moodle_download.MoodleExtractor"
c.ZipCollectApp.collector_plugin = "course_lib.nbgrader_plugins.moodle_download.MoodleCollector"

# The exchange: files of students are not trusted; the size limits allow notebooks with many pictures
c.ExchangeFactory.collect = "course_lib.nbgrader_plugins.exchange.Collect"
c.ExchangeFactory.release_feedback = "course_lib.nbgrader_plugins.exchange.ReleaseFeedback"
c.CourseDirectory.max_file_size, c.CourseDirectory.max_dir_size = 300_000, 600_000  # kB

# Grading: the file `course_lib/nbgrader_plugins/settings.py` lists all settings of JudgedAutograde
use_judge()
c.HTMLExporter.filters = PAGE_FILTERS  # removes scripts from students' texts, in bounded time
c.HTMLExporter.preprocessors = [
    "course_lib.nbgrader_plugins.rubric.ShowRubric",  # only on formgrader's page
    "course_lib.nbgrader_plugins.feedback_page.HideTests",  # only on students' pages
]
c.GenerateFeedback.exporter_class = "course_lib.nbgrader_plugins.feedback_page.FeedbackExporter"
c.JudgedAutograde.language = "fr"

# Put your own settings above this line, which tells nbgrader that the whole file was read.
configured()
