"""The languages that programs may be written in: listed, accepted, refused at the door."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox import LANGUAGES
from tests.live_service import LiveService, live_service

CORE = ["python", "c", "cpp", "cpp20", "java", "javascript", "typescript"]
CPP20 = "```cpp\n#include <iostream>\n#include <span>\nint main() { std::cout << 42; }\n```"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, docker_engine: None) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("languages")
    with live_service(directory, pool_workers=1, sandbox_slots=1) as running:
        yield running


def batch(language: str, completion: str) -> dict[str, Any]:
    params = {"language": language, "tests": [{"output": "42"}]}
    verifiers = [{"name": "code", "params": params}]
    return {"items": [{"id": "a", "completion": completion, "verifiers": verifiers}]}


def test_the_languages_of_the_image_are_listed_with_versions(service: LiveService) -> None:
    listed = httpx.get(f"{service.url}/v1/languages").json()["languages"]
    assert [language["name"] for language in listed] == CORE
    assert all(language["version"][0].isdigit() for language in listed)
    assert [language["name"] for language in listed if not language["compiled"]] == ["python"]


@pytest.mark.parametrize("language", sorted(LANGUAGES.keys() - set(CORE)))
def test_a_language_that_the_image_lacks_is_refused_by_name(
    service: LiveService, language: str
) -> None:
    answer = httpx.post(f"{service.url}/v1/rewards", json=batch(language, "x"))
    assert answer.status_code == 422
    problem = answer.json()["problems"][0]
    assert problem["field"] == "items.0.verifiers.0.params.language"
    assert "does not hold" in problem["message"]


def test_a_fence_of_the_language_family_is_found(service: LiveService) -> None:
    assert service.score(batch("cpp20", CPP20))["rewards"] == [1.0]


def test_without_a_sandbox_there_are_no_languages(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("off")
    with live_service(directory, sandbox_backend="off", pool_workers=1) as off:
        assert httpx.get(f"{off.url}/v1/languages").json() == {"languages": []}
