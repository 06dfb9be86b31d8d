"""Fit a member by the objective of its task."""

from aimwell.config import ModelSettings
from aimwell.models.fusion import fit_late
from aimwell.models.member import Member, Unit
from aimwell.models.supervised import Recipe, fit_supervised
from aimwell.models.surroundings import fit_surroundings
from aimwell.models.task import TargetTask
from aimwell.models.training import fit_unlabelled, one_torch_thread


@one_torch_thread()
def fit_member(task: TargetTask, unit: Unit, settings: ModelSettings, seed: int) -> Member:
    """Fit one network without the labels of one fold, by the objective of the task.

    From positives and unlabelled genes, every step shows a random part of the training targets as
    input and takes the loss on the hidden rest against the unlabelled genes: these are weak
    negatives, never facts. Genes of the held-out fold take no part in the loss.

    Args:
        task: Graph, features, labels, folds and objective.
        unit: The fold to hold out and the number of the repeat.
        settings: Sizes and rates.
        seed: With the unit it fixes every random draw.

    Raises:
        TaskError: Training diverged before anything was learned.
    """
    if task.objective == "none":
        return fit_surroundings(task, unit, settings, seed)
    if task.objective == "supervised":
        sizes = (settings.epochs, settings.hidden, settings.hide)
        rates = (settings.dropout, settings.input_dropout)
        recipe = Recipe(
            *sizes,
            *rates,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        return fit_supervised(task, unit, recipe, seed)
    if settings.fusion == "late":
        return fit_late(task, unit, settings, seed)
    return fit_unlabelled(task, unit, settings, seed)
