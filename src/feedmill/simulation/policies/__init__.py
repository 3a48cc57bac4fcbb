"""Who fills the feeds: the protocol, and the policies to measure others against.

New items: popularity and the collaborative filters judge an item that nobody has seen as somewhat better than the mean
(`RecentShares`). So it is tried by those who have seen the best, and falls behind when it deserves it. Their settings
were chosen in worlds of other seeds than results are shown of.
"""

from feedmill.simulation.policies.als import daily_als
from feedmill.simulation.policies.chance import Random
from feedmill.simulation.policies.item_neighbours import item_neighbours
from feedmill.simulation.policies.oracle import Oracle
from feedmill.simulation.policies.popularity import Popularity
from feedmill.simulation.policies.protocol import Policy, Slate

__all__ = ["Oracle", "Policy", "Popularity", "Random", "Slate", "daily_als", "item_neighbours"]
