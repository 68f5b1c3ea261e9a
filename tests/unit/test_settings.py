"""Settings: where they come from, which one wins, and what is refused."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from reward_service.settings import (
    BadSettings,
    Settings,
    check_binding,
    describe_settings,
    load_settings,
)

DIGEST = "sha256:" + "0" * 64


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("RULEGRADE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rulegrade.toml"
    path.write_text('port = 7001\nmax_body_mb = 7\napi_keys = ["a:' + DIGEST + '"]\n')
    return path


def test_a_flag_wins_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    assert load_settings().port == 8000
    assert load_settings(config=file).port == 7001
    monkeypatch.setenv("RULEGRADE_PORT", "7002")
    assert load_settings(config=file).port == 7002
    assert load_settings({"port": "7003", "host": None}, file).port == 7003
    assert load_settings(config=file).max_body_mb == 7


def test_the_environment_may_name_the_file(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setenv("RULEGRADE_CONFIG", str(file))
    assert load_settings().port == 7001


def test_keys_are_a_list_in_the_file_and_commas_elsewhere(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    assert load_settings(config=file).api_keys == ("a:" + DIGEST,)
    monkeypatch.setenv("RULEGRADE_API_KEYS", f"{DIGEST}, b:{DIGEST},")
    assert load_settings().api_keys == (DIGEST, "b:" + DIGEST)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("prot = 1", "prot: there is no such setting", id="misspelt"),
        pytest.param("port = 70000", "port:", id="out-of-range"),
        pytest.param('port = "http"', "port:", id="no-number"),
        pytest.param('log_format = "xml"', "log_format:", id="not-in-the-list"),
        pytest.param("[server]\nport = 1", "server: there is no such setting", id="table"),
        pytest.param("port = ", "config:", id="no-toml"),
    ],
)
def test_a_file_with_a_mistake_is_refused_by_name(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "rulegrade.toml"
    path.write_text(line + "\n")
    with pytest.raises(BadSettings, match="^" + said):
        load_settings(config=path)


def test_a_wrong_variable_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RULEGRADE_DRAIN_S", "soon")
    with pytest.raises(BadSettings, match=r"^drain_s:"):
        load_settings()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="no such file"):
        load_settings(config=tmp_path / "nowhere.toml")


def test_settings_cannot_be_turned_while_the_service_runs() -> None:
    with pytest.raises(ValidationError):
        load_settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    check_binding(load_settings({"host": host}))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "fe80::1", "gpu-7", "127.1", ""])  # noqa: S104
def test_everything_else_needs_one(host: str) -> None:
    with pytest.raises(BadSettings, match="rulegrade keys new"):
        check_binding(load_settings({"host": host}))
    check_binding(load_settings({"host": host, "api_keys": DIGEST}))


def test_every_setting_says_who_would_turn_it() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_page_of_settings_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs/settings.md"
    assert page.read_text("utf-8") == describe_settings()
