"""API keys: what is stored is a hash, and only the key itself opens."""

from pathlib import Path

import pytest

from reward_service.api.keys import ApiKey, find_key, load_keys, new_api_key
from reward_service.settings import BadSettings, load_settings


def test_a_new_key_is_found_by_its_hash_and_by_nothing_else() -> None:
    pairs = [new_api_key() for _ in range(3)]
    keys = load_keys(load_settings({"api_keys": ",".join(digest for _, digest in pairs)}))
    assert [find_key(keys, key) for key, _ in pairs] == list(keys)
    for stranger in (new_api_key()[0], pairs[0][1], pairs[0][0].upper(), "", "ü"):
        assert find_key(keys, stranger) is None


def test_new_keys_differ_and_hold_256_bits() -> None:
    keys = {new_api_key()[0] for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key.removeprefix("rg_")) == 43 for key in keys)  # 32 bytes in base 64


def test_a_key_file_holds_names_comments_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# trainers\n\nstep-2:sha256:{'a' * 64}  # in use\nsha256:{'b' * 64}\n")
    keys = load_keys(load_settings({"api_keys_file": str(path)}))
    assert keys == (ApiKey("step-2", "a" * 64), ApiKey("b" * 8, "b" * 64))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("rg_a-key-itself", id="key"),
        pytest.param("sha256:abc", id="short"),
        pytest.param("md5:" + "a" * 32, id="other-hash"),
        pytest.param("sha256:" + "A" * 64, id="upper-case"),
        pytest.param("a b:sha256:" + "a" * 64, id="name-with-a-space"),
    ],
)
def test_what_is_no_hash_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(f"\n{text}\n")
    with pytest.raises(BadSettings, match=r"^api_keys_file: line 2") as refusal:
        load_keys(load_settings({"api_keys_file": str(path)}))
    assert text not in str(refusal.value)


def test_a_file_without_a_key_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# none yet\n")
    with pytest.raises(BadSettings, match="holds no key"):
        load_keys(load_settings({"api_keys_file": str(path)}))
    with pytest.raises(BadSettings, match="cannot be read"):
        load_keys(load_settings({"api_keys_file": str(tmp_path / "nowhere")}))
