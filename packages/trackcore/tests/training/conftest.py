import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_task():
    """The class of the small task beside this file, which scripts run by path share."""
    spec = importlib.util.spec_from_file_location("training_task", Path(__file__).with_name("training_task.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TinyTask
