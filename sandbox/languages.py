"""
The languages: one declarative entry each. Nothing else in the sandbox knows a language.

A compiled language compiles `source_name` into `artifact` once per submission; each run then gets
a copy of the artifact alone. An interpreted one gets a copy of its source.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sandbox.base import Limits, Program

Flavour = Literal["core", "full"]
"""Of the image: `core` holds the languages that most tasks use, `full` holds all."""


@dataclass(frozen=True, slots=True)
class Language:
    """How to build and start a program; commands run in the jail's empty work directory."""

    name: str
    source_name: str
    run: tuple[str, ...]
    """May hold `{heap_mb}` and `{stack_kb}`, for runtimes that must be told what they may take."""
    version: tuple[str, ...]
    """Command that prints the version of what the image holds, and fails where it is not whole."""
    packages: tuple[str, ...]
    """Debian packages that hold it."""
    flavour: Flavour = "core"
    """The smallest image that holds it."""
    compile: tuple[str, ...] = ()
    artifact: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    is_warm: bool = False
    """Whether the agent's warm interpreter can run it instead."""
    threads: int = 0
    """Threads its runtime starts by itself; they come on top of a run's limit of processes."""
    fence: str | None = None
    """What a Markdown fence calls it, if not by `name`."""

    def command(self, limits: Limits) -> list[str]:
        """`run` under these limits.

        A quarter of the memory is left to the runtime itself. Stacks may take a quarter, too: they
        only take what a deep recursion touches.
        """
        heap_mb, stack_kb = limits.memory_mb * 3 // 4, limits.memory_mb * 256
        return [word.format(heap_mb=heap_mb, stack_kb=stack_kb) for word in self.run]


_PYTHON = Language(
    "python",
    "main.py",
    # Not -S: honest programs call exit(). Not -P: a program may import the files it came with.
    run=("/usr/bin/python3", "-s", "main.py"),
    # Same order of sets in every run; one thread, because the CPU limit counts all of them.
    env=(("PYTHONHASHSEED", "0"), ("OPENBLAS_NUM_THREADS", "1"), ("OMP_NUM_THREADS", "1")),
    is_warm=True,
    version=("/usr/bin/python3", "--version"),
    packages=("python3", "python3-numpy"),
)

_C = Language(
    "c",
    "main.c",
    compile=("/usr/bin/gcc", "-std=gnu17", "-O2", "-pipe", "-w", "-o", "main", "main.c", "-lm"),
    artifact="main",
    run=("./main",),
    version=("/usr/bin/gcc", "-dumpfullversion"),
    packages=("gcc", "libc6-dev"),
)


def _cpp(name: str, standard: str) -> Language:
    return Language(
        name,
        "main.cpp",
        # The Dockerfile parses the common headers once for exactly these flags.
        compile=("/usr/bin/g++", standard, "-O2", "-pipe", "-w", "-o", "main", "main.cpp"),
        artifact="main",
        run=("./main",),
        version=("/usr/bin/g++", "-dumpfullversion"),
        packages=("g++",),
        fence="cpp",
    )


_JVM = ("/usr/bin/java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto")

_JAVA = Language(
    "java",
    "Main.java",
    # images/CompileJava.java, with its classes and javac's laid out in memory beforehand; the
    # optimizing compiler would not pay within one compilation.
    compile=(
        *_JVM,
        "-XX:SharedArchiveFile=/usr/local/lib/rulegrade/CompileJava.jsa",
        "-XX:TieredStopAtLevel=1",
        *("-jar", "/usr/local/lib/rulegrade/CompileJava.jar", "Main.java", "main.jar"),
    ),
    artifact="main.jar",
    # NewRatio: one array may take three quarters of the heap; by default it is two thirds.
    run=(*_JVM, "-Xmx{heap_mb}m", "-XX:NewRatio=3", "-Xss{stack_kb}k", "-jar", "main.jar"),
    version=("/usr/bin/java", "--version"),
    packages=("openjdk-17-jdk-headless",),
    threads=24,
)

_NODE = ("/usr/bin/node", "--max-old-space-size={heap_mb}", "--stack-size={stack_kb}")


def _esbuild(name: str, source_name: str) -> Language:
    return Language(
        name,
        source_name,
        # To CommonJS, so that both `import` and `require` work. Takes types away, checks none.
        compile=(
            *("/usr/bin/esbuild", source_name, "--outfile=out.js", "--format=cjs"),
            *("--platform=node", "--target=node18", "--log-level=error"),
        ),
        artifact="out.js",
        run=(*_NODE, "out.js"),
        version=("/usr/bin/node", "--version"),
        packages=("nodejs", "esbuild"),
        threads=12,
    )


_GO = Language(
    "go",
    "main.go",
    # What `go build` ends up calling, without its half second of looking for modules; it says what
    # is wrong on stdout.
    compile=(
        *("/bin/sh", "-c"),
        "exec >&2; go tool compile -p main -complete -o main.o main.go"
        " && go tool link -s -w -o main main.o",
    ),
    artifact="main",
    run=("./main",),
    version=("/usr/bin/go", "version"),
    packages=("golang-1.19-go", "golang-go"),
    flavour="full",
    threads=12,
)

_RUST = Language(
    "rust",
    "main.rs",
    compile=(
        *("/usr/bin/rustc", "--edition=2021", "-Copt-level=2", "-Ccodegen-units=1"),
        *("-Cstrip=symbols", "-Clink-arg=-fuse-ld=mold", "--cap-lints=allow", "-o", "main"),
        "main.rs",
    ),
    artifact="main",
    run=("./main",),
    version=("/usr/bin/rustc", "--version"),
    packages=("rustc-web", "mold"),
    flavour="full",
)

_BASH = Language(
    "bash",
    "main.sh",
    run=("/bin/bash", "main.sh"),
    # Debian's base holds bash without bc, and perl without most of its modules: not enough.
    version=("/bin/bash", "-c", "command -v bc > /dev/null && echo $BASH_VERSION"),
    packages=("bash", "bc", "gawk"),
    flavour="full",
)

_RUBY = Language(
    "ruby",
    "main.rb",
    # Starting rubygems takes five times as long as starting ruby; the Dockerfile sees to prime and
    # matrix, which are gems of ruby's own.
    run=("/usr/bin/ruby", "--disable=gems", "main.rb"),
    version=("/usr/bin/ruby", "--version"),
    packages=("ruby",),
    flavour="full",
    threads=1,
)

_PHP = Language(
    "php",
    "main.php",
    # Warnings to stderr: on stdout they would spoil an answer. Of Debian's extensions those that a
    # program on standard input may use.
    run=(
        *("/usr/bin/php", "-n", "-dmemory_limit=-1", "-ddisplay_errors=stderr"),
        *("-dextension=ctype", "-dextension=mbstring", "-dextension=bcmath", "-dextension=gmp"),
        "main.php",
    ),
    version=("/usr/bin/php", "-n", "--version"),
    packages=("php-bcmath", "php-cli", "php-gmp", "php-mbstring"),
    flavour="full",
)

_PERL = Language(
    "perl",
    "main.pl",
    run=("/usr/bin/perl", "main.pl"),
    version=("/usr/bin/perl", "-Mbigint", "-e", "print $^V"),
    packages=("perl",),
    flavour="full",
)

_LUA = Language(
    "lua",
    "main.lua",
    run=("/usr/bin/lua5.4", "main.lua"),
    version=("/usr/bin/lua5.4", "-v"),
    packages=("lua5.4",),
    flavour="full",
)

_SQL = Language(
    "sql",
    "main.sql",
    # stdin fills the tables, then the program asks. NULL is told from the empty text.
    run=(
        *("/usr/bin/sqlite3", "-batch", "-bail", "-nullvalue", "NULL", ":memory:"),
        *(".read /dev/stdin", ".read main.sql"),
    ),
    version=("/usr/bin/sqlite3", "--version"),
    packages=("sqlite3",),
    flavour="full",
)

LANGUAGES: Mapping[str, Language] = {
    language.name: language
    for language in (
        _PYTHON,
        _C,
        _cpp("cpp", "-std=c++17"),
        _cpp("cpp20", "-std=c++20"),
        _JAVA,
        _esbuild("javascript", "main.js"),
        _esbuild("typescript", "main.ts"),
        _GO,
        _RUST,
        _BASH,
        _RUBY,
        _PHP,
        _PERL,
        _LUA,
        _SQL,
    )
}
"""Every language by its name."""


def language_named(name: str) -> Language:
    """The entry for `name`; ValueError lists what there is."""
    try:
        return LANGUAGES[name]
    except KeyError:
        raise ValueError(f"language must be one of {', '.join(sorted(LANGUAGES))}") from None


def file_names(program: Program) -> list[str]:
    """What a program's source and the files beside it are called in its work directory.

    ValueError if a file is called like the source or like what is made of it.
    """
    language = language_named(program.language)
    taken = {language.source_name, language.artifact}
    if any(name.split("/")[0] in taken for name in program.files):
        raise ValueError(f"files: {language.source_name} and what is made of it are taken")
    return [language.source_name, *program.files]


PYTHON_LIBRARIES: Mapping[Flavour, tuple[str, ...]] = {
    "core": (),
    "full": ("python3-pandas", "python3-scipy", "python3-sympy"),
}
"""What Python programs can import in the full image, besides the standard library and numpy."""


def packages(flavour: Flavour) -> list[str]:
    """Debian packages of the languages whose smallest image is `flavour`."""
    entries = (entry for entry in LANGUAGES.values() if entry.flavour == flavour)
    return sorted({*PYTHON_LIBRARIES[flavour], *(p for entry in entries for p in entry.packages)})
