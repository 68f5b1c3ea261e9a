"""
Every knob of the service, read once and frozen.

A flag of the command line wins over the environment (`RULEGRADE_PORT=9000`), that over the
file (TOML, `--config` or `RULEGRADE_CONFIG`), and that over the default.
"""

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from reward_service.errors import RewardError
from sandbox.levels import Level

PREFIX = "RULEGRADE_"
CORES = os.cpu_count() or 1


class BadSettings(RewardError):
    """The service cannot start as configured. The message names the setting and what to do."""


class Settings(BaseSettings):
    """What an operator may turn."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    host: str = "127.0.0.1"
    """Address to listen on. Turn it to serve other machines; that needs an API key."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """TCP port; 0 takes a free one and prints it. Turn it when 8000 is taken."""
    api_keys: Annotated[tuple[str, ...], NoDecode, Field(repr=False)] = ()
    """Hashes of accepted keys, `sha256:<hex>` or `name:sha256:<hex>`, separated by commas.
    `rulegrade keys new` makes a pair. Turn it before other machines can reach the service."""
    api_keys_file: Path | None = None
    """File with further hashes, one a line, `#` starts a comment. For secrets mounted as files."""
    docs: Literal["auto", "on", "off"] = "auto"
    """Whether `/docs` and `/openapi.json` are served; they need no key. `auto`: only while no key
    is set. Turn it on to publish the schema, off to publish nothing."""
    max_body_mb: Annotated[int, Field(ge=1, le=1024)] = 64
    """MiB a request body may have. Raise it for batches of very long completions."""
    max_uploads_mb: Annotated[int, Field(ge=1)] = 256
    """MiB of request bodies being received at once, over all clients; beyond it 429. Lower it on
    a small machine; below `max_body_mb` the largest bodies never pass."""
    max_requests: Annotated[int, Field(ge=1)] = 16_384
    """Requests in hand at a time; beyond it 429, before anything is read. Each takes some 50 kB
    and 3 ms of one core beside its items. Lower it where a core is too slow or too busy to answer
    so many before their deadlines."""
    client_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Seconds a client may take to send its headers, again to send its body, and again to read
    what fills its buffer. Raise it when trainers sit behind a slow link."""
    max_queue_items: Annotated[int, Field(ge=1)] = 20_000
    """Items that may wait for a worker; beyond it 429. Raise it for bursts above two rollouts."""
    max_queue_mb: Annotated[int, Field(ge=1)] = 512
    """MiB of text that may wait with them; beyond it 429. Lower it on a small machine."""
    cache_mb: Annotated[int, Field(ge=0)] = 64
    """MiB of outcomes kept in a process, so that equal work is done once; 0 keeps none, nor in
    Redis. Raise it where completions repeat over many steps."""
    store_mb: Annotated[int, Field(ge=1)] = 1024
    """MiB of stored tasks, batches and answers that a process without Redis keeps; beyond it 429.
    Lower it on a small machine."""
    keep_tasks_s: Annotated[int, Field(ge=60)] = 86_400
    """Seconds for which a stored task is kept after its last use. Raise it above the longest pause
    of a training run."""
    keep_answers_s: Annotated[int, Field(ge=60)] = 3_600
    """Seconds for which batches and the answers to idempotency keys are kept. Raise it where
    results are fetched late; what is kept takes memory, of Redis where there is one."""
    pool_workers: Annotated[int, Field(ge=1, le=1024)] = CORES
    """Processes for symbolic mathematics; default: one a core. Lower it to leave cores free."""
    pool_memory_mb: Annotated[int, Field(ge=256)] = 2048
    """MiB of memory one such process may take. Lower it on a small machine."""
    math_cpu_s: Annotated[float, Field(gt=0, le=600)] = 5.0
    """Seconds of CPU for one comparison. Raise it if honest references are heavy to simplify."""
    math_wall_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """Seconds by the clock for one comparison; longer than the CPU's so that a busy machine is not
    taken for a slow answer."""
    sandbox_backend: Literal["auto", "docker", "local", "off"] = "auto"
    """What runs programs. `auto`: containers, unless no image is chosen below and no engine answers
    that has the default one; then `local`: this host's own languages, in a jail without an engine.
    `off`: code items are answered with an error; for mathematics only."""
    sandbox_minimum_level: Level = "rlimits"
    """Weakest isolation to run programs with, see docs/sandbox.md. Slots are `rlimits` where the
    host lets us make no cgroup, and in containers whose runtime shows them none. Turn it to `full`
    where programs are hostile and the host is shared."""
    sandbox_slots: Annotated[int, Field(ge=1, le=1024)] = CORES
    """Programs run at once, one slot each; default: one a core."""
    sandbox_image: str | None = None
    """Image of those containers; default: the one that `rulegrade sandbox build` makes. Turn it to
    add packages that your tasks' programs import."""
    sandbox_flavour: Literal["core", "full"] = "core"
    """Which of our images. `core` holds Python, C, C++, Java, JavaScript and TypeScript, `full` Go,
    Rust, Bash, Ruby, PHP, Perl, Lua and SQL besides. Turn it for tasks in those."""
    sandbox_runtime: str | None = None
    """Runtime of those containers, as registered with the engine; default: the engine's own. Turn
    it to `runsc` for gVisor."""
    sandbox_apparmor: str | None = None
    """AppArmor profile of those containers; default: the engine's own. Turn it on Ubuntu, to the
    profile that we ship, see docs/sandbox.md."""
    redis_url: Annotated[str | None, Field(repr=False)] = None
    """Redis that several machines share, `redis://host:6379/0`. With it `serve` queues work there
    and `rulegrade worker` does it; without, one process does all. Turn it when one machine is not
    enough."""
    serves: Literal["all", "rules", "programs"] = "all"
    """What a worker does: `programs` where a sandbox is, `rules` where none is."""
    lease_s: Annotated[float, Field(ge=0.2, le=3600)] = 10.0
    """Seconds without a sign of life after which a worker's jobs go to others. Raise it where
    workers are known to stand still for longer."""
    probe_port: Annotated[int, Field(ge=0, le=65_535)] = 8001
    """TCP port on which a worker answers `/livez`, `/readyz` and `/metrics`; 0 takes a free one
    and prints it."""
    data_sources: Annotated[dict[str, Any], NoDecode] = {"*": [{"name": "math"}]}
    """Verifiers by data source, as JSON: how a label is scored that another project's protocol
    sends without naming a verifier; `*` is for every other source, see trainers.md. Turn it when
    labels are not answers to mathematical problems."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe events to log. Turn it to `warning` when the request log is too much."""
    log_format: Literal["json", "console"] = "json"
    """`console` is for reading in a terminal."""
    tracing: Literal["off", "otlp"] = "off"
    """`otlp` sends OpenTelemetry spans of requests, and of the work on them, to the collector that
    `OTEL_EXPORTER_OTLP_ENDPOINT` names; needs the extra `otel`, see operations.md. Turn it to see
    where the time of a request goes."""
    drain_s: Annotated[int, Field(ge=0, le=3600)] = 30
    """Seconds that requests in flight get after SIGTERM. Raise it to the longest deadline used."""

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part for part in map(str.strip, value.split(",")) if part)
        return value

    @field_validator("data_sources", mode="before")
    @classmethod
    def _read_json(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, then the file."""
        file = TomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, file


def load_settings(flags: Mapping[str, Any] | None = None, config: Path | None = None) -> Settings:
    """Settings from `flags` (None means not given), environment and file; raises BadSettings."""
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    variable = os.environ.get(PREFIX + "CONFIG")
    file = config or (Path(variable) if variable else None)
    if file is not None and not file.is_file():
        raise BadSettings(f"config: no such file: {file}")
    try:
        return _reading(file)(**given)
    except ValidationError as error:
        raise BadSettings("\n".join(map(_explain, error.errors()))) from error
    except ValueError as error:  # the TOML parser's own
        raise BadSettings(f"config: {file}: {error}") from error


def _reading(file: Path | None) -> type[Settings]:
    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    return FromFile


def _explain(problem: Mapping[str, Any]) -> str:
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"{name}: there is no such setting"
    return f"{name}: {problem['msg']}"


def check_binding(settings: Settings) -> None:
    """Raise BadSettings when other machines could reach the service without an API key."""
    if settings.api_keys or settings.api_keys_file or is_loopback(settings.host):
        return
    raise BadSettings(
        f"host: {settings.host} can be reached from other machines, and no API key is set. "
        "Make one with `rulegrade keys new` and set RULEGRADE_API_KEYS to its hash, "
        "or listen on 127.0.0.1."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. Names other than localhost count as reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def describe_settings() -> str:
    """docs/settings.md, made from the model."""
    rows = [_HEADING, "| setting | default | values | what it does, and who would turn it |"]
    rows.append("|---|---|---|---|")
    schema = Settings.model_json_schema()["properties"]
    for name, field in Settings.model_fields.items():
        text = " ".join((field.description or "").split())
        rows.append(f"| `{name}` | {_default(name)} | {_values(schema[name])} | {text} |")
    return "\n".join(rows) + "\n"


_HEADING = """\
# Settings

Made from `reward_service/settings.py`: `python -m reward_service.settings > docs/settings.md`.

Each setting can be given as a flag (`--max-body-mb 128`), in the environment
(`RULEGRADE_MAX_BODY_MB=128`) or in a TOML file (`max_body_mb = 128`) that `--config` or
`RULEGRADE_CONFIG` names. A flag wins over the environment, that over the file. A name in the file
that is not in this list is refused, and so is a value out of its range.
"""
_PER_MACHINE = {"pool_workers", "sandbox_slots"}


def _default(name: str) -> str:
    value = Settings.model_fields[name].default
    if name in _PER_MACHINE:
        return "cores"
    return "–" if value in (None, ()) else f"`{value}`"


def _values(schema: Mapping[str, Any]) -> str:
    if schema.get("type") == "object":
        return "JSON object"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    if low is None:
        return "text"
    more = "more than " if "exclusiveMinimum" in schema else ""
    high = cast("int | None", schema.get("maximum"))
    return f"{more}{low} to {high}" if high is not None else f"{more}{low} or more"


if __name__ == "__main__":
    print(describe_settings(), end="")
