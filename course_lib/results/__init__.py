"""The verdicts on a submission, and the errors that are not a student's."""
