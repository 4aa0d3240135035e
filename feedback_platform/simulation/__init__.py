"""A seeded simulation of a SaaS product in its onboarding months: demo data and scenarios.

`product` and `population` say what there is, `visits`, `exposure` and `behaviour` what happens,
`delivery`, `dirt` and `bad_rows` what a collector receives of it, `writing` puts it into the lake.
Everything but `writing` is pure: the same parameters give the same bytes.
"""

from __future__ import annotations

from feedback_platform.simulation.parameters import Dirt, SimulationParameters
from feedback_platform.simulation.population import Group, planted_groups
from feedback_platform.simulation.simulation import Simulation, simulate
from feedback_platform.simulation.writing import WrittenSimulation, write_simulation

__all__ = [
    "Dirt",
    "Group",
    "Simulation",
    "SimulationParameters",
    "WrittenSimulation",
    "planted_groups",
    "simulate",
    "write_simulation",
]
