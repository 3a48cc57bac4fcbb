import numpy as np
import pytest
from scipy import sparse

from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.records import Item, Record
from feedmill.simulation import Popularity, Random, daily_als, item_neighbours
from feedmill.simulation.policies.als import Factors
from feedmill.simulation.policies.collaborative import Blend, Collaborative
from feedmill.simulation.policies.history import History
from feedmill.simulation.policies.item_neighbours import Neighbours
from feedmill.simulation.policies.shelf import Shelf


def _item(item_id):
    return Record("item", 0, object=item_id, body=Item())


def _seen(user_id, item_id, watched, timestamp=0, **outcomes):
    return Record("seen", timestamp, subject=user_id, object=item_id, outcomes={"watched": watched, **outcomes})


def test_popularity_ranks_by_the_smoothed_share_watched():
    policy = Popularity(prior=1, optimism=0)
    policy.observe([_item(item_id) for item_id in "abc"])
    policy.observe([_seen("u1", "a", 0.2), _seen("u2", "a", 0.2), _seen("u1", "b", 1.0), _seen("u2", "b", 0.6)])
    # The mean is 0.5; with one impression of it each: a (0.4 + 0.5) / 3, b (1.6 + 0.5) / 3, c 0.5.
    assert policy.slate(["new"], 0, 3)[0].items == ["b", "c", "a"]


def test_popularity_tries_what_is_new_sooner_the_more_optimistic_it_is():
    # The mean is 0.46. With 0.1: b (1.9 + 0.56) / 4 = 0.615, c 0.56. With 0.3: b (1.9 + 0.76) / 4 = 0.665, c 0.76.
    for optimism, expected in ((0.1, ["b", "c", "a"]), (0.3, ["c", "b", "a"])):
        policy = Popularity(prior=1, optimism=optimism)
        policy.observe([_item(item_id) for item_id in "abc"])
        policy.observe([_seen(f"u{i}", "a", 0.2) for i in range(2)])
        policy.observe([_seen(f"u{i}", "b", watched) for i, watched in enumerate((1.0, 0.6, 0.3))])
        assert policy.slate(["new"], 0, 3)[0].items == expected


def test_popularity_forgets():
    policy = Popularity(half_life=DAY, prior=1, optimism=0)
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
    for policy in (Popularity(), Random(np.random.default_rng(0)), item_neighbours(), daily_als()):
        assert [list(slate.items) for slate in policy.slate(["u", "v"], 0, 5)] == [[], []]


def test_random_is_fair():
    policy = Random(np.random.default_rng(1))
    policy.observe([_item(str(i)) for i in range(5)])
    first = [slate.items[0] for slate in policy.slate([f"u{i}" for i in range(5000)], 0, 1)]
    # 1,000 each are expected, with a standard deviation of 28.
    assert all(abs(first.count(str(i)) - 1000) < 130 for i in range(5))


def test_the_shelf_gives_the_best_first_and_the_older_of_two_alike():
    shelf = Shelf()
    shelf.observe([_item(f"i{i}") for i in range(6)])
    shelf.observe([_seen("u", "i5", 1.0)])
    scores = np.array([0.1, 0.3, 0.2, 0.3, 0.0, 0.9])
    assert [slate.items for slate in shelf.best(shelf.rows(["u", "v"]), scores, 3)] == [
        ["i1", "i3", "i2"],
        ["i5", "i1", "i3"],
    ]


def test_history_is_a_matrix_whose_rows_fade():
    shelf, history = Shelf(), History()
    shelf.observe([_item(item_id) for item_id in "abc"])
    seen = shelf.observe([_seen("u", "a", 0.9, 0), _seen("v", "c", 0.1, 0), _seen("u", "b", 0.2, DAY)])
    history.add(seen, np.array([0.5, -0.4, -0.2]))
    assert history.everybody(3).toarray().tolist() == [[0.5, -0.2, 0], [0, 0, -0.4]]
    rows = shelf.rows(["v", "u", "somebody"])
    assert history.of(rows, DAY, DAY, 3).toarray().tolist() == [[0, 0, -0.2], [0.25, -0.2, 0], [0, 0, 0]]
    assert history.of(rows[1:2], 0, DAY, 1).toarray().tolist() == [[0.5]]


def test_items_are_alike_by_the_cosine_of_their_ratings():
    pytest.importorskip("implicit", reason="the extra `peers` is not installed")
    ratings = sparse.csr_matrix(np.array([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    model = Neighbours(neighbours=3, shrinkage=0)
    model.fit(ratings)
    # The first two have the cosine (1 - 1 + 1) / 3; who rated one item has the sum over 1 + 1.
    assert model.interest(sparse.csr_matrix([[3.0, 0, 0]])) == pytest.approx(np.array([[1.5, 0.5, 0]]))
    model = Neighbours(neighbours=3, shrinkage=1)
    model.fit(ratings)
    # All ratings are of size 1, so one more who saw either: 1 / 4.
    assert model.interest(sparse.csr_matrix([[0, 0, 3.0]]))[0, 2] == pytest.approx(3 / 2 / 2)
    assert model.interest(sparse.csr_matrix([[3.0, 0, 0]]))[0, 1] == pytest.approx(3 / 4 / 2)


@pytest.mark.parametrize("make", [item_neighbours, daily_als])
def test_collaborative_filters_find_what_those_of_one_mind_like(make):
    pytest.importorskip("implicit", reason="the extra `peers` is not installed")
    policy = make()
    cats, dogs = ([f"{name}{i}" for i in range(10)] for name in ("cat", "dog"))
    policy.observe([_item(item_id) for item_id in cats + dogs])
    records = []
    for number in range(12):
        liked, other = (cats, dogs) if number % 2 else (dogs, cats)
        records += [_seen(f"u{number}", item_id, 0.9) for item_id in liked]
        records += [_seen(f"u{number}", item_id, 0.1) for item_id in other]
    records += [_seen("friend of cats", item_id, 0.9) for item_id in cats[:3]]
    records += [_seen("friend of dogs", item_id, 0.9) for item_id in dogs[:3]]
    policy.observe(records)
    of_cats, of_dogs = policy.slate(["friend of cats", "friend of dogs"], HOUR, 7)
    assert set(of_cats.items) == set(cats[3:])
    assert set(of_dogs.items) == set(dogs[3:])


def test_a_model_learns_again_when_its_time_has_come_and_new_items_are_judged_by_popularity():
    class Alphabet:
        """Likes items in the order in which they came."""

        fitted = ()

        def fit(self, ratings):
            self.fitted += (ratings.shape[1],)

        def interest(self, ratings):
            return np.tile(-np.arange(ratings.shape[1], dtype=np.float64), (ratings.shape[0], 1))

    model = Alphabet()
    policy = Collaborative("alphabet", model, Blend(refresh=HOUR, weight=1.0, prior=1.0, optimism=0.0))
    policy.observe([_item(item_id) for item_id in "abc"])
    assert policy.slate(["u"], 0, 3)[0].items == ["a", "b", "c"]
    assert model.fitted == ()
    policy.observe([_seen("v", item_id, 0.5) for item_id in "abc"])
    policy.slate(["u"], 0, 1)
    policy.observe([_item("d")])
    # Interest less its mean is 1, 0 and -1 for a, b and c; the shares are all alike, and d is not known.
    assert policy.slate(["u"], HOUR - 1, 4)[0].items == ["a", "b", "d", "c"]
    assert model.fitted == (3,)
    assert policy.slate(["u"], HOUR, 4)[0].items == ["a", "b", "c", "d"]
    assert model.fitted == (3, 4)


def test_factors_are_the_same_for_the_same_seed():
    pytest.importorskip("implicit", reason="the extra `peers` is not installed")
    ratings = sparse.csr_matrix(np.random.default_rng(0).normal(size=(20, 30)) * (np.arange(30) % 3 == 0))
    first, second = (Factors(seed=3) for _ in range(2))
    first.fit(ratings)
    second.fit(ratings)
    assert (first.interest(ratings) == second.interest(ratings)).all()
