"""The model that comes with the package; README.md in this folder is its card."""

from pathlib import Path

SHIPPED = Path(__file__).with_name("tiny.safetensors")
