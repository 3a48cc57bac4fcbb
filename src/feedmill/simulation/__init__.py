"""A world whose tastes are known, to demonstrate and to test against."""

from feedmill.simulation.config import WorldConfig
from feedmill.simulation.contest import Contest, ContestResult, Entrant, Outcome, Standing, run
from feedmill.simulation.policies import Policy, Popularity, Random, Slate, daily_als, item_neighbours
from feedmill.simulation.tally import Measures, Tally
from feedmill.simulation.world import Responses, Step, World

__all__ = [
    "Contest",
    "ContestResult",
    "Entrant",
    "Measures",
    "Outcome",
    "Policy",
    "Popularity",
    "Random",
    "Responses",
    "Slate",
    "Standing",
    "Step",
    "Tally",
    "World",
    "WorldConfig",
    "daily_als",
    "item_neighbours",
    "run",
]
