"""`sample_token`: the softmax of logits / temperature, also for large logits."""

import torch

from course_lib.authoring import StudentNotebook, hidden_test

LOGITS = torch.tensor([2.0, 0.0, 1.0, -1.0])


def chances(logits):
    """The probability of each index."""
    return dict(enumerate(logits.softmax(0).tolist()))


@hidden_test(1.5, "sample_token draws from the softmax of logits / temperature.")
def test_temperature(student: StudentNotebook, must_fit) -> None:
    for temperature in (0.4, 2.5):
        draws = student.draws("sample_token", 3000, LOGITS, temperature)
        suspects = {
            "the temperature is not used, or cancels out.": chances(LOGITS),
            "the logits are multiplied by the temperature: divide them.": chances(LOGITS * temperature),
            "the likeliest index comes every time: draw it.": chances(LOGITS * 1000),
            "all indices come equally often.": chances(LOGITS * 0),
        }
        must_fit(draws, chances(LOGITS / temperature), suspects)


@hidden_test(0.5, "sample_token works with large logits.")
def test_large_logits(student: StudentNotebook, must_fit) -> None:
    must_fit(student.draws("sample_token", 500, 400 * LOGITS), chances(400 * LOGITS), {})
