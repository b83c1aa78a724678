"""`plot_losses`: a line on a logarithmic axis, with labels."""

import torch

from course_lib.authoring import StudentNotebook, expect, hidden_test, wrong

LOSSES = [8.0, 3.0, 0.9, 0.05, 0.004]

SUSPECTS = {
    "the line shows the logarithm of the losses: plot the losses, and change the scale of the axis.": torch.log,
    "the line shows the logarithm in base 10: plot the losses, and change the scale of the axis.": torch.log10,
}


@hidden_test(1, "plot_losses draws the losses on a logarithmic axis.")
def test_line(student: StudentNotebook) -> None:
    axes = student.axes("plot_losses", LOSSES)[0]
    if not axes.lines:
        raise wrong("there is no line: use plot or semilogy.")
    expect(axes.lines[0]["y"], lambda losses: losses, torch.tensor(LOSSES), suspects=SUSPECTS)
    if axes.yscale != "log":
        raise wrong("the vertical axis is not logarithmic.")


@hidden_test(1, "Both axes have a label.")
def test_labels(student: StudentNotebook) -> None:
    axes = student.axes("plot_losses", LOSSES)[0]
    for label, word in ((axes.xlabel, "epoch"), (axes.ylabel, "loss")):
        if word not in label.lower():
            raise wrong(f"the word {word} is missing in a label, or stands at the other axis.")
