import numpy as np

from feedmill.domain.clock import DAY
from feedmill.domain.records import Item, Record
from feedmill.simulation import Popularity, Random


def _item(item_id):
    return Record("item", 0, object=item_id, body=Item())


def _seen(user_id, item_id, watched, timestamp=0):
    return Record("seen", timestamp, subject=user_id, object=item_id, outcomes={"watched": watched})


def test_popularity_ranks_by_the_smoothed_share_watched():
    policy = Popularity(prior=1)
    policy.observe([_item(item_id) for item_id in "abc"])
    policy.observe([_seen("u1", "a", 0.2), _seen("u2", "a", 0.2), _seen("u1", "b", 1.0), _seen("u2", "b", 0.6)])
    # The mean is 0.5; with one impression of it each: a (0.4 + 0.5) / 3, b (1.6 + 0.5) / 3, c 0.5.
    assert policy.slate(["new"], 0, 3)[0].items == ["b", "c", "a"]


def test_popularity_forgets():
    policy = Popularity(half_life=DAY, prior=1)
    policy.observe([_item("old"), _item("recent")])
    policy.observe([_seen(f"u{i}", "old", 0.9) for i in range(6)])
    policy.observe([_seen("v", "recent", 0.0)])
    assert policy.slate(["new"], 0, 1)[0].items == ["old"]
    assert policy.slate(["new"], 10 * DAY, 1)[0].items == ["old"]
    policy.observe([_seen("w", "recent", 1.0), _seen("w", "old", 0.0)])
    assert policy.slate(["new"], 10 * DAY, 1)[0].items == ["recent"]


def test_nobody_is_shown_what_they_have_seen():
    for policy in (Popularity(), Random(np.random.default_rng(0))):
        policy.observe([_item(f"i{i}") for i in range(2000)])
        policy.observe([_seen("u", f"i{i}", 1.0) for i in range(1990)])
        first, second = policy.slate(["u", "v"], 0, 20)
        assert sorted(first.items) == [f"i{i}" for i in range(1990, 2000)]
        assert len(set(second.items)) == 20


def test_an_empty_shelf_gives_empty_feeds():
    for policy in (Popularity(), Random(np.random.default_rng(0))):
        assert [list(slate.items) for slate in policy.slate(["u", "v"], 0, 5)] == [[], []]


def test_random_is_fair():
    policy = Random(np.random.default_rng(1))
    policy.observe([_item(str(i)) for i in range(5)])
    first = [slate.items[0] for slate in policy.slate([f"u{i}" for i in range(5000)], 0, 1)]
    # 1,000 each are expected, with a standard deviation of 28.
    assert all(abs(first.count(str(i)) - 1000) < 130 for i in range(5))
