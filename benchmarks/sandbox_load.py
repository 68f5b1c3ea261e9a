"""
Right programs, sent to a running service: every one must earn its reward.

One program a request, no two alike, so that each is compiled and run. By many clients at once,
Python and C++ in turn; and by a single client, Python submissions of one test and of many in turn.
"""

import asyncio
import statistics
import time
from collections import Counter, defaultdict
from typing import Any

import httpx

CLIENTS = (1, 8, 64, 512)
DEADLINE_MS = 600_000

SOURCES = {
    "python": "# {n}\na, b = map(int, input().split())\nprint(a + b)\n",
    "cpp": "// {n}\n#include <bits/stdc++.h>\n"
    "int main() {{ long long a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }}\n",
}
TESTS = [{"input": f"{a} {a * a}\n", "output": f"{a + a * a}\n"} for a in range(5)]


def item(number: int) -> dict[str, Any]:
    """A right program that nobody has sent before."""
    language = list(SOURCES)[number % len(SOURCES)]
    source = SOURCES[language].format(n=f"{number} {time.time()}")
    return submission(number, language, source, TESTS)


def submission(
    number: int, language: str, source: str, tests: list[dict[str, str]]
) -> dict[str, Any]:
    """An item of a request."""
    params = {"language": language, "tests": tests}
    return {
        "id": str(number),
        "completion": f"```{language}\n{source}```",
        "verifiers": [{"name": "code", "params": params}],
    }


async def fire(url: str, clients: int) -> tuple[Counter[str], float]:
    """How the programs were judged when all were sent at once, and how long that took, in s."""
    found: Counter[str] = Counter()
    limits = httpx.Limits(max_connections=None)
    began = time.perf_counter()
    async with httpx.AsyncClient(
        base_url=url, timeout=DEADLINE_MS / 1e3 + 30, trust_env=False, limits=limits
    ) as client:

        async def send(number: int) -> None:
            body = {"items": [item(number)], "deadline_ms": DEADLINE_MS}
            response = await client.post("/v1/rewards", json=body)
            if response.is_error:
                found[f"HTTP {response.status_code}"] += 1
                return
            (result,) = response.json()["results"]
            verdict = result["components"]["code"]["verdict"]
            found[verdict or result["error"]["code"]] += 1

        await asyncio.gather(*(send(number) for number in range(clients)))
    return found, time.perf_counter() - began


def walls(url: str, sizes: tuple[int, ...], times: int) -> list[float]:
    """Median time from request to answer, in ms, of Python submissions of so many tests each."""
    seen: dict[int, list[float]] = defaultdict(list)
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        for number, size in enumerate(sizes * times):
            source = f"# {number} {time.time()}\nprint(int(input()) + 1)\n"
            tests = [{"input": f"{n}\n", "output": f"{n + 1}\n"} for n in range(size)]
            body = {"items": [submission(number, "python", source, tests)]}
            began = time.perf_counter()
            response = client.post("/v1/rewards", json=body)
            seen[size].append((time.perf_counter() - began) * 1e3)
            if response.is_error or response.json()["rewards"] != [1.0]:
                raise SystemExit(f"a right program was refused: {response.text}")
    return [statistics.median(seen[size]) for size in sizes]


async def measure(url: str) -> bool:
    """Print a row for each number of clients; whether every program was accepted."""
    print("\n| requests at once | correct | otherwise | s |\n|---|---|---|---|")
    are_all_right = True
    for clients in CLIENTS:
        found, seconds = await fire(url, clients)
        right = found.pop("correct", 0)
        are_all_right &= right == clients
        others = ", ".join(f"{count} {name}" for name, count in found.items()) or "none"
        print(f"| {clients} | {right} | {others} | {seconds:.1f} |", flush=True)
    return are_all_right
