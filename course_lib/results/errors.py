"""Errors on the instructor's side. Their messages say what is wrong, where, and how to fix it."""


class AssignmentError(Exception):
    """The assignment, a setting, the sandbox or the cluster does not allow what was requested."""


class GraderError(Exception):
    """The grader failed, through no fault of the student. Nothing was recorded."""


def only_hidden(names: str) -> str:
    """The message about names that the hidden tests need and that students do not have."""
    return (
        f"{names}: defined only in a hidden-tests region, which students do not get. Move the definition to a given "
        "cell, or into a probe."
    )
