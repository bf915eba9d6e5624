import pytest
import torch

from trackcore.devices import pick_device


def test_devices_by_name():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device().type in ("cuda", "mps", "cpu")


def test_an_unusable_device_is_named():
    with pytest.raises(ValueError, match=r"device 'abacus' cannot be used here .*try 'auto' or 'cpu'"):
        pick_device("abacus")
