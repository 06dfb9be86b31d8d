"""What networks learn and from what: settings of ``[model]`` that must fit together."""

from aimwell.config.run import RunConfig
from aimwell.errors import ConfigError


def check_objective(config: RunConfig, where: str) -> None:
    """Refuse an objective without its labels, and model settings that contradict each other."""
    model, labels = config.model, config.known_targets
    if not labels.sources and model.objective != "none":
        raise ConfigError(
            f"{where}: known_targets.sources is empty; name at least one source, or rank without "
            "known targets: model.objective = 'none'"
        )
    if (model.objective == "supervised") != bool(labels.negatives):
        raise ConfigError(
            f"{where}: model.objective = 'supervised' and [[known_targets.negatives]] need each "
            "other: give both, or neither"
        )
    if (model.folds_by == "given") != bool(model.folds_file):
        raise ConfigError(
            f"{where}: model.folds_by = 'given' and model.folds_file need each other: give both, "
            "or neither"
        )
    if model.objective == "none" and model.folds_by in ("degree", "study", "date"):
        raise ConfigError(
            f"{where}: model.folds_by = '{model.folds_by}' orders known targets, which "
            "model.objective = 'none' does not learn from; use 'family', 'complex' or 'given'"
        )
    if model.objective == "none" and model.compare_tracks:
        raise ConfigError(
            f"{where}: model.compare_tracks asks how well known targets are found, which "
            "model.objective = 'none' does not learn from; leave it out"
        )
    if model.degree_correction and model.convolution == "attention":
        raise ConfigError(
            f"{where}: model.degree_correction takes out what edges of fixed weights are expected "
            "to send, and model.convolution = 'attention' learns the weights; leave one of them out"
        )
    special = [
        name
        for name, on in (
            ("layers = 3", model.layers == 3),
            ("convolution = 'attention'", model.convolution == "attention"),
            ("fusion = 'late'", model.fusion == "late"),
            ("compare_fusion", model.compare_fusion),
            ("ladder = 'full'", model.ladder == "full"),
        )
        if on
    ]
    if model.objective in ("none", "supervised") and special:
        raise ConfigError(
            f"{where}: model.{special[0]} is for model.objective = 'positive_unlabelled'; leave it "
            f"out, or change the objective (now '{model.objective}')"
        )
