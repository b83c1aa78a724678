"""Wires the judge into nbgrader: the stock commands, run in this folder, and formgrader use it.

``nbgrader_config.json`` beside it stops them when this file cannot be loaded.
"""

import os
import sys
from pathlib import Path

from course_lib.assignment.release import PREPROCESSORS, release_config
from course_lib.judge.sanitize import PAGE_FILTERS
from course_lib.nbgrader_plugins.autograde import use_judge
from course_lib.nbgrader_plugins.config_guard import configured

# nbgrader calls alembic by its name: let it be found when this environment is not activated
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

c = get_config()  # noqa: F821 - given by traitlets

c.CourseDirectory.course_id = "deep_learning"

# What students get. Lists are assigned whole: nbgrader loads this file twice, and again for each call of formgrader.
c.GenerateAssignment.preprocessors = PREPROCESSORS
c.merge(release_config())

# `nbgrader zip_collect` takes a download of Moodle as it is
c.ZipCollectApp.extractor_plugin = "course_lib.nbgrader_plugins.moodle.MoodleExtractor"
c.ZipCollectApp.collector_plugin = "course_lib.nbgrader_plugins.moodle.MoodleCollector"

# The exchange: what students put there is not trusted, and a notebook with many pictures is no reason to leave it out
c.ExchangeFactory.collect = "course_lib.nbgrader_plugins.exchange.Collect"
c.ExchangeFactory.release_feedback = "course_lib.nbgrader_plugins.exchange.ReleaseFeedback"
c.CourseDirectory.max_file_size, c.CourseDirectory.max_dir_size = 300_000, 600_000  # kB

# How submissions are graded; see `course_lib/nbgrader_plugins/settings.py` for all settings.
use_judge()
c.HTMLExporter.filters = PAGE_FILTERS  # what students wrote is shown without scripts, in bounded time
c.HTMLExporter.preprocessors = ["course_lib.nbgrader_plugins.rubric.ShowRubric"]  # on formgrader's page only
c.JudgedAutograde.language = "fr"

configured()  # settings of your own stand above: this tells nbgrader that the file was read to its end
