"""The format rule on its labels, on spam, and beside other projects' functions."""

import json
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.rules_cases import cpu_of, read, table
from reward_service.verifiers.base import Attempt
from reward_service.verifiers.format import Format, Preset

SPAM = {
    "<think> again and again": "<think>",
    "</answer> again and again": "</answer>",
    "whole blocks": "<think>abcdefgh</think><answer>4</answer>",
    "spaced look-alikes": "< think >",
    "full-width look-alikes": "＜think＞",
    "zero-width look-alikes": "<t\u200bhink ",
    "attributes": "<think a",
    "bare <": "<    ",
    "entities": "&lt;think",
    "boxes": "\\boxed{",
    "NUL": "\x00",
    "chat tokens": "<|im_end|>",
}
PEER_CONTRACTS: dict[str, tuple[str, Preset]] = {
    "TRL think_format_reward": ("think", "think_only"),
    "verl geo3k format_reward": ("box", "think_boxed"),
    "open-r1 format pattern": ("answer", "think_answer"),
}


def _format_cases() -> list[dict[str, Any]]:
    """Labelled completions and our own cases of the default contract, as one list."""
    own = [
        {"text": case["text"], "ok": case["reason"] == "well_formed", "kind": "answer"}
        | {"prefill": case.get("prefilled", False)}
        for case in read("format_rules.jsonl")
        if "params" not in case
    ]
    return read("format.jsonl") + own


def show_format() -> None:
    """Rows whose verdict differs from the label."""
    rows = []
    for name in ("format.jsonl", "format_rules.jsonl (default preset)"):
        cases = read("format.jsonl") if name == "format.jsonl" else _format_cases()[29:]
        wrong = [c for c in cases if _passes("think_answer", c) != bool(c["ok"])]
        rows.append((name, len(cases), len(wrong)))
    table("Format against its labels", ("cases", "rows", "wrong"), rows)


def _passes(preset: Preset, case: dict[str, Any]) -> bool:
    """Whether our rule pays `case` in full."""
    return Format(preset=preset)(Attempt(case["text"], think_prefilled=case["prefill"])).value == 1


def show_spam() -> None:
    """CPU time at two sizes; linear means a ratio of 10."""
    rows = []
    for name, unit in SPAM.items():
        small, large = (_cpu_of_format(unit * (size // len(unit))) for size in (100_000, 1_000_000))
        rows.append((name, f"{small:.3f} s", f"{large:.3f} s", f"{large / small:.1f}"))
    table("Format on spam, CPU time", ("pattern", "100 KB", "1 MB", "ratio"), rows)


def _cpu_of_format(text: str) -> float:
    """CPU seconds of the worst preset on bare spam and on spam inside a well-formed completion."""
    wrapped = f"<think>{text}</think><answer>4</answer>"
    return max(
        cpu_of(lambda text=text, preset=preset: Format(preset=preset)(Attempt(text)))  # type: ignore[misc]
        for text in (text, wrapped)
        for preset in ("think_answer", "think_boxed")
    )


def show_peers(python: str) -> None:
    """The same completions through other projects' functions, each under its own contract."""
    cases = _format_cases()
    asked = [
        {"peer": peer, "text": _contract_text(kind, case)}
        for peer, (kind, _) in PEER_CONTRACTS.items()
        for case in _contract_cases(kind, cases)
    ]
    spam = ["<think>" * 14_000, "<think>" + "</think>" * 12_500]
    spam.append("<think>\n" + "a\n</think>\n<answer>\n" * 5_000)
    asked += [{"peer": peer, "text": text} for peer in PEER_CONTRACTS for text in spam]
    script = Path(__file__).with_name("rules_peers.py")
    done = subprocess.run(  # the interpreter is the caller's own argument
        [python, str(script)], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    answers = iter(json.loads(done.stdout))
    results = {
        peer: [next(answers)["value"] == 1 for _ in _contract_cases(kind, cases)]
        for peer, (kind, _) in PEER_CONTRACTS.items()
    }
    slowest = {peer: max(next(answers)["seconds"] for _ in spam) for peer in PEER_CONTRACTS}
    rows = []
    for peer, (kind, preset) in PEER_CONTRACTS.items():
        own = _contract_cases(kind, cases)
        ours = [_passes(preset, {**c, "text": _contract_text(kind, c)}) for c in own]
        rows.append((peer, *_verdict_counts(own, results[peer]), f"{slowest[peer]:.2f} s"))
        pace = max(cpu_of(lambda t=t, p=preset: Format(preset=p)(Attempt(t))) for t in spam)  # type: ignore[misc]
        rows.append((f"ours, `{preset}`", *_verdict_counts(own, ours), f"{pace:.2f} s"))
    heads = ("rule", "malformed paid", "well-formed refused", "prefilled paid", "100 KB of tags")
    table("Format beside other projects (4 s is where a peer is stopped)", heads, rows)


def _contract_cases(kind: str, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cases whose label also holds for a contract without answer tags."""
    return [c for c in cases if kind == "answer" or c["kind"] == "both"]


def _contract_text(kind: str, case: dict[str, Any]) -> str:
    """The completion as the contract wants its answer: in tags, or boxed."""
    text: str = case["text"]
    if kind != "box":
        return text
    return text.replace("<answer>", "\\boxed{").replace("</answer>", "}")


def _verdict_counts(cases: list[dict[str, Any]], paid: list[bool]) -> tuple[str, str, str]:
    pairs = list(zip(cases, paid, strict=True))
    bad = [p for c, p in pairs if not c["ok"]]
    good = [not p for c, p in pairs if c["ok"] and not c["prefill"]]
    prefilled = [p for c, p in pairs if c["ok"] and c["prefill"]]
    return tuple(f"{sum(part)}/{len(part)}" for part in (bad, good, prefilled))  # type: ignore[return-value]
