import numpy as np
import pytest

from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.errors import InvalidArgument, InvalidFile
from feedmill.simulation.impression_log import ImpressionLog, read_kuairand

HEADER = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
    "play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab"
)


def test_a_log_of_kuairand_is_read_without_its_repeats_in_beijing_time(tmp_path):
    (tmp_path / "log_standard.csv").write_text(
        f"{HEADER}\n"
        "7,100,20220425,0,1650812400000,1,0,0,0,1,0,1,30000,20000,0,0,0,0,1\n"
        "7,100,20220425,1,1650812400000,0,0,0,0,1,0,1,30000,20000,0,0,0,0,1\n"
        "8,100,20220425,0,1650812400000,0,1,0,0,0,1,0,5000,20000,0,0,0,0,1\n"
        "8,101,20220425,0,1650812400001,0,0,0,0,0,0,0,5000,0,0,0,0,0,1\n"
    )
    log = read_kuairand(tmp_path)
    assert log.users.tolist() == [7, 8, 8]
    assert log.items.tolist() == [100, 100, 101]
    assert log.times[0] % DAY == 23 * HOUR  # 2022-04-24T15:00:00Z
    np.testing.assert_array_equal(log.watched, np.array([1, 0.25, np.nan], dtype=np.float32))
    assert log.durations.tolist() == [20, 20, 0]
    assert {name: column.tolist() for name, column in log.actions.items() if column.any()} == {
        "click": [True, False, False],
        "share": [True, False, False],
        "long_view": [True, False, False],
        "like": [False, True, False],
        "hate": [False, True, False],
    }


def test_what_is_no_log_of_kuairand_is_refused(tmp_path):
    with pytest.raises(InvalidFile, match="holds no log"):
        read_kuairand(tmp_path)
    (tmp_path / "log_other.csv").write_text("user,video\n1,2\n")
    with pytest.raises(InvalidFile, match="not a log of KuaiRand"):
        read_kuairand(tmp_path)


def test_columns_of_other_lengths_are_refused():
    with pytest.raises(InvalidArgument, match="items"):
        ImpressionLog(
            users=np.array([1, 2]),
            items=np.array([1]),
            times=np.zeros(2, dtype=np.int64),
            watched=np.zeros(2, dtype=np.float32),
            durations=np.zeros(2, dtype=np.float32),
            actions={},
        )
