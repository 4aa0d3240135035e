"""An experiment in the form of the definitions file, which `definitions_file` reads back."""

from __future__ import annotations

from typing import Any

from feedback_platform.durations import written
from feedback_platform.experiments.definition import Experiment, HoldOut


def as_table(experiment: Experiment) -> dict[str, Any]:
    """Return the table `[experiments.<key>]` of an experiment, nothing left out of it."""
    design = experiment.design
    table: dict[str, Any] = {
        "hypothesis": experiment.hypothesis,
        "varies": {experiment.lever.value: experiment.subject},
        "variants": dict(experiment.variants),
        "control": experiment.control,
        "split": dict(experiment.split),
        "percentage": experiment.percentage,
        "seed": experiment.seed or experiment.key,
        "unit": experiment.unit.value,
        "audience": [
            {"attribute": each.attribute, each.operator: each.operand}
            for each in experiment.audience
        ],
        "primary": [
            {"metric": goal.metric, "minimum_effect": goal.minimum_effect}
            for goal in experiment.primary
        ],
        "secondary": list(experiment.secondary),
        "guards": [{"metric": guard.metric, "margin": guard.margin} for guard in experiment.guards],
        "horizon": written(design.horizon),
        "alpha": design.alpha,
        "power": design.power,
        "sequential": design.is_sequential,
        "tuned_for": design.tuned_for,
        "minimum_users": design.minimum_users,
        "on_ship": experiment.on_ship.value,
    }
    if design.cuped_window is not None:
        table["cuped_window"] = written(design.cuped_window)
    if experiment.slot is not None:
        slot = experiment.slot
        table["exclusion"] = {"group": slot.group, "from": slot.begins, "to": slot.ends}
    return table


def holdout_as_table(holdout: HoldOut) -> dict[str, Any]:
    """Return the table `[holdout]`."""
    return {"percentage": holdout.percentage, "seed": holdout.seed}
