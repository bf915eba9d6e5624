"""Train the small task from the command line: ``run_tiny.py RUN_DIR EPOCHS SECONDS_PER_STEP [shard] [accumulate]``."""

import json
import sys
import time
from pathlib import Path

from training_task import TinyTask

from trackcore.training import LoopConfig, Trainer


def main() -> None:
    run_dir, epochs, pause = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    config = LoopConfig(
        epochs=epochs,
        samples_per_epoch=32,
        batch_size=8,
        validation_samples=5,
        workers=1,
        log_every=1,
        log_to="none",
        shard="shard" in sys.argv[4:],
        micro_batch=2 if "accumulate" in sys.argv[4:] else None,
    )
    task = TinyTask(dropout=0.0, optimizer="sgd", hook=lambda step: time.sleep(pause))
    summary = Trainer(config, task, run_dir).fit()
    print(json.dumps({"steps": summary.steps, "interrupted": summary.interrupted}))


if __name__ == "__main__":
    main()
