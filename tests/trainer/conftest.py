"""A service and a language model for the tests here; imports nothing that may be missing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_service import LiveService, live_service

# before torch is imported, and for processes started here: its threads would wait for one another
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """A service that runs no programs."""
    directory = tmp_path_factory.mktemp("trainer")
    with live_service(directory, sandbox_backend="off", pool_workers=1) as running:
        yield running


@pytest.fixture(scope="session")
def hub_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers with a tokenizer, saved as `from_pretrained` reads it."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    tokenizers = pytest.importorskip("tokenizers")
    directory = tmp_path_factory.mktemp("llama")
    vocabulary = {letter: number for number, letter in enumerate("0123456789+=")}
    vocabulary |= {"<pad>": 12, "<end>": 13}
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<pad>"))  # noqa: S106
    words.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    words.decoder = tokenizers.decoders.Fuse()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        eos_token="<end>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
    ).save_pretrained(directory)
    torch.manual_seed(0)
    shape = transformers.LlamaConfig(
        vocab_size=14,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        eos_token_id=13,
        pad_token_id=12,
    )
    transformers.LlamaForCausalLM(shape).save_pretrained(directory)
    return directory
