"""The wire of `POST /v1/execute`: programs to run, and what became of them."""

import base64
import binascii
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from reward_service.schemas import MAX_TEXT, ErrorInfo, Id, Wire
from reward_service.verifiers.code import RunLimits
from sandbox import LANGUAGES

MAX_RUNS = 1_000
MAX_CONTENT = 16 * 2**20


def _is_language(name: str) -> str:
    if name not in LANGUAGES:
        raise ValueError("unknown language; known: " + ", ".join(LANGUAGES))
    return name


def _is_base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    return text


class Base64(Wire):
    """Bytes that are no UTF-8 text."""

    base64: Annotated[str, Field(max_length=MAX_CONTENT * 4 // 3 + 4), AfterValidator(_is_base64)]


Content = Annotated[str, Field(max_length=MAX_CONTENT)] | Base64
Word = Annotated[str, Field(max_length=3_000)]
FileName = Annotated[str, Field(min_length=1, max_length=1_000)]


class RunSpec(Wire):
    """One program, to be run once in a jail of its own."""

    id: Id
    """Returned untouched, unique within the request."""
    language: Annotated[
        str, AfterValidator(_is_language), Field(json_schema_extra={"enum": list(LANGUAGES)})
    ]
    """`GET /v1/languages` lists what can be run."""
    code: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    """The program. Without it, `files` and `entry`."""
    files: Annotated[dict[FileName, Content], Field(max_length=48)] = Field(default_factory=dict)
    """Files in the program's work directory, by relative name."""
    entry: FileName | None = None
    """Without `code`: the one of `files` that is the program."""
    stdin: Content = ""
    """What the program reads from its standard input."""
    args: Annotated[list[Word], Field(max_length=256)] = Field(default_factory=list)
    """Command-line arguments; at most 3,000 characters in all."""
    env: Annotated[dict[Word, Word], Field(max_length=256)] = Field(default_factory=dict)
    """Further environment variables; at most 3,000 characters in all."""
    limits: RunLimits = RunLimits()
    """Limits of the run; compiling has its own."""
    output_files: Annotated[list[FileName], Field(max_length=16)] = Field(default_factory=list)
    """Files to bring back from the work directory, by relative name."""

    @model_validator(mode="after")
    def _has_one_program(self) -> Self:
        if (self.code is None) is (self.entry is None):
            raise ValueError("give either `code`, or `files` and `entry`")
        if self.entry is not None and not isinstance(self.files.get(self.entry), str):
            raise ValueError("`entry` must name one of `files` that is text")
        return self


class ExecuteRequest(Wire):
    """Programs to run."""

    request_id: Id | None = None
    """Returned untouched; made up when absent."""
    deadline_ms: Annotated[int, Field(ge=1, le=600_000)] = 60_000
    """Milliseconds from arrival until every run is answered, done or not."""
    runs: Annotated[list[RunSpec], Field(min_length=1, max_length=MAX_RUNS)]
    """In the order in which they are answered."""


RunVerdict = Literal[
    "ok",
    "compile_error",
    "runtime_error",
    "time_limit_exceeded",
    "memory_limit_exceeded",
    "output_limit_exceeded",
]


class RunResult(Wire):
    """What became of one program."""

    id: str
    status: Literal["ok", "error"]
    """`error`: we failed, and nothing is known about the program."""
    verdict: RunVerdict | None = None
    """How the program ended; null unless `status` is `ok`."""
    stdout: str = ""
    """As UTF-8, with U+FFFD for what is none. Empty after `compile_error`."""
    stdout_base64: str | None = None
    """The bytes of `stdout`, only where they are no UTF-8."""
    stderr: str = ""
    """As UTF-8, with U+FFFD for what is none. After `compile_error` the compiler's messages."""
    files: dict[str, Content] = Field(default_factory=dict)
    """Those of `output_files` that were there, as text or, where they are no UTF-8, as base64."""
    exit_code: int | None = None
    """Null if a signal or a limit ended it."""
    signal: int | None = None
    """The signal that ended it."""
    cpu_ms: float | None = None
    """CPU time of all its processes."""
    wall_ms: float | None = None
    """From its start to the end of its first process."""
    memory_kb: int | None = None
    """Most memory seen, in KiB."""
    error: ErrorInfo | None = None
    """Null unless `status` is `error`."""


class ExecuteResponse(Wire):
    """Answer of `POST /v1/execute`: one result per run, in their order."""

    request_id: str
    results: list[RunResult]
