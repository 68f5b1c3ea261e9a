"""The other modules here are skipped without torch; this one says whether that is an accident."""

import importlib.util

import pytest

from tests.conftest import missing


@pytest.mark.parametrize("package", ["torch", "transformers", "tensorboard", "matplotlib"])
def test_what_the_trainer_needs_is_there(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        missing("trainer", f"{package} is not installed; python3 dev.py test installs it")
