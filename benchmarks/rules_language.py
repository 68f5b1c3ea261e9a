"""The language rule on labelled shares, beside the usual ways, and its speed."""

from collections.abc import Callable
from typing import Any

from lingua import IsoCode639_1, LanguageDetectorBuilder

from benchmarks.rules_cases import cpu_of, read, table
from reward_service.verdicts import Score, Skip
from reward_service.verifiers.base import Attempt
from reward_service.verifiers.language import Language
from reward_service.verifiers.language.words import tally

CODES = ("en", "fr", "de", "es", "pt", "it", "zh", "ja", "ko", "ru", "ar", "hi")

_WHOLE_TEXT = (
    LanguageDetectorBuilder.from_iso_codes_639_1(*(getattr(IsoCode639_1, c.upper()) for c in CODES))
    .with_low_accuracy_mode()
    .build()
)


def show_language(title: str, cases: list[dict[str, Any]]) -> None:
    """Error of each method against the labelled share, and what was skipped."""
    methods = {"ours": _our_share, "script only": _script_share, "whole text, lingua": _text_share}
    judged = [c for c in cases if c["share"] is not None]
    rows = [_accuracy(name, share, judged) for name, share in methods.items()]
    heads = ("method", "rows", "within 0.1", "mean abs. error", "pure text >= 0.95")
    table(f"Language, {title}", heads, rows)
    outcomes = [Language(target=c["target"])(Attempt(c["text"])) for c in cases]
    skipped = [o for c, o in zip(cases, outcomes, strict=True) if c["share"] is None]
    print(
        f"\nNeutral-only texts skipped: {sum(isinstance(o, Skip) for o in skipped)}/{len(skipped)}"
    )
    short = sum(isinstance(o, Skip) for o in outcomes) - len(skipped)
    print(f"Texts of fewer than five units skipped: {short} (judged above by their raw share)")


def _accuracy(
    name: str, share: Callable[[dict[str, Any]], float], cases: list[dict[str, Any]]
) -> tuple[object, ...]:
    errors = [abs(share(case) - case["share"]) for case in cases]
    pure = [share(case) >= 0.95 for case in cases if case["share"] == 1]
    close = sum(error <= 0.1 for error in errors)
    mean = sum(errors) / len(errors)
    return name, len(cases), close, f"{mean:.4f}", f"{sum(pure)}/{len(pure)}"


def _our_share(case: dict[str, Any]) -> float:
    outcome = Language(target=case["target"])(Attempt(case["text"]))
    if isinstance(outcome, Score):
        return outcome.value
    found = tally(case["text"], case["target"])
    return found.units[case["target"]] / found.total if found.total else 0.0


def _script_share(case: dict[str, Any]) -> float:
    """What the script alone says: every Latin word is of a Latin target."""
    latin = {"en", "fr", "de", "es", "pt", "it"}
    found = tally(case["text"], case["target"])
    home = latin if case["target"] in latin else {case["target"]}
    return sum(found.units[code] for code in home) / found.total if found.total else 0.0


def _text_share(case: dict[str, Any]) -> float:
    """The usual way: 1 if the whole text is detected as the target, else 0."""
    found = _WHOLE_TEXT.detect_language_of(case["text"])
    return float(found is not None and found.iso_code_639_1.name.lower() == case["target"])


def show_speed() -> None:
    """Megabytes of UTF-8 a CPU second; a wrong language needs the search in every sentence."""
    cases = [case for case in read("language.jsonl") if case["kind"] == "mono"]
    rows = []
    for code in CODES:
        text = " ".join(case["text"] for case in cases if case["target"] == code) + "\n"
        text *= 500_000 // len(text.encode()) + 1
        mb = len(text.encode()) / 1e6
        other = "fr" if code == "en" else "en"
        speeds = [mb / min(_cpu_of_language(text, t) for _ in range(2)) for t in (code, other)]
        rows.append((code, *(f"{speed:.1f}" for speed in speeds)))
    heads = ("text in", "MB/s, as the target", "MB/s, as the wrong language")
    table("Language, speed on one core", heads, rows)


def _cpu_of_language(text: str, target: str) -> float:
    rule = Language.model_validate({"target": target})
    return cpu_of(lambda: rule(Attempt(text)))
