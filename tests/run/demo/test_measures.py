"""What is measured of feeds, worked out by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from feedmill.run.demo.chart import MOST, Chart
from feedmill.run.demo.measures import Measures
from feedmill.run.demo.telling import Ages, Moment


def moment(number: int) -> Moment:
    return Moment(number, {}, Ages(None, None), Ages(None, None), None, {}, 0)


def test_before_anything_was_measured_there_are_no_numbers() -> None:
    measures = Measures()
    assert measures.event_to_feed(lately=True) == measures.event_to_model(lately=False) == Ages(None, None)
    assert measures.auc() is None
    assert measures.sources() == {}


def test_ages_are_quantiles_and_lately_is_of_the_last_two_hundred() -> None:
    measures = Measures()
    for _ in range(100):
        measures.knew_event(1_000.0)
    for milliseconds in range(200):
        measures.knew_event(milliseconds)
    assert measures.event_to_feed(lately=True).p50 == pytest.approx(99.5)
    # Of three hundred the hundred slow ones are the last third: the median lies between 149 and 150.
    assert measures.event_to_feed(lately=False) == Ages(pytest.approx(149.5), 1_000.0)
    assert measures.event_to_model(lately=False).p50 is None


def test_the_auc_is_of_predictions_against_what_was_watched_to_six_tenths() -> None:
    measures = Measures()
    measures.saw([(0.9, 0.6), (0.8, 1.0), (0.7, 0.59)])
    assert measures.auc() == 1.0
    measures.saw([(0.85, 0.0)])
    # Of four pairs of one that was watched and one that was not, three are in order.
    assert measures.auc() == 0.75


def test_only_the_last_two_thousand_predictions_count() -> None:
    measures = Measures()
    measures.saw([(0.1, 1.0), (0.9, 0.0)] * 500)
    measures.saw([(0.9, 1.0), (0.1, 0.0)] * 1_000)
    assert measures.auc() == 1.0


def test_an_item_that_several_sources_named_counts_in_parts() -> None:
    measures = Measures()
    measures.served([("liked",), ("liked", "fresh"), ("trending", "fresh", "liked", "two_tower"), ("trending",)])
    assert measures.sources() == {"liked": 0.4375, "trending": 0.3125, "fresh": 0.1875, "two_tower": 0.0625}


def test_a_chart_has_every_moment_until_there_are_many() -> None:
    chart = Chart()
    for number in range(MOST):
        points = chart.add(moment(number))
    assert [point.now for point in points] == list(range(MOST))


def test_a_chart_that_goes_on_keeps_its_beginning_and_its_end_and_even_spaces() -> None:
    chart = Chart()
    for number in range(5_000):
        points = chart.add(moment(number))
        assert len(points) <= MOST + 1
        assert points[-1].now == number
        times = [point.now for point in points[:-1]]
        assert times[:1] == [0][:number]
        assert len({later - earlier for earlier, later in pairwise(times)}) <= 1
    assert len(points) > MOST // 2
