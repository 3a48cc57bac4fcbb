import msgspec
import numpy as np
import pytest

from feedmill.domain.clock import DAY, HOUR
from feedmill.simulation import Entrant, Popularity, Random, Slate, World, WorldConfig
from feedmill.simulation.tally import Measures, Tally, gini
from feedmill.simulation.world import NOTHING, Step

CONFIG = WorldConfig(users=60, days=4, step_minutes=120, backlog=200, births_per_day=30, feeds_per_day=2)
PER_DAY = 12


class Diary(Random):
    """Chance, and everything that came of it."""

    def __init__(self, seed):
        super().__init__(np.random.default_rng(seed))
        self.pages, self.seen, self.bodies, self.users = [], [], {}, 0

    def slate(self, user_ids, now, k):
        slates = super().slate(user_ids, now, k)
        self.pages += [slate.items for slate in slates]
        return slates

    def observe(self, records):
        self.bodies |= {record.object: record.body for record in records if record.kind == "item"}
        self.users += sum(record.kind == "user" for record in records)
        self.seen += [record for record in records if record.kind == "seen"]
        super().observe(records)


@pytest.fixture(scope="module")
def day():
    """A day of chance, its diary, and who opened the feed."""
    diary = Diary(1)
    entrant = Entrant(diary, World(CONFIG, np.random.default_rng(1)))
    for _ in range(PER_DAY):
        entrant.live()
    return entrant, diary


def test_a_day_is_what_the_records_of_the_day_say(day):
    entrant, diary = day
    (measures,) = entrant.tally.by_day()
    watched = [record.outcomes["watched"] for record in diary.seen]
    assert measures.engagement == pytest.approx(np.mean(watched))
    assert entrant.tally.engagement_by_day() == [measures.engagement]
    seconds = sum(record.outcomes["view"] for record in diary.seen)
    assert measures.minutes == pytest.approx(seconds / 60 / diary.users)
    assert measures.active == len({record.subject for record in diary.seen}) / diary.users
    topics = [len({diary.bodies[item].categories[0] for item in page}) for page in diary.pages]
    assert measures.topics == pytest.approx(np.mean(topics))
    recent = {body.author_id for body in diary.bodies.values() if body.created_at > entrant.world.now - 3 * DAY}
    assert measures.creators == len(recent)
    authors = [diary.bodies[record.object].author_id for record in diary.seen]
    published = sorted({body.author_id for body in diary.bodies.values()})
    assert measures.gini == pytest.approx(gini(np.array([authors.count(author) for author in published])))
    assert measures.filled == np.mean([len(page) / 10 for page in diary.pages])
    outcome = entrant.outcome()
    assert (outcome.feeds, outcome.impressions) == (len(diary.pages), len(diary.seen))
    assert outcome.actions["like"] == sum("like" in record.outcomes for record in diary.seen)


def test_sums_by_step_are_there_to_be_rolled(day):
    entrant, diary = day
    tally = entrant.tally
    assert len(tally.watched) == len(tally.seen) == PER_DAY
    assert sum(tally.seen) == len(diary.seen)
    assert sum(tally.watched) == pytest.approx(sum(record.outcomes["watched"] for record in diary.seen))


def test_over_several_days_means_are_of_all_that_was_seen():
    entrant = Entrant(Popularity(), World(CONFIG, np.random.default_rng(2)))
    for _ in range(2 * PER_DAY):
        entrant.live()
    tally = entrant.tally
    first, second = tally.by_day()
    both = tally.between(0, 2 * PER_DAY)
    seen = [sum(tally.seen[:PER_DAY]), sum(tally.seen[PER_DAY:])]
    assert both.engagement == pytest.approx(np.average([first.engagement, second.engagement], weights=seen))
    assert first.active <= 1
    assert min(first.creators, second.creators) <= both.creators <= max(first.creators, second.creators)


def test_days_are_compared_with_later_days():
    entrant = Entrant(Popularity(), World(CONFIG, np.random.default_rng(3)))
    came = []
    for number in range(3 * PER_DAY):
        entrant.live()
        if number % PER_DAY == PER_DAY - 1:
            came.append(set(np.flatnonzero(entrant.world.active()).tolist()))
    first, second, third = came
    assert entrant.tally.returned(1) == (len(first & second) + len(second & third)) / (len(first) + len(second))
    assert entrant.tally.returned(2) == len(first & third) / len(first)
    assert entrant.tally.returned(3) is None


def test_empty_pages_are_no_feeds():
    class Nothing(Popularity):
        def slate(self, user_ids, now, k):
            return [Slate([]) for _ in user_ids]

    entrant = Entrant(Nothing(), World(CONFIG, np.random.default_rng(4)))
    for _ in range(PER_DAY):
        entrant.live()
    outcome = entrant.outcome()
    assert (outcome.feeds, outcome.impressions) == (0, 0)
    (day,) = outcome.days
    assert (day.engagement, day.topics, day.gini) == (None, None, None)
    assert day.active > 0
    assert (day.minutes, day.filled) == (0, 0)
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=type(outcome)) == outcome


def test_before_the_first_step_there_is_nothing_to_measure():
    tally = Tally(World(CONFIG, np.random.default_rng(4)))
    assert tally.by_day() == []
    assert tally.between(0, 5) == Measures(*[None] * 7)


def test_who_shows_less_than_a_page_is_found_out():
    class Brief(Popularity):
        def slate(self, user_ids, now, k):
            return [Slate(slate.items[:4]) for slate in super().slate(user_ids, now, k)]

    full, brief = (Entrant(policy, World(CONFIG, np.random.default_rng(4))) for policy in (Popularity(), Brief()))
    for entrant in (full, brief):
        for _ in range(PER_DAY):
            entrant.live()
    assert [entrant.tally.by_day()[0].filled for entrant in (full, brief)] == [1, 0.4]


def test_pages_are_as_full_as_the_places_served_over_those_asked_for():
    config = WorldConfig(users=3, late_users=0, backlog=20, page=4, days=1)
    world = World(config, np.random.default_rng(5))
    tally = Tally(world)
    tally.open(world.step())
    first, second, third = world.live_items[:3]
    pages = [[first, second, third, NOTHING], [first, NOTHING, NOTHING, NOTHING], [NOTHING] * 4]
    tally.add(world.respond(np.arange(3), np.array(pages)))
    # Three and one and none, of three pages of four places.
    assert tally.between(0, 1).filled == 4 / 12
    assert tally.feeds == 2


def test_the_step_that_ends_at_midnight_is_the_last_of_the_day_before():
    # Two hours before midnight, two steps of an hour are left to the first day, and 24 make the second.
    config = WorldConfig(users=3, late_users=0, days=2, step_minutes=60, start=WorldConfig().start - 2 * HOUR)
    world = World(config, np.random.default_rng(5))
    tally = Tally(world)
    nobody = np.zeros(0, dtype=np.int64)
    arrivals = {0: [0], 1: [1], 2: [2], 25: [0], 26: [1]}
    for number in range(27):
        now = config.start + (number + 1) * HOUR
        joined = np.arange(3) if number == 0 else nobody
        tally.open(Step(now, nobody, joined, np.array(arrivals.get(number, []), dtype=np.int64)))
    assert [day.active for day in tally.by_day()] == [2 / 3, 2 / 3, 1 / 3]
    # Of those of the first day, 0 came on the second; of those of the second, nobody on the third.
    assert tally.returned(1) == 1 / 4


def test_a_day_that_is_over_does_not_change_any_more():
    entrant = Entrant(Popularity(), World(CONFIG, np.random.default_rng(6)))
    for _ in range(PER_DAY):
        entrant.live()
    (first,) = entrant.tally.by_day()
    entrant.world.open_studio("cats")
    for _ in range(PER_DAY):
        entrant.live()
    assert entrant.tally.by_day()[0] == first


def test_gini_of_shares():
    assert gini(np.array([3, 3, 3])) == 0
    # Differences between pairs, both ways: 4 x 1 + 2 x 2 = 8 over 9 pairs; half of that over the mean of 2.
    assert gini(np.array([3, 1, 2])) == pytest.approx(8 / 9 / 2 / 2)
    assert gini(np.array([0, 0])) is None
