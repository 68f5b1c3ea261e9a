"""Named output files: what a program leaves beside its output, brought back as bytes."""

import pytest

from sandbox import Limits, PooledSandbox, Program, Run, Status

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def left_by(
    sandbox: PooledSandbox, deadline: float, source: str, limits: Limits | None = None
) -> Run:
    program = Program("python", source, outputs=("out.txt", "a/b.bin"))
    return await sandbox.run(program, limits=limits, deadline=deadline)


@pytest.mark.parametrize(
    ("source", "files"),
    [
        pytest.param("open('out.txt', 'w').write('42')", {"out.txt": b"42"}, id="text"),
        pytest.param(
            "import os\nos.mkdir('a')\nopen('a/b.bin', 'wb').write(bytes(range(256)))",
            {"a/b.bin": bytes(range(256))},
            id="bytes-in-a-folder",
        ),
        pytest.param("open('out.txt', 'w')", {"out.txt": b""}, id="empty"),
        pytest.param("print(1)", {}, id="missing"),
        pytest.param("open('other.txt', 'w').write('1')", {}, id="not-asked-for"),
        pytest.param("import os\nos.mkdir('out.txt')", {}, id="folder"),
        pytest.param("import os\nos.mkfifo('out.txt')", {}, id="pipe-without-a-reader"),
        pytest.param("import os\nos.symlink('/usr/bin/env', 'out.txt')", {}, id="link-to-a-file"),
        pytest.param("import os\nos.symlink('/dev/zero', 'out.txt')", {}, id="link-to-a-device"),
        pytest.param("import os\nos.symlink('/usr/bin', 'a')", {}, id="link-as-folder"),
        pytest.param("import os\nos.symlink('/proc/self', 'a')", {}, id="link-into-proc"),
        pytest.param(
            "import os\nopen('out.txt', 'w')\nos.chmod('out.txt', 0)", {}, id="unreadable"
        ),
    ],
)
async def test_only_regular_files_of_the_work_directory_come_back(
    sandbox: PooledSandbox, deadline: float, source: str, files: dict[str, bytes]
) -> None:
    run = await left_by(sandbox, deadline, source)
    assert (run.status, run.files) == (Status.OK, files)


async def test_a_failed_program_leaves_its_files_too(
    sandbox: PooledSandbox, deadline: float
) -> None:
    run = await left_by(sandbox, deadline, "open('out.txt', 'w').write('1')\nraise SystemExit(3)")
    assert (run.status, run.exit_code, run.files) == (Status.RUNTIME_ERROR, 3, {"out.txt": b"1"})


async def test_a_file_is_read_when_nothing_can_change_it_any_more(
    sandbox: PooledSandbox, deadline: float
) -> None:
    source = """import os
if os.fork() == 0:
    while True:
        with open('out.txt', 'w') as file:
            file.write('late')
with open('out.txt.part', 'w') as file:
    file.write('done')
"""
    run = await left_by(sandbox, deadline, source)
    assert run.was_survived
    assert run.files.get("out.txt", b"") in (b"", b"late")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("open('out.txt', 'w').write('x' * 20_000)", id="written"),
        pytest.param("open('out.txt', 'w').truncate(60 << 20)", id="sparse"),
    ],
)
async def test_a_file_above_the_output_limit_exceeds_it(
    sandbox: PooledSandbox, deadline: float, source: str
) -> None:
    run = await left_by(sandbox, deadline, source, Limits(output_kb=16))
    assert (run.status, run.files) == (Status.OUTPUT_LIMIT_EXCEEDED, {})


async def test_disk_is_limited_per_run(sandbox: PooledSandbox, deadline: float) -> None:
    source = "open('out.txt', 'wb').write(bytes(3 << 20))"
    small, large = Limits(disk_mb=2), Limits(disk_mb=4)
    assert (await left_by(sandbox, deadline, source, small)).status is Status.RUNTIME_ERROR
    assert (await left_by(sandbox, deadline, source, large)).status is Status.OK


async def test_files_that_are_given_leave_the_disk_to_the_program(
    sandbox: PooledSandbox, deadline: float
) -> None:
    source = "open('copy', 'wb').write(open('data', 'rb').read()[: 1 << 19])"
    program = Program("python", source, {"data": bytes(3 << 20)})
    run = await sandbox.run(program, limits=Limits(disk_mb=1), deadline=deadline)
    assert run.status is Status.OK, run


async def test_a_compiled_program_leaves_files(sandbox: PooledSandbox, deadline: float) -> None:
    source = '#include <fstream>\nint main() { std::ofstream("out.txt") << 42; }'
    run = await sandbox.run(Program("cpp", source, outputs=("out.txt",)), deadline=deadline)
    assert run.files == {"out.txt": b"42"}
