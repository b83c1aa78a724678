"""What can go wrong on the instructor's side. Each message is what a person will read: what, where, and the way out."""

__all__ = ["AssignmentError", "GradingFault", "ProtectionError"]


class AssignmentError(Exception):
    """The assignment itself is at fault: its source notebook, its hidden tests. No submission was graded."""


class GradingFault(Exception):
    """The grader failed on one submission. It is not the student's fault: nothing was recorded for it."""


class ProtectionError(Exception):
    """There is no working sandbox here. No submission was graded."""
