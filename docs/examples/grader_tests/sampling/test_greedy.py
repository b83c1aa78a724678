"""`epsilon_greedy`: how often each action comes."""

import torch

from course_lib.authoring import StudentNotebook, hidden_test

VALUES = torch.tensor([-3.0, -1.0, -2.0])  # the best one is not the first, not the last and not positive


def chances(other):
    """The probability of each action, if each of the two others comes with this one."""
    return {0: other, 1: 1 - 2 * other, 2: other}


@hidden_test(1.5, "epsilon_greedy takes a random action with the probability epsilon, else the best one.")
def test_chances(student: StudentNotebook, must_fit) -> None:
    for epsilon in (0.3, 0.9):
        suspects = {
            "epsilon is the probability of a random action, not of the best one.": chances((1 - epsilon) / 3),
            "a random action may be the best one, too.": chances(epsilon / 2),
            "no action is ever random.": chances(0),
            "all actions are random.": chances(1 / 3),
            "the smallest value wins.": {0: 1 - 2 * epsilon / 3, 1: epsilon / 3, 2: epsilon / 3},
        }
        must_fit(student.draws("epsilon_greedy", 3000, VALUES, epsilon), chances(epsilon / 3), suspects)


@hidden_test(0.5, "Without epsilon, it is always the best action.")
def test_greedy(student: StudentNotebook, must_fit) -> None:
    suspects = {
        "the smallest value wins.": {0: 1, 1: 0, 2: 0},
        "all actions are random.": chances(1 / 3),
    }
    must_fit(student.draws("epsilon_greedy", 1000, VALUES, 0.0), chances(0), suspects)
