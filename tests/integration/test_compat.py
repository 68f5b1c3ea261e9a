"""Other projects' requests, in the shapes that their own clients were recorded to send."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reward_service.api.keys import new_api_key
from tests.live_service import LiveService, live_service

KEY, HASH = new_api_key()
SOURCES = {"*": [{"name": "math"}], "capitals": [{"name": "exact"}], "shaped": "r1-zero"}
RIGHT = "<think>Half of eight.</think>The answer is \\boxed{4}."
WRONG = "The answer is \\boxed{5}."
UNGRADABLE = "(("  # a reference that nothing can be compared with: our failure, never a 0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("compat")
    sources = json.dumps(SOURCES)
    with live_service(
        directory, sandbox_backend="off", pool_workers=1, data_sources=sources, api_keys=HASH
    ) as running:
        yield running


def post(service: LiveService, path: str, body: Any, **headers: str) -> httpx.Response:
    return httpx.post(service.url + path, json=body, headers={"X-API-Key": KEY} | headers)


def answer(service: LiveService, path: str, body: Any, **headers: str) -> Any:
    response = post(service, path, body, **headers)
    assert response.status_code == 200, response.text
    return response.json()


# ── OpenRLHF ──


def openrlhf(response: str, label: str = "4") -> dict[str, Any]:
    prompt = "<|user|>What is 8/2? Not \\boxed{5}.<|end|>\n<|assistant|>\n"
    return {"query": ["<s>" + prompt + response], "prompts": [prompt], "labels": [label]}


def test_openrlhf_gets_lists_of_numbers(service: LiveService) -> None:
    got = answer(service, "/get_reward", openrlhf(RIGHT + "<|im_end|>\n</s>"))
    logs = {"correct": [1.0], "infra_error": [0.0]}
    assert got == {"rewards": [1.0], "scores": [1.0], "extra_logs": logs}


def test_openrlhf_prompts_are_not_read_for_answers(service: LiveService) -> None:
    assert answer(service, "/get_reward", openrlhf("I do not know.", "5"))["rewards"] == [0.0]


def test_openrlhf_query_without_its_prompt_is_refused(service: LiveService) -> None:
    body = openrlhf(RIGHT) | {"prompts": ["another prompt"]}
    assert post(service, "/get_reward", body).status_code == 422


def test_end_marks_of_a_tokenizer_break_no_format(service: LiveService) -> None:
    label = json.dumps({"ground_truth": "4", "verifiers": "r1-zero"})
    text = "<think>Half of eight is four.</think>\n<answer>4</answer><|im_end|>\n<|endoftext|>"
    got = answer(service, "/get_reward", openrlhf(text, label))
    assert got["rewards"] == [2.0]
    assert got["scores"] == [1.0]


def test_openrlhf_failure_is_marked_and_not_null(service: LiveService) -> None:
    got = answer(service, "/get_reward", openrlhf(RIGHT, UNGRADABLE))
    assert got["rewards"] == [0.0]
    assert got["extra_logs"]["infra_error"] == [1.0]


def test_a_caller_may_prefer_no_number_to_a_marked_zero(service: LiveService) -> None:
    refused = post(service, "/get_reward?on_failure=refuse", openrlhf(RIGHT, UNGRADABLE))
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0


# ── slime, miles ──


@pytest.mark.parametrize(("response", "reward"), [(RIGHT, 1.0), (WRONG, 0.0)])
@pytest.mark.parametrize(
    "prompt", ["What is 8/2?", [{"role": "user", "content": "What is 8/2?"}], None]
)
def test_slime_gets_the_bare_number(
    service: LiveService, prompt: Any, response: str, reward: float
) -> None:
    body = {"prompt": prompt, "response": response, "label": "4"}
    got = post(service, "/compat/slime", body)
    assert got.text == str(reward)  # `0.0`, never `0`: strict clients want a float


def test_slime_gets_an_object_for_a_reward_key(service: LiveService) -> None:
    body = {"prompt": "8/2?", "response": RIGHT, "label": "4"}
    got = answer(service, "/compat/slime?full=1", body)
    assert got["reward"] == 1.0
    assert got["components"] == {"math": 1.0}


def test_slime_is_refused_where_we_failed(service: LiveService) -> None:
    body = {"prompt": "8/2?", "response": RIGHT, "label": UNGRADABLE}
    assert post(service, "/compat/slime", body).status_code == 503
    assert answer(service, "/compat/slime?on_failure=zero", body) == 0.0


def test_a_failure_that_may_pass_is_held_and_then_told(service: LiveService) -> None:
    label = {"inputs": ["1 2\n"], "outputs": ["3\n"]}  # a program, and the sandbox is off
    body = {"prompt": "Add.", "response": "```python\nprint(3)\n```", "label": json.dumps(label)}
    got = post(service, "/compat/slime?hold_s=1.5", body)
    assert got.status_code == 503
    assert got.elapsed.total_seconds() < 30


# ── NeMo Gym, NeMo RL, verifiers, axolotl ──


def gym_row(text: str, **fields: Any) -> dict[str, Any]:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    return {
        "responses_create_params": {"input": [{"role": "user", "content": "What is 8/2?"}]},
        "response": {
            "id": "resp_1",
            "created_at": 1.0,
            "model": "m",
            "object": "response",
            "output": [message],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        },
        **fields,
    }


def test_nemo_gym_sessions_need_nothing(service: LiveService) -> None:
    assert answer(service, "/seed_session", gym_row(RIGHT, question="8/2?")) == {}
    mode = httpx.get(f"{service.url}/reverify_mode", headers={"X-API-Key": KEY})
    assert mode.json() == "stateless"


def test_nemo_gym_gets_its_row_back_with_a_reward(service: LiveService) -> None:
    row = gym_row(RIGHT, question="8/2?", expected_answer="4", _ng_task_index=7)
    got = answer(service, "/verify", row)
    assert {key: got[key] for key in row} == row
    assert got["reward"] == 1.0
    assert got["mask_sample"] is False
    assert got["extracted_answer"] == "4"


def test_nemo_rl_gets_components_that_sum_up_exactly(service: LiveService) -> None:
    verifiers = [{"name": "math", "weight": 0.1}, {"name": "format", "weight": 0.7}]
    text = "<think>Half of eight is four.</think>\n<answer>4</answer>"
    got = answer(service, "/verify", gym_row(text, ground_truth="4", verifiers=verifiers))
    assert got["reward"] == sum(got["reward_components"].values())
    assert got["reward_components"] == {"math": 0.1, "format": 0.7}


def test_nemo_gym_reasoning_is_a_thought_and_no_answer(service: LiveService) -> None:
    row = gym_row("I give up.", expected_answer="4")
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"text": "\\boxed{4}"}]}
    row["response"]["output"].insert(0, thought)
    assert answer(service, "/verify", row)["reward"] == 0.0


def test_nemo_gym_data_sources_choose_the_rule(service: LiveService) -> None:
    row = gym_row("paris", expected_answer="Paris", data_source="capitals")
    assert answer(service, "/verify", row)["reward"] == 1.0


def test_nemo_gym_failure_is_masked_three_times(service: LiveService) -> None:
    row = gym_row(RIGHT, expected_answer=UNGRADABLE, instance_config={"env": 1})
    got = answer(service, "/verify", row)
    assert got["reward"] == 0.0
    assert got["mask_sample"] is True
    assert got["instance_config"] == {"env": 1, "mask_sample": True}
    assert got["_ng_failure_class"] == "gold_unparseable"


def test_verifiers_can_ask_for_an_error_in_place_of_a_mask(service: LiveService) -> None:
    row = gym_row(RIGHT, expected_answer=UNGRADABLE)
    refused = post(service, "/verify", row, **{"X-Reward-On-Failure": "refuse"})
    assert refused.status_code == 503


def test_nemo_gym_statistics_leave_masked_rows_out(service: LiveService) -> None:
    rows = [
        {"_ng_task_index": 0, "reward": 1.0, "mask_sample": False},
        {"_ng_task_index": 0, "reward": 0.0, "mask_sample": False},
        {"_ng_task_index": 3, "reward": 1.0, "mask_sample": False},
        {"_ng_task_index": 3, "reward": 0.0, "mask_sample": True},
    ]
    got = answer(service, "/aggregate_metrics", {"verify_responses": rows})
    assert got["key_metrics"]["mean/reward"] == pytest.approx(2 / 3)
    means = {group["_ng_task_index"]: group["mean/reward"] for group in got["group_level_metrics"]}
    assert means == {0: 0.5, 3: 1.0}


# ── hosted trainers ──


def vertex_sample(text: str, answer_text: str) -> dict[str, Any]:
    return {
        "example": {
            "contents": [{"role": "user", "parts": [{"text": "What is 8/2?"}]}],
            "references": {"answer": answer_text},
        },
        "response": {"parts": [{"text": "\\boxed{5}", "thought": True}, {"text": text}]},
        "metadata": {"step": 1, "tuning_job_id": 123},
    }


def test_vertex_gets_a_reward(service: LiveService) -> None:
    got = answer(service, "/compat/vertex", vertex_sample("\\boxed{4}", "4"))
    assert got["reward"] == 1.0
    assert isinstance(got["user_requested_aux_info"], str)


def test_vertex_is_refused_where_we_failed(service: LiveService) -> None:
    failed = post(service, "/compat/vertex", vertex_sample("\\boxed{4}", UNGRADABLE))
    assert failed.status_code == 503


def test_nova_gets_a_list_in_order(service: LiveService) -> None:
    def sample(name: str, text: str, **reference: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": "8/2?"}, {"role": "assistant", "content": text}]
        return {"id": name, "messages": messages, **reference}

    body = [
        sample("bedrock", RIGHT, metadata={"reference_answer": {"answer": "4"}}),
        sample("sagemaker", WRONG, reference_answer="4"),
        sample("lost", RIGHT, reference_answer=UNGRADABLE),
    ]
    got = answer(service, "/compat/nova", body)
    assert [one["id"] for one in got] == ["bedrock", "sagemaker", "lost"]
    assert [one["aggregate_reward_score"] for one in got] == [1.0, 0.0, 0.0]
    errors = [metric["value"] for one in got for metric in one["metrics_list"][:1]]
    assert errors == [0.0, 0.0, 1.0]
    assert got[0]["metrics_list"][1] == {"name": "math", "value": 1.0, "type": "Reward"}


@pytest.mark.parametrize(
    ("label", "score", "is_valid"),
    [("4", 1.0, True), ("6", 0.0, True), (UNGRADABLE, 0.0, False)],
)
def test_eval_protocol_is_told_what_is_valid(
    service: LiveService, label: str, score: float, is_valid: bool
) -> None:
    messages = [{"role": "user", "content": "8/2?"}, {"role": "assistant", "content": RIGHT}]
    got = answer(service, "/evaluate", {"messages": messages, "ground_truth": label, "kwargs": {}})
    assert got["score"] == score
    assert got["is_score_valid"] is is_valid
    assert (got["error"] is None) is is_valid


# ── labels, keys, bad requests ──


def test_a_label_may_be_a_whole_task_as_text(service: LiveService) -> None:
    label = json.dumps({"ground_truth": "paris", "verifiers": [{"name": "exact", "weight": 3.0}]})
    body = {"prompt": "Capital?", "response": "Paris", "label": label}
    assert answer(service, "/compat/slime", body) == 3.0


def test_a_set_is_a_label_although_it_begins_with_a_brace(service: LiveService) -> None:
    body = {"prompt": "Roots?", "response": "\\boxed{\\{2, 1\\}}", "label": "{1, 2}"}
    assert answer(service, "/compat/slime", body) == 1.0


def test_the_url_may_name_the_data_source(service: LiveService) -> None:
    body = {"prompt": "Capital?", "response": "paris", "label": "Paris"}
    assert answer(service, "/compat/slime?data_source=capitals", body) == 1.0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/get_reward", {"query": ["a"], "prompts": [], "labels": []}, id="lengths"),
        pytest.param("/compat/slime", {"prompt": "a"}, id="no-response"),
        pytest.param("/compat/slime", {"response": "a", "label": None}, id="no-label"),
        pytest.param(
            "/compat/slime",
            {"response": "a", "label": '{"verifiers": [{"name": "no"}]}'},
            id="rule",
        ),
        pytest.param("/verify", {"response": {}}, id="no-params"),
        pytest.param(
            "/verify", {"responses_create_params": {}, "response": {"output": [1]}}, id="output"
        ),
        pytest.param("/compat/nova", [], id="empty-list"),
        pytest.param("/evaluate", {"messages": [{"role": "user", "content": "a"}]}, id="no-answer"),
    ],
)
def test_what_cannot_be_scored_as_written_is_refused(
    service: LiveService, path: str, body: Any
) -> None:
    refused = post(service, path, body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["code"] == "invalid_request"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X-Api-Key": KEY}, id="header"),
        pytest.param({"Authorization": f"Bearer {KEY}"}, id="bearer"),
        pytest.param(
            {"Authorization": "Basic " + base64.b64encode(f"any:{KEY}".encode()).decode()},
            id="basic-as-from-a-url",
        ),
    ],
)
def test_a_key_may_come_in_any_form(service: LiveService, headers: dict[str, str]) -> None:
    body = {"prompt": "8/2?", "response": RIGHT, "label": "4"}
    url = f"{service.url}/compat/slime"
    assert httpx.post(url, json=body, headers=headers).json() == 1.0


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic !!!"}, {"X-API-Key": HASH}])
def test_no_foreign_path_is_open_without_a_key(
    service: LiveService, headers: dict[str, str]
) -> None:
    body = {"prompt": "8/2?", "response": RIGHT, "label": "4"}
    assert httpx.post(f"{service.url}/compat/slime", json=body, headers=headers).status_code == 401


@pytest.mark.parametrize(
    "sources",
    ["not JSON", "[]", '{"*": [{"name": "nonsense"}]}', '{"*": [{"weigth": 1}]}', '{"*": "r2"}'],
)
def test_a_table_of_data_sources_that_says_nonsense_stops_the_start(
    tmp_path: Path, sources: str
) -> None:
    with (
        pytest.raises(RuntimeError, match="data_sources"),
        live_service(tmp_path, sandbox_backend="off", pool_workers=1, data_sources=sources),
    ):
        pass
