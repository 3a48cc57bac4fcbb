"""Which column of a table is which field: guessed by name, told where the guess is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from feedmill.domain.errors import InvalidArgument

Subject = Literal["events", "items", "users"]

REST: dict[Subject, str] = {"events": "context", "items": "attributes", "users": "attributes"}
"""Where the columns go that are no field."""
IGNORE = "ignore"
OUTCOME = "outcome"
"""What followed the impression that the row is: the value of the action that the column is named for, 0 for none."""

_WORDS: dict[Subject, dict[str, str]] = {
    "events": {
        "user_id": "userid user uid customerid customer clientid client visitorid visitor memberid member accountid "
        "account reviewerid profileid readerid personid deviceid sessionid session",
        "item_id": "itemid item iid productid product movieid movie videoid video articleid article newsid news postid "
        "post contentid content songid song trackid track bookid book isbn sku parentasin asin adid documentid docid "
        "gameid game listingid recipeid businessid placeid showid courseid objectid targetid",
        "action": "action actiontype event eventtype eventname behavior behaviour behaviortype behaviourtype "
        "interactiontype interaction activity activitytype verb type",
        "value": "rating rate stars star score overall value weight strength watchtime playtime dwelltime listentime "
        "timespent secondswatched playcount listens plays quantity amount count",
        "timestamp": "timestamp timestampms time timems ts unixtime unixreviewtime eventtime eventtimestamp datetime "
        "occurredat createdat reviewtime date eventdate reviewdate",
        "event_id": "eventid eventuuid uuid idempotencykey messageid id",
        "request_id": "requestid impressionid",
    },
    "items": {
        "item_id": "itemid item iid id productid movieid videoid articleid newsid postid contentid songid trackid "
        "bookid isbn sku parentasin asin adid documentid docid gameid listingid recipeid businessid placeid",
        "title": "title name itemname productname headline",
        "author_id": "authorid author creatorid creator artistid artist brandid brand sellerid seller channelid "
        "channel publisherid publisher directorid director uploaderid",
        "created_at": "createdat publishedat publishdate published publicationdate releasedate uploaddate uploaddt "
        "releasedat created date timestamp",
        "expires_at": "expiresat expiry expirationdate validuntil",
        "categories": "categories category categoryid genres genre topics topic section",
        "tags": "tags tag keywords keyword labels",
        "text": "text description body content abstract summary overview",
        "duration": "duration durationseconds durations lengthseconds runtimeseconds",
        "embedding": "embedding vector",
        "visible": "visible isvisible active isactive enabled",
    },
    "users": {
        "user_id": "userid user uid id customerid customer clientid visitorid memberid accountid profileid",
        "created_at": "createdat signupdate signedupat registeredat registrationdate joinedat joindate created",
        "interests": "interests interest topics",
    },
}
_OUTCOME_WORDS = (
    "click clicked like liked favorite favorited save saved share shared follow followed comment commented forward "
    "forwarded purchase purchased buy bought order ordered convert converted conversion install installed hate hated "
    "hide hidden dislike disliked report reported skip skipped longview complete completed profileenter "
    "label target"
)
_OUTCOME_TIMES = re.compile(r"(play|watch|view|dwell|stay|listen|read)(ing)?time(ms)?|timespent(ms)?")
REQUIRED: dict[Subject, tuple[str, ...]] = {
    "events": ("user_id", "item_id"),
    "items": ("item_id",),
    "users": ("user_id",),
}


def map_columns(
    subject: Subject,
    columns: Sequence[str],
    told: Mapping[str, str],
    binary: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """The field of every column: what was `told`, else what its name says, else context or attributes.

    `binary` are the columns that hold 0 and 1 only. Without a column of actions or values, those among them that are
    named for an action are outcomes, and times watched with them: as context they would tell what they followed.
    Raises InvalidArgument where `told` names a column or field that there is not, or a required field has no column.
    """
    fields = [*_WORDS[subject], REST[subject], IGNORE, *([OUTCOME] if subject == "events" else [])]
    mapping: dict[str, str] = {}
    for column, field in told.items():
        if column not in columns:
            raise InvalidArgument(f"there is no column {column!r}; the columns are {', '.join(columns)}")
        if field not in fields:
            raise InvalidArgument(f"column {column!r}: there is no field {field!r}; the fields are {', '.join(fields)}")
        single = field in _WORDS[subject]
        if single and field in mapping.values():
            raise InvalidArgument(f"column {column!r}: {field!r} has a column already")
        mapping[column] = field
    for field, words in _WORDS[subject].items():
        if field in mapping.values():
            continue
        ranks = {word: rank for rank, word in enumerate(words.split())}
        free = [column for column in columns if column not in mapping and _spell(column) in ranks]
        if free:
            mapping[min(free, key=lambda column: ranks[_spell(column)])] = field
    for field in REQUIRED[subject]:
        if field not in mapping.values():
            raise InvalidArgument(
                f"no column is known to be {field}; say which one it is (the columns are {', '.join(columns)})"
            )
    outcomes: set[str] = set()
    if subject == "events" and not {"action", "value"} & set(mapping.values()):
        named = _OUTCOME_WORDS.split()
        outcomes = {column for column in columns if column in binary and _spell(outcome(column)[0]) in named}
    if outcomes or OUTCOME in mapping.values():
        outcomes.update(column for column in columns if _OUTCOME_TIMES.search(_spell(column)))
    for column in columns:
        if column not in mapping:
            mapping[column] = OUTCOME if column in outcomes else REST[subject]
    return {column: mapping[column] for column in columns}


def outcome(column: str) -> tuple[str, float]:
    """The action that a column of outcomes is named for, and the factor of its values: milliseconds become seconds.

    >>> outcome("is_click"), outcome("play_time_ms")
    (('click', 1.0), ('play_time', 0.001))
    """
    name = re.sub(r"^(is|has|did)(_|(?=[A-Z]))", "", column)
    if _OUTCOME_TIMES.search(_spell(name)) and name.lower().endswith("ms"):
        return name[:-2].rstrip("_").lower(), 0.001
    return name.lower(), 1.0


def _spell(column: str) -> str:
    return re.sub(r"[^a-z0-9]", "", column.lower())
