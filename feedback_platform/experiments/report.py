"""What a person is told of an experiment; `report_text` and `report_page` say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from feedback_platform.experiments.decision import Verdict
from feedback_platform.experiments.definition import Experiment
from feedback_platform.experiments.definition_table import as_table
from feedback_platform.experiments.entries import Started, Stopped
from feedback_platform.experiments.looks import Look
from feedback_platform.experiments.metrics import METRICS


@dataclass(frozen=True)
class Arm:
    """What is known of the users of a variant.

    Attributes:
        name: of the variant.
        value: what its users get.
        share: of who takes part, in percent.
        exposed: users who met it, and count.
        assigned: users who came and are assigned to it; None where nobody can tell.
        is_control: whether the others are compared with it.
    """

    name: str
    value: str
    share: float
    exposed: int
    assigned: int | None
    is_control: bool


@dataclass(frozen=True)
class Report:
    """An experiment with what was found.

    Attributes:
        started, stopped: the experiment; None while it runs.
        shipped: the variant that everybody got by it; nothing where none did.
        looks: what was found, the newest last.
        assigned: variant → users who came and are assigned; empty where nobody can tell.
    """

    started: Started
    stopped: Stopped | None = None
    shipped: str = ""
    looks: tuple[Look, ...] = ()
    assigned: Mapping[str, int] = field(default_factory=dict)

    @property
    def experiment(self) -> Experiment:
        """Its definition, as it was when it was started."""
        return self.started.experiment

    @property
    def look(self) -> Look | None:
        """What was found last."""
        return self.looks[-1] if self.looks else None

    @property
    def decision(self) -> str:
        """What follows, or followed."""
        if self.stopped is not None:
            return self.stopped.decision
        return self.look.verdict if self.look else Verdict.WAIT.value

    @property
    def reason(self) -> str:
        """Why."""
        if self.stopped is not None:
            return self.stopped.author.reason
        return self.look.reason if self.look else "nothing was found yet"

    @property
    def arms(self) -> list[Arm]:
        """The variants, in the order of the definition."""
        experiment = self.experiment
        exposed = self.look.exposure.users if self.look else {}
        return [
            Arm(
                name,
                value if isinstance(value, str) else f"{value:g}",
                experiment.split[name],
                exposed.get(name, 0),
                self.assigned.get(name),
                name == experiment.control,
            )
            for name, value in experiment.variants.items()
        ]

    @property
    def left_out(self) -> str:
        """How many users met it and do not count, in words."""
        if self.look is None:
            return ""
        exposure = self.look.exposure
        counted = {
            "met several variants": exposure.mixed,
            "met one that is not defined": exposure.unknown,
            "opted out": exposure.opted_out,
        }
        return ", ".join(f"{number:,} {why}" for why, number in counted.items() if number)

    def margin(self, metric: str) -> float | None:
        """Return by how much a guard may get worse, with the sign of getting worse."""
        for guard in self.experiment.guards:
            if guard.metric == metric:
                return -guard.margin if METRICS[metric].is_better_high else guard.margin
        return None

    def minimum_effect(self, metric: str) -> float | None:
        """Return what a deciding metric is to find, with the sign of getting better."""
        for goal in self.experiment.primary:
            if goal.metric == metric:
                is_up = METRICS[metric].is_better_high
                return goal.minimum_effect if is_up else -goal.minimum_effect
        return None

    def as_json(self) -> dict[str, Any]:
        """Return all of it, to read by program."""
        look, stopped = self.look, self.stopped
        return {
            "experiment_id": self.started.key,
            "status": "running" if stopped is None else "stopped",
            "definition": as_table(self.experiment),
            "started_at": self.started.at,
            "ends_at": self.started.ends_at,
            "stopped_at": stopped.at if stopped else None,
            "decision": self.decision,
            "reason": self.reason,
            "winner": look.winner if look else "",
            "shipped": self.shipped,
            "arms": [asdict(arm) for arm in self.arms],
            "mixed_users": look.exposure.mixed if look else 0,
            "unknown_users": look.exposure.unknown if look else 0,
            "opted_out_users": look.exposure.opted_out if look else 0,
            "read_at": look.read_at if look else None,
            "results": [vars(result) for result in look.results] if look else [],
            "looks": [
                {"read_at": each.read_at, "verdict": each.verdict, "users": each.exposure.users}
                for each in self.looks
            ],
        }
