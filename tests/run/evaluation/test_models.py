"""Models by their names, with settings as a command line gives them."""

from __future__ import annotations

import pytest

from feedmill.domain.errors import ConfigError
from feedmill.learn.models.named import BATCH_MODELS, CLICK_MODELS
from feedmill.run.evaluation.models import make_click_model, make_model


def test_every_model_is_made_by_its_name_and_has_the_seed_where_it_has_one() -> None:
    for kinds, make in ((BATCH_MODELS, make_model), (CLICK_MODELS, make_click_model)):
        for name, kind in kinds.items():
            model = make(name, 7)
            assert type(model) is kind
            assert getattr(model.config, "seed", 7) == 7


def test_settings_may_hold_one_value_or_several_or_several_by_name() -> None:
    assert make_model("weighted:models=svd+popularity:first=0.25", 0).config.models == ("svd", "popularity")
    content = make_model("content:attributes=year=median+duration=drop:least_items=3", 0).config
    assert content.attributes == {"year": "median", "duration": "drop"}
    assert content.least_items == 3
    assert make_click_model("random-forest:trees=7", 0).config.trees == 7


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("eese", "did you mean ease"),
        ("boosted-trees", "no model is called 'boosted-trees'"),
        ("content:attributes=year=often", "often"),
        ("weighted:models=svd+none", "no model is called 'none'"),
        ("svd:sides=3", "no setting of svd"),
        ("svd:seed=-1", "svd.seed: -1 must be at least 0"),
        ("stacked:seed=4294967296", "must be at least 0 and below"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_can(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make_model(text, 0)
