"""The door before the engine: keys, kinds and sizes of bodies, probes, the published schema."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from reward_service.api.keys import new_api_key
from reward_service.schemas import RewardRequest
from tests.live_service import LiveService, live_service

KEY, HASH = new_api_key()
FILE_KEY, FILE_HASH = new_api_key()
BATCH = {"items": [{"id": "a", "completion": "x", "verifiers": [{"name": "format"}]}]}
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """Without keys, for small bodies."""
    directory = tmp_path_factory.mktemp("door")
    with live_service(
        directory, sandbox_backend="off", pool_workers=1, max_body_mb=2, max_uploads_mb=3
    ) as running:
        yield running


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """With one key in the settings and one in a file, open to other machines."""
    directory = tmp_path_factory.mktemp("locked")
    file = directory / "keys"
    file.write_text(f"# the keys of our trainers\n\ntrainer:{FILE_HASH}  # step 2\n")
    with live_service(
        directory,
        sandbox_backend="off",
        pool_workers=1,
        host="0.0.0.0",  # noqa: S104 - what the keys are for
        api_keys=HASH,
        api_keys_file=str(file),
    ) as running:
        yield running


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Insist on the one shape of every refusal."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert set(body) == {"code", "message", "problems", "request_id"}
    assert body["code"] == code
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Authorization": f"Bearer {KEY}"}, id="bearer"),
        pytest.param({"authorization": f"bearer {KEY}"}, id="lower-case"),
        pytest.param({"X-API-Key": KEY}, id="header"),
        pytest.param({"X-API-Key": FILE_KEY}, id="key-of-the-file"),
    ],
)
def test_a_key_opens(locked: LiveService, headers: dict[str, str]) -> None:
    assert httpx.post(f"{locked.url}/v1/rewards", json=BATCH, headers=headers).status_code == 200
    assert httpx.get(f"{locked.url}/v1/verifiers", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"Authorization": "Bearer"}, id="empty"),
        pytest.param({"Authorization": f"Bearer {KEY[:-1]}"}, id="cut-short"),
        pytest.param({"Authorization": f"Bearer {KEY}x"}, id="longer"),
        pytest.param({"Authorization": f"Basic {KEY}"}, id="other-scheme"),
        pytest.param({"X-API-Key": HASH}, id="the-hash"),
        pytest.param({"X-API-Key": HASH.removeprefix("sha256:")}, id="the-bare-hash"),
        pytest.param({"X-API-Key": b"\xff\xfe"}, id="not-ascii"),
        pytest.param({"Cookie": f"X-API-Key={KEY}"}, id="cookie"),
    ],
)
def test_nothing_else_opens(locked: LiveService, headers: dict[str, Any]) -> None:
    for method, path in (("POST", "/v1/rewards"), ("GET", "/v1/verifiers")):
        answer = httpx.request(method, f"{locked.url}{path}", headers=headers, content=b"{")
        refused(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_probes_need_no_key_and_the_schema_is_hidden(locked: LiveService) -> None:
    assert httpx.get(f"{locked.url}/livez").status_code == 200
    assert httpx.get(f"{locked.url}/readyz").status_code == 200
    for path in ("/docs", "/openapi.json"):
        refused(httpx.get(f"{locked.url}{path}"), 404, "not_found")


def test_keys_are_named_in_the_log_and_never_shown(locked: LiveService) -> None:
    headers = {"X-API-Key": FILE_KEY}
    httpx.post(f"{locked.url}/v1/rewards", json=BATCH, headers=headers)
    log = locked.log.read_text()
    assert '"key": "trainer"' in log
    assert KEY not in log
    assert FILE_KEY not in log


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Content-Type": "text/plain"}, id="text"),
        pytest.param({"Content-Type": "application/x-www-form-urlencoded"}, id="form"),
        pytest.param({"Content-Type": "application/json", "Content-Encoding": "gzip"}, id="gzip"),
    ],
)
def test_only_plain_json_is_read(service: LiveService, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{service.url}/v1/rewards", content=b"{}", headers=headers)
    refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_may_name_its_encoding(service: LiveService, kind: str) -> None:
    headers = {"Content-Type": kind}
    body = RewardRequest.model_validate(BATCH).model_dump_json()
    answer = httpx.post(f"{service.url}/v1/rewards", content=body, headers=headers)
    assert answer.status_code == 200


def chunks(size: int) -> Iterator[bytes]:
    """A body of unknown length."""
    for _ in range(0, size, 65_536):
        yield b" " * 65_536


def test_a_body_over_the_limit_is_refused_before_it_is_parsed(service: LiveService) -> None:
    over = 2 * MEGABYTE + 65_536
    with httpx.Client(base_url=service.url, timeout=60) as client:
        refused(client.post("/v1/rewards", content=b" " * over), 413, "too_large")
        refused(client.post("/v1/rewards", content=chunks(over)), 413, "too_large")
        refused(client.post("/v1/rewards", content=chunks(2 * MEGABYTE)), 422, "invalid_request")
        assert client.post("/v1/rewards", json=BATCH).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", "/", 404, "not_found", id="root"),
        pytest.param("POST", "/v1/reward", 404, "not_found", id="misspelt"),
        pytest.param("GET", "/v1/%2e%2e/%00", 404, "not_found", id="odd"),
        pytest.param("GET", "/v1/rewards", 405, "method_not_allowed", id="get"),
        pytest.param("DELETE", "/livez", 405, "method_not_allowed", id="delete"),
        pytest.param("BREW", "/v1/rewards", 405, "method_not_allowed", id="made-up"),
    ],
)
def test_unknown_paths_and_methods_are_refused_in_the_same_shape(
    service: LiveService, method: str, path: str, status: int, code: str
) -> None:
    refused(httpx.request(method, f"{service.url}{path}"), status, code)


def test_no_other_origin_is_allowed(service: LiveService) -> None:
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    preflight = httpx.options(f"{service.url}/v1/rewards", headers=headers)
    answer = httpx.post(f"{service.url}/v1/rewards", json=BATCH, headers=headers)
    for response in (preflight, answer):
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_verifiers_are_listed_with_the_schema_of_their_parameters(service: LiveService) -> None:
    listed = httpx.get(f"{service.url}/v1/verifiers").json()["verifiers"]
    by_name = {verifier["name"]: verifier for verifier in listed}
    assert {"math", "code", "format"} <= set(by_name)
    assert by_name["math"]["needs_ground_truth"] is True
    assert by_name["format"]["needs_ground_truth"] is False
    assert all(verifier["description"] for verifier in listed)
    preset = by_name["format"]["params_schema"]["properties"]["preset"]
    assert "think_answer" in preset["enum"]
    assert by_name["code"]["params_schema"]["additionalProperties"] is False


def test_ready_when_every_needed_part_is(service: LiveService) -> None:
    answer = httpx.get(f"{service.url}/readyz").json()
    assert answer["ready"] is True
    assert set(answer["parts"]) == {"queue", "pool", "sandbox"}


def test_the_published_schema_describes_the_whole_request(service: LiveService) -> None:
    published = httpx.get(f"{service.url}/openapi.json").json()
    operation = published["paths"]["/v1/rewards"]["post"]
    assert operation["operationId"] == "score_batch"
    assert {"200", "401", "413", "415", "422", "429", "503"} <= set(operation["responses"])
    models = published["components"]["schemas"]
    seen: set[str] = set()
    waiting = [operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]]
    while waiting:
        name = waiting.pop().removeprefix("#/components/schemas/")
        if name not in seen:
            seen.add(name)
            waiting += _references(models[name])
    assert seen == {"RewardRequest", "Task", "Item", "VerifierSpec", "Message"}
    assert models["Item"]["additionalProperties"] is False
    assert models["RewardRequest"]["properties"]["deadline_ms"]["default"] == 60_000
    assert "text/html" in httpx.get(f"{service.url}/docs").headers["content-type"]


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [ref for part in schema for ref in _references(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"]] if "$ref" in schema else []
    return own + _references(list(schema.values()))
