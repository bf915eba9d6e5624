.PHONY: setup demo test lint

setup: ; tools/bootstrap.sh
demo: ; tools/train_all.sh
test: ; tools/test_all.sh
lint: ; tools/bootstrap.sh && .venv/bin/python -m ruff check . && .venv/bin/python -m ruff format --check .
