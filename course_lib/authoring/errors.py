"""What can go wrong on the instructor's side. Each message is what a person will read: what, where, and the way out."""

__all__ = ["AssignmentError", "GradingFault"]


class AssignmentError(Exception):
    """What was asked cannot be done: the assignment, a setting, the sandbox or the cluster is at fault."""


class GradingFault(Exception):
    """The grader failed, through no fault of the student: nothing was recorded."""
