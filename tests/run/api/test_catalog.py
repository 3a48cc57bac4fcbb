"""Items and users: what was put is there, what is merged changes, what is deleted is gone."""

from __future__ import annotations

import httpx
import pytest

EMPTY = {
    "title": "",
    "author_id": None,
    "created_at": None,
    "expires_at": None,
    "categories": [],
    "tags": [],
    "text": "",
    "duration": None,
    "embedding": None,
    "attributes": {},
    "visible": True,
    "audience": None,
}


@pytest.mark.parametrize("name", ["a/b", "%2F", "naïve", "?#&", " ", "日" * 85, "a%b", "similar"])
def test_an_id_may_be_anything(client: httpx.Client, name: str) -> None:
    path = "/v1/items/" + "".join(f"%{byte:02X}" for byte in name.encode())
    assert client.put(path, json={"title": "T"}).json()["status"] == "accepted"
    assert client.get(path).json() == EMPTY | {"item_id": name, "title": "T"}
    assert client.get(f"{path}/similar").json()["item_id"] == name
    assert client.delete(path).status_code == 200
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("length", [256, 257])
def test_an_id_has_at_most_256_bytes(client: httpx.Client, length: int) -> None:
    response = client.put(f"/v1/users/{'u' * length}", json={})
    assert response.status_code == (200 if length == 256 else 422)


def test_what_was_got_can_be_put_back(client: httpx.Client) -> None:
    item = {
        "title": "A week in Lisbon",
        "author_id": "bea",
        "created_at": "2022-04-28T16:00:00Z",
        "expires_at": 1_900_000_000_000,
        "tags": ["sea"],
        "embedding": [0.5, -1.0],
        "attributes": {"n": 9_007_199_254_740_993, "x": None, "y": True},
        "audience": {"users": ["ada"], "attributes": {"country": ["PT"]}, "max_views": 3},
    }
    assert client.put("/v1/items/round", json=item).json()["status"] == "accepted"
    got = client.get("/v1/items/round").json()
    assert got == EMPTY | item | {"item_id": "round", "created_at": 1_651_161_600_000}
    assert client.put("/v1/items/round", json=got).json()["status"] == "unchanged"


def test_a_patch_sets_removes_and_leaves(client: httpx.Client) -> None:
    client.put("/v1/users/pat", json={"interests": ["sea"], "attributes": {"a": 1, "b": 2}})
    patch = {"interests": None, "attributes": {"a": None, "c": 3}}
    for kind in ("application/merge-patch+json", "application/json"):
        response = client.patch("/v1/users/pat", json=patch, headers={"content-type": kind})
        assert response.status_code == 200
    assert client.get("/v1/users/pat").json() == {
        "user_id": "pat",
        "created_at": None,
        "interests": [],
        "attributes": {"b": 2, "c": 3},
    }


def test_a_patch_is_refused_by_its_field(client: httpx.Client) -> None:
    client.put("/v1/items/patched", json={})
    response = client.patch("/v1/items/patched", json={"tags": "sea"})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "tags")


@pytest.mark.parametrize("kind", ["items", "users"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_what_is_not_there_is_not_found(client: httpx.Client, kind: str, method: str) -> None:
    response = client.request(method, f"/v1/{kind}/nobody", **({"json": {}} if method == "PATCH" else {}))
    assert response.status_code == 404
    assert response.json()["type"] == "urn:feedmill:problem:not-found"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(("body", "field"), [({"item_id": "b"}, "item_id"), ({"kind": "user"}, "kind")])
def test_a_body_does_not_contradict_its_path(client: httpx.Client, method: str, body: dict, field: str) -> None:
    client.put("/v1/items/a", json={"item_id": "a", "kind": "item"}).raise_for_status()
    response = client.request(method, "/v1/items/a", json=body)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)


def test_many_are_answered_in_order(client: httpx.Client) -> None:
    items = [{"item_id": "m1", "title": "M"}, {"title": "?"}, {"item_id": "m1", "title": "M"}, {"item_id": "m2"}, 3]
    said = client.post("/v1/items", json=items).json()
    assert [result["status"] for result in said["results"]] == [
        "accepted",
        "rejected",
        "unchanged",
        "accepted",
        "rejected",
    ]
    assert (said["accepted"], said["unchanged"], said["rejected"]) == (2, 1, 2)
    assert client.get("/v1/items/m2").status_code == 200


def test_many_come_as_json_lines_too(client: httpx.Client) -> None:
    response = client.post(
        "/v1/users",
        content=b'{"user_id": "l1"}\n{"user_id": "l2", "interests": ["sea"]}\n',
        headers={"content-type": "application/x-ndjson"},
    )
    assert response.json()["accepted"] == 2
    assert client.get("/v1/users/l2").json()["interests"] == ["sea"]


def test_many_that_are_all_wrong_are_refused(client: httpx.Client) -> None:
    response = client.post("/v1/items", json=[{"item_id": ""}, {"item_id": "a", "kind": "user"}])
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["[0].item_id", "[1].kind"]
