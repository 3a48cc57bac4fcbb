"""A world whose tastes are known, to demonstrate and to test against."""

from feedmill.simulation.config import WorldConfig
from feedmill.simulation.contest import ContestResult, Outcome, Standing, run
from feedmill.simulation.policies import Policy, Popularity, Random, Slate
from feedmill.simulation.world import Responses, Step, World

__all__ = [
    "ContestResult",
    "Outcome",
    "Policy",
    "Popularity",
    "Random",
    "Responses",
    "Slate",
    "Standing",
    "Step",
    "World",
    "WorldConfig",
    "run",
]
