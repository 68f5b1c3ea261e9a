"""
The kit: what any server of `POST /v1/rewards` must answer for hostile and honest programs.

    pytest tests/conformance --server http://127.0.0.1:8000

Without `--server` it starts a service of its own. A server that wants a key is given
RULEGRADE_API_KEY. Rows in languages that the server does not list are skipped.
"""

import os
from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.verdicts import Server
from tests.live_service import live_service


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--server", metavar="URL", help="server to test instead of one of our own")


@pytest.fixture(scope="session")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The server under test, which has judged every row in a few batches."""
    url = request.config.getoption("--server", default=None)
    if url is not None:
        with _client(url) as client:
            yield Server(client)
        return
    request.getfixturevalue("built")
    with (
        live_service(tmp_path_factory.mktemp("conformance")) as service,
        _client(service.url) as client,
    ):
        yield Server(client)


def _client(url: str) -> httpx.Client:
    key = os.environ.get("RULEGRADE_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=url, headers=headers, timeout=900, trust_env=False)
