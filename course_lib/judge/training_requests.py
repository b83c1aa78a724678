"""Answers a kernel that is about to train a model: with a finished run, or with the accuracy at which it may stop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nbformat import NotebookNode

from ..assignment.cells import cell_name, is_read_only, is_training
from ..assignment.spec import GradeCell
from ..kernel.wire import Packet
from .outcomes import NeedsTraining
from .task import GradingTask
from .training_cache import code_name, find_training, is_stored, load_training


@dataclass
class TrainingRequests:
    """The training requests of one run of a notebook."""

    task: GradingTask
    cells: Sequence[NotebookNode]
    """All cells of the notebook."""
    accuracies: Mapping[str, float]
    """By grade cell: the accuracy that the model trained before it must reach."""
    early: bool
    """Whether training may end as soon as a model is accurate enough."""
    reused: list[str] = field(default_factory=list)
    """Files of the instructor's training runs that were reused."""
    ended_early: set[str] = field(default_factory=set)
    """Grade cells whose model was not trained to the last epoch."""

    def answer(self, request: Packet, running: int) -> Packet | NeedsTraining:
        """Answer a training request from the cell at index ``running``.

        Returns:
            One of

            - a packet with trained weights, if a finished training run fits;
            - a packet with ``enough``, the accuracy at which training may end;
            - a packet with ``try_promise``, for the source notebook: train one epoch twice and compare, then train as
              usual;
            - an empty packet: train as the code says;
            - a :class:`NeedsTraining`: what to train first, in another kernel.
        """
        if not self.task.train_once:
            return Packet()
        found, name = find_training(request, self.task.trainings)
        if found.tensors:
            self.reused.append(name)
            return found
        if self.task.is_source:
            return Packet({"try_promise": True})
        graded = self._grade_cell_after(running)
        if graded is None or not is_training(self.cells[running]):
            return Packet()
        if request.fields.get("stopped"):
            self.ended_early.add(graded.grade_id)
            return Packet()
        alone = [
            cell for cell in self.cells[: running + 1]
            if cell.cell_type == "code" and (is_read_only(cell) or cell_name(cell) == graded.solution)
        ]  # fmt: skip
        enough = self.accuracies.get(graded.grade_id) if self.early else None
        path = self.task.trainings / code_name(alone, enough)
        if not is_stored(path):
            return NeedsTraining(alone, enough, path)
        found, ended_early = load_training(request, path)
        if ended_early:
            self.ended_early.add(graded.grade_id)
        return found if found.tensors or enough is None else Packet({"enough": enough})

    def _grade_cell_after(self, running: int) -> GradeCell | None:
        """The next automatically graded cell, which tests the model that is being trained."""
        later = {cell_name(cell) for cell in self.cells[running + 1 :]}
        return next((cell for cell in self.task.spec.automatic if cell.grade_id in later), None)
