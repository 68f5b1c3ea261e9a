"""The adapters, called as their trainers call them, on a live service that fails at times."""

import asyncio
import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reward_client import BadRequest, NotScored, RewardClientError, Unreachable
from reward_client.adapters import areal, openrlhf, slime, swift, torch_rl, verifiers, verl
from reward_client.adapters.remote import OnError, RemoteRewards
from reward_client.adapters.trl import ComponentReward, reward_funcs
from tests.flaky_proxy import FlakyProxy, flaky_proxy
from tests.live_service import LiveService, live_service

RIGHT = "<think>Half of eight is four.</think>\n<answer>4</answer>"
WRONG = "The answer is \\boxed{5}."
LOST = "(("  # a reference that nothing can be compared with
MATH = [{"name": "math"}]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("adapters")
    with live_service(directory, sandbox_backend="off", pool_workers=1) as running:
        yield running


@pytest.fixture
def proxy(service: LiveService) -> Iterator[FlakyProxy]:
    with flaky_proxy(service.url) as running:
        yield running


@pytest.fixture
def environment(service: LiveService, monkeypatch: pytest.MonkeyPatch) -> None:
    """For trainers that pass an adapter nothing but its name."""
    monkeypatch.setenv("RULEGRADE_URL", service.url)
    monkeypatch.setenv("RULEGRADE_VERIFIERS", json.dumps(MATH))


# ── TRL ──


def ask_trl(functions: Sequence[ComponentReward], **columns: Any) -> list[list[float | None]]:
    """One step, as GRPOTrainer makes it: every function at once, with the same lists."""
    count = len(columns["completions"])
    columns = {"prompts": ["What is 8/2?"] * count, **columns}

    async def step() -> list[list[float | None]]:
        return await asyncio.gather(*(function(**columns) for function in functions))

    return asyncio.run(step())


def test_trl_functions_share_one_request(proxy: FlakyProxy) -> None:
    functions = reward_funcs(["math", "format", "reward"], url=proxy.url, verifiers="r1-zero")
    assert [function.__name__ for function in functions] == ["math", "format", "reward"]
    scores = ask_trl(functions, completions=[RIGHT, WRONG], ground_truth=["4", "5"])
    assert scores == [[1.0, 1.0], [1.0, 0.0], [2.0, 1.0]]
    assert len(proxy.seen) == 1
    ask_trl(functions, completions=[RIGHT, WRONG], ground_truth=["4", "5"])
    assert len(proxy.seen) == 2


def test_trl_functions_survive_pickling_and_still_share(proxy: FlakyProxy) -> None:
    made = reward_funcs(["math", "format"], url=proxy.url, verifiers="r1-zero")
    functions: list[ComponentReward] = pickle.loads(pickle.dumps(made))  # noqa: S301 - ours
    assert ask_trl(functions, completions=[RIGHT], solution=["4"]) == [[1.0], [1.0]]
    assert len(proxy.seen) == 1


def test_trl_takes_chat_messages(service: LiveService) -> None:
    functions = reward_funcs(url=service.url, verifiers=MATH)
    chat = [[{"role": "assistant", "content": RIGHT, "tool_calls": []}]]
    prompts = [[{"role": "user", "content": "What is 8/2?"}]]
    assert ask_trl(functions, prompts=prompts, completions=chat, answer=["4"]) == [[1.0]]


def test_trl_is_told_none_for_a_row_that_we_failed_on(service: LiveService) -> None:
    functions = reward_funcs(["math", "format"], url=service.url, verifiers="r1-zero")
    scores = ask_trl(functions, completions=[RIGHT, RIGHT], answer=["4", LOST])
    assert scores == [[1.0, None], [1.0, None]]  # the format alone would be a wrong reward


def test_trl_is_told_none_by_the_one_rule_that_does_not_apply(service: LiveService) -> None:
    listed = [*MATH, {"name": "language", "params": {"target": "en"}}]
    functions = reward_funcs(["math", "language"], url=service.url, verifiers=listed)
    scores = ask_trl(functions, completions=["\\boxed{4}"], answer=["4"])
    assert scores == [[1.0], [None]]  # too little text to tell a language


def test_trl_logs_how_much_has_no_score(service: LiveService) -> None:
    logged: dict[str, float] = {}
    functions = reward_funcs(["math"], url=service.url, verifiers=MATH)
    columns = {"completions": [RIGHT] * 4, "answer": ["4", "4", "4", LOST]}
    ask_trl(functions, **columns, log_metric=logged.__setitem__)
    assert logged == {"math/not_scored": 0.25}


def test_a_row_may_bring_its_own_verifiers(service: LiveService) -> None:
    functions = reward_funcs(url=service.url, verifiers=MATH)
    own = [None, json.dumps([{"name": "exact", "weight": 3.0}])]
    columns = {"completions": ["\\boxed{4}", "paris"], "answer": ["4", "Paris"], "verifiers": own}
    assert ask_trl(functions, **columns) == [[1.0, 3.0]]


# ── what is done about failures, for every adapter by way of the same object ──


def test_without_a_service_masked_rows_are_none_and_never_zero() -> None:
    options: dict[str, Any] = {"url": "http://127.0.0.1:9", "deadline_ms": 500, "grace_s": 0.1}
    functions = reward_funcs(["math"], verifiers=MATH, **options)
    assert ask_trl(functions, completions=[RIGHT, WRONG], answer=["4", "4"]) == [[None, None]]


@pytest.mark.parametrize("on_error", ["raise", "retry"])
def test_without_a_service_the_others_raise(on_error: OnError) -> None:
    options: dict[str, Any] = {"url": "http://127.0.0.1:9", "deadline_ms": 500, "grace_s": 0.1}
    functions = reward_funcs(["math"], verifiers=MATH, on_error=on_error, patience_s=0.5, **options)
    with pytest.raises(Unreachable):
        ask_trl(functions, completions=[RIGHT], answer=["4"])


@pytest.mark.parametrize("on_error", ["raise", "retry"])
def test_a_row_that_can_never_be_scored_raises_at_once(
    proxy: FlakyProxy, on_error: OnError
) -> None:
    functions = reward_funcs(["math"], url=proxy.url, verifiers=MATH, on_error=on_error)
    with pytest.raises(NotScored, match="gold_unparseable"):
        ask_trl(functions, completions=[RIGHT, RIGHT], answer=["4", LOST])
    assert len(proxy.seen) == 1


@pytest.mark.parametrize("on_error", ["mask", "raise", "retry"])
def test_a_wrong_configuration_always_raises(service: LiveService, on_error: OnError) -> None:
    functions = reward_funcs(
        ["math"], url=service.url, verifiers=[{"name": "maths"}], on_error=on_error
    )
    with pytest.raises(BadRequest, match="unknown verifier"):
        ask_trl(functions, completions=[RIGHT], answer=["4"])


def test_retry_sends_only_what_has_no_score_yet(proxy: FlakyProxy) -> None:
    code = [{"name": "code", "params": {"tests": [{"input": "", "output": "3"}]}}]
    remote = RemoteRewards(proxy.url, on_error="retry", patience_s=0.1)
    items = [
        {"completion": RIGHT, "ground_truth": "4", "verifiers": MATH},
        {"completion": "```python\nprint(3)\n```", "verifiers": code},  # the sandbox is off
    ]
    with pytest.raises(NotScored, match="sandbox_unavailable"):
        remote.score(items)
    counts = [len(seen.items) for seen in proxy.seen]
    assert counts[0] == 2
    assert set(counts[1:]) <= {1}


def test_a_trainer_that_cannot_mask_is_told_so_at_once(service: LiveService) -> None:
    with pytest.raises(ValueError, match="cannot leave a sample out"):
        RemoteRewards(service.url, on_error="mask")


def test_verifiers_that_nobody_chose_are_missed_at_once(
    service: LiveService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RULEGRADE_VERIFIERS", raising=False)
    with pytest.raises(ValueError, match="RULEGRADE_VERIFIERS"):
        ask_trl(reward_funcs(url=service.url), completions=[RIGHT], answer=["4"])


# ── one completion at a time: verl, OpenRLHF, slime, AReaL, verifiers, torchforge, torchtitan ──


async def test_verl_trajectories_of_one_moment_travel_together(proxy: FlakyProxy) -> None:
    calls = [
        verl.compute_score("gsm8k", text, "4", {"index": at}, url=proxy.url, verifiers=MATH)
        for at, text in enumerate([RIGHT, WRONG] * 32)
    ]
    answers = await asyncio.gather(*calls)
    assert answers[:2] == [{"score": 1.0, "acc": 1.0}, {"score": 0.0, "acc": 0.0}]
    assert {tuple(answer) for answer in answers} == {("score", "acc")}
    assert len(proxy.seen) < 8


def test_verl_threads_travel_together_too(proxy: FlakyProxy) -> None:
    def score(text: str) -> float:
        options: dict[str, Any] = {
            "url": proxy.url,
            "verifiers": {"*": MATH},
            "tokenizer": object(),
        }
        return verl.compute_score_blocking("gsm8k", text, "4", **options)["score"]

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(score, [RIGHT, WRONG] * 8)) == [1.0, 0.0] * 8
    assert len(proxy.seen) < 16


async def test_verl_gets_no_number_where_there_is_none(service: LiveService) -> None:
    with pytest.raises(NotScored, match="gold_unparseable"):
        await verl.compute_score("gsm8k", RIGHT, LOST, url=service.url, verifiers=MATH)


@pytest.mark.usefixtures("environment")
def test_openrlhf_gets_lists() -> None:
    prompt = "What is 8/2? Not \\boxed{5}."
    label = json.dumps({"ground_truth": "4", "verifiers": [*MATH, {"name": "format"}]})
    queries = [prompt + RIGHT + "<|im_end|>\n</s>", prompt + "?"]
    got = openrlhf.reward_func(queries, [prompt] * 2, [label, "5"])
    assert got["rewards"] == [2.0, 0.0]
    assert got["extra_logs"] == {"correct": [1.0, 0.0]}


@dataclass
class Sample:
    """slime's, as far as a reward sees it."""

    response: str
    label: str | None = "4"
    prompt: Any = "What is 8/2?"
    metadata: dict[str, Any] = field(default_factory=dict)


@pytest.mark.usefixtures("environment")
async def test_slime_may_bring_one_sample_or_a_group() -> None:
    assert await slime.custom_rm(None, Sample(RIGHT)) == 1.0
    own = {"verifiers": [{"name": "exact", "weight": 2.0}]}
    group = [Sample(RIGHT), Sample(WRONG), Sample("4", metadata=own)]
    assert await slime.custom_rm(None, group) == [1.0, 0.0, 2.0]


@pytest.mark.usefixtures("environment")
def test_swift_gets_none_for_a_row_that_we_failed_on() -> None:
    rewards = swift.RewardService()([RIGHT, WRONG, RIGHT], solution=["4", "4", LOST], name="run")
    assert rewards == [1.0, 0.0, None]


@pytest.mark.usefixtures("environment")
async def test_areal_gets_a_float() -> None:
    reward = areal.reward_fn("8/2?", WRONG, [1], [2], answer="4")
    assert (reward, type(reward)) == (0.0, float)
    assert await areal.reward_fn_async("8/2?", RIGHT, [1], [2], answer="4") == 1.0


async def test_rubric_functions_have_the_components_names(service: LiveService) -> None:
    names = ["math", "format"]
    functions = verifiers.component_functions(names, url=service.url, verifiers="r1-zero")
    assert [function.__name__ for function in functions] == names
    messages = [{"role": "assistant", "content": RIGHT}]
    prompt = [{"role": "user", "content": "What is 8/2?"}]
    scores = [await f(completion=messages, answer="4", prompt=prompt) for f in functions]
    assert scores == [1.0, 1.0]


@pytest.mark.usefixtures("environment")
async def test_torchforge_and_torchtitan_get_a_float() -> None:
    assert torch_rl.forge_reward("8/2?", RIGHT, "4") == 1.0
    rollout, row = Sample(WRONG), Sample("", label="4")
    assert await torch_rl.TitanReward()(rollout, row) == 0.0


ONE_AT_A_TIME: list[Callable[[str], Any]] = [
    lambda label: asyncio.run(slime.custom_rm(None, Sample(RIGHT, label))),
    lambda label: areal.reward_fn("8/2?", RIGHT, answer=label),
    lambda label: torch_rl.forge_reward("8/2?", RIGHT, label),
    lambda label: openrlhf.reward_func(["?" + RIGHT], ["?"], [label]),
]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("call", ONE_AT_A_TIME, ids=["slime", "areal", "torchforge", "openrlhf"])
def test_trainers_that_cannot_mask_get_an_exception(call: Callable[[str], Any]) -> None:
    with pytest.raises(NotScored):
        call(LOST)


# ── a service that dies ──


def test_a_killed_service_gives_none_or_an_exception_and_no_number(tmp_path: Path) -> None:
    with live_service(tmp_path, sandbox_backend="off", pool_workers=1) as mortal:
        options: dict[str, Any] = {"url": mortal.url, "verifiers": MATH, "grace_s": 1.0}
        masking = reward_funcs(["math"], deadline_ms=1_000, **options)
        raising = reward_funcs(["math"], deadline_ms=1_000, on_error="raise", **options)
        batch: dict[str, Any] = {"completions": [RIGHT, WRONG], "answer": ["4", "4"]}
        assert ask_trl(masking, **batch) == [[1.0, 0.0]]
        mortal.process.kill()
        mortal.process.wait()
        assert ask_trl(masking, **batch) == [[None, None]]
        with pytest.raises(RewardClientError):
            ask_trl(raising, **batch)
