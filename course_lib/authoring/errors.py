"""Errors on the instructor's side. Their messages say what is wrong, where, and how to fix it."""


class AssignmentError(Exception):
    """The assignment, a setting, the sandbox or the cluster does not allow what was requested."""


class GradingFault(Exception):
    """The grader failed, through no fault of the student. Nothing was recorded."""
