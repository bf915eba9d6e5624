import errno
import io
import json
import multiprocessing
import os
import signal

import pytest
import torch

from trackcore import checkpoints
from trackcore.training import LoopConfig, NonFiniteError, ResumeError, Trainer, resuming


def config(**changes) -> LoopConfig:
    base = {"epochs": 3, "samples_per_epoch": 40, "batch_size": 8, "workers": 0, "log_to": "none", "device": "cpu"}
    return LoopConfig(**{**base, **changes})


def weights(task) -> torch.Tensor:
    return torch.cat([value.flatten() for value in task.model.state_dict().values()])


def records(run_dir, event: str) -> list[dict]:
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


@pytest.fixture(scope="module")
def uninterrupted(tiny_task, tmp_path_factory):
    """The task trained in one go, and its folder."""
    task, run_dir = tiny_task(), tmp_path_factory.mktemp("uninterrupted")
    loop = config(validation_samples=11, best_metric="total", best_mode="min", log_every=1)
    summary = Trainer(loop, task, run_dir).fit()
    return loop, task, run_dir, summary


class TestResuming:
    @pytest.mark.parametrize("stops", [[7], [5], [1, 1, 9], [14]])  # within an epoch, at its end, at once, near the end
    def test_goes_on_bit_for_bit(self, tiny_task, tmp_path, uninterrupted, stops):
        loop, whole, whole_dir, whole_summary = uninterrupted
        totals = []
        for stop_after in [*stops, None]:
            task = tiny_task()
            summary = Trainer(loop, task, tmp_path).fit(stop_after=stop_after)
            totals += task.totals
            assert summary.interrupted == (stop_after is not None)
        assert totals == whole.totals
        assert torch.equal(weights(task), weights(whole))
        assert summary.train == whole_summary.train
        assert summary.validation == whole_summary.validation
        assert summary.best == whole_summary.best
        assert summary.faults == whole_summary.faults
        kept = ("step", "epoch", "total", "accuracy", "lr", "grad_norm")
        for event in ("step", "epoch", "validation"):
            mine, theirs = records(tmp_path, event), records(whole_dir, event)
            assert [[entry.get(key) for key in kept] for entry in mine] == [
                [entry.get(key) for key in kept] for entry in theirs
            ]
        ours = checkpoints.load(tmp_path / "weights.safetensors").state
        assert all(
            torch.equal(ours[name], value)
            for name, value in checkpoints.load(whole_dir / "weights.safetensors").state.items()
        )

    def test_training_without_resuming_differs(self, tiny_task, tmp_path, uninterrupted):
        # the comparison above can fail: another seed changes the samples and the dropout
        task = tiny_task()
        Trainer(config(seed=1), task, tmp_path).fit()
        assert task.totals != uninterrupted[1].totals

    def test_a_finished_run_returns_at_once(self, tiny_task, uninterrupted):
        loop, whole, run_dir, summary = uninterrupted
        task = tiny_task()
        again = Trainer(loop, task, run_dir).fit()
        assert (again.steps, again.epochs, again.interrupted) == (15, 3, False)
        assert again.validation == summary.validation
        assert task.totals == []
        assert torch.equal(weights(task), weights(whole))

    def test_more_epochs_continue(self, tiny_task, tmp_path):
        Trainer(config(epochs=1), tiny_task(), tmp_path).fit()
        summary = Trainer(config(epochs=2), task := tiny_task(), tmp_path).fit()
        assert (summary.steps, len(task.totals)) == (10, 5)

    @pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
    def test_a_damaged_checkpoint_falls_back(self, tiny_task, tmp_path, uninterrupted, damage, capsys):
        loop, whole, _, _ = uninterrupted
        Trainer(loop, tiny_task(), tmp_path).fit(stop_after=7)
        steps = resuming.saved_steps(tmp_path / "checkpoints")
        last = resuming.checkpoint_path(tmp_path / "checkpoints", steps[-1])
        raw = bytearray(last.read_bytes())
        raw[len(raw) // 2] ^= 1
        last.write_bytes({"truncated": raw[: len(raw) // 2], "flipped": raw, "empty": b""}[damage])
        task = tiny_task()
        Trainer(loop, task, tmp_path).fit()
        assert task.totals == whole.totals[5:]  # the epoch's end before it
        said = (tmp_path / "log.txt").read_text()
        assert "step_00000007.pt is damaged" in said
        assert "going on after step 5" in said
        assert "step_00000007.pt is damaged" in capsys.readouterr().out

    def test_other_sampling_is_refused(self, tiny_task, tmp_path):
        Trainer(config(), tiny_task(), tmp_path).fit(stop_after=1)
        with pytest.raises(ResumeError, match=r"batch_size 8 -> 4; choose another folder"):
            Trainer(config(batch_size=4), tiny_task(), tmp_path).fit()

    def test_another_network_is_refused(self, tiny_task, tmp_path):
        Trainer(config(), tiny_task(), tmp_path).fit(stop_after=1)
        other = tiny_task()
        other.model.layers[3] = torch.nn.Linear(16, 2)
        with pytest.raises(checkpoints.CheckpointMismatchError, match=r"another network.*\n.*\[1, 16\].*\[2, 16\]"):
            Trainer(config(), other, tmp_path).fit()

    def test_a_fresh_start_overwrites_nothing(self, tiny_task, tmp_path):
        Trainer(config(), tiny_task(), tmp_path).fit(stop_after=3)
        with pytest.raises(ResumeError, match="holds a training at step 3"):
            Trainer(config(), tiny_task(), tmp_path).fit(resume=False)
        assert resuming.saved_steps(tmp_path / "checkpoints") == [3]

    def test_lines_of_a_killed_run_are_removed(self, tiny_task, tmp_path):
        loop = config(log_every=1)
        Trainer(loop, tiny_task(), tmp_path).fit(stop_after=2)
        with (tmp_path / "metrics.jsonl").open("a") as file:
            file.write('{"event": "step", "step": 3, "epoch": 1, "total": 99}\n{"event": "st')
        Trainer(loop, tiny_task(), tmp_path).fit()
        found = records(tmp_path, "step")
        assert [entry["step"] for entry in found] == list(range(1, 16))
        assert found[2]["total"] != 99


class TestLeftover:
    """Forty-six samples in steps of eight and micro-batches of two: five steps and three micro-batches."""

    def loop(self, leftover: str, **changes) -> LoopConfig:
        return config(samples_per_epoch=46, micro_batch=2, leftover=leftover, log_every=1, **changes)

    def test_a_smaller_step_has_the_mean_gradient_of_its_micro_batches(self, tiny_task, tmp_path):
        task = tiny_task(dropout=0.0)
        summary = Trainer(self.loop("step", epochs=1), task, tmp_path / "short").fit()
        assert (summary.steps, len(task.totals)) == (6, 23)
        # the same training with the last three micro-batches as one batch
        first = tiny_task(dropout=0.0)
        Trainer(self.loop("skip", epochs=1), first, tmp_path / "full").fit()
        rest = tiny_task(dropout=0.0)
        rest.model.load_state_dict(first.model.state_dict())
        samples = [rest.train_sample(1, index).sample for index in range(40, 46)]
        batch = {key: torch.stack([torch.as_tensor(sample[key]) for sample in samples]) for key in samples[0]}
        score = rest.model(batch["points"])
        total = torch.nn.functional.binary_cross_entropy_with_logits(score, batch["side"])
        total.backward()
        norm = torch.cat([parameter.grad.flatten() for parameter in rest.model.parameters()]).norm().item()
        last = records(tmp_path / "short", "step")[-1]
        assert last["total"] == pytest.approx(total.item(), rel=1e-5)
        assert last["grad_norm"] == pytest.approx(norm, rel=1e-5)

    def test_lost_micro_batches_count_in_the_means_alone(self, tiny_task, tmp_path):
        lost, skipped = tiny_task(), tiny_task()
        Trainer(self.loop("lose"), lost, tmp_path / "lost").fit()
        Trainer(self.loop("skip"), skipped, tmp_path / "skipped").fit()
        assert torch.equal(weights(lost), weights(skipped))
        assert (len(lost.totals), len(skipped.totals)) == (69, 60)
        first = records(tmp_path / "lost", "epoch")[0]["total"]
        assert first == pytest.approx(sum(lost.totals[:23]) / 23, rel=1e-6)

    @pytest.mark.parametrize("leftover", ["step", "lose"])
    @pytest.mark.parametrize("stop_after", [5, 6, 8])
    def test_goes_on_bit_for_bit(self, tiny_task, tmp_path, leftover, stop_after):
        whole = tiny_task()
        summary = Trainer(self.loop(leftover), whole, tmp_path / "whole").fit()
        part, rest = tiny_task(), tiny_task()
        Trainer(self.loop(leftover), part, tmp_path / "parts").fit(stop_after=stop_after)
        assert Trainer(self.loop(leftover), rest, tmp_path / "parts").fit().train == summary.train
        assert part.totals + rest.totals == whole.totals
        assert torch.equal(weights(rest), weights(whole))

    def test_the_position_counts_micro_batches(self, tiny_task, tmp_path):
        seen = []

        class Watching(tiny_task):
            def learning_rate_factor(self, progress):
                seen.append(progress.position)
                return 1.0

        Trainer(self.loop("lose", epochs=2), Watching(), tmp_path).fit()
        epoch = [number / 23 for number in (0, 4, 8, 12, 16, 20)]  # the last for the logged rate of the lost ones
        assert seen == [*epoch, *(1 + part for part in epoch)]

    def test_another_number_of_steps_is_refused(self, tiny_task, tmp_path):
        Trainer(self.loop("step"), tiny_task(), tmp_path).fit(stop_after=1)
        with pytest.raises(ResumeError, match="steps_per_epoch 6 -> 5"):
            Trainer(self.loop("skip"), tiny_task(), tmp_path).fit()

    def test_the_mean_learning_rate_is_recorded(self, tiny_task, tmp_path):
        class Falling(tiny_task):
            def learning_rate_factor(self, progress):
                return 1.0 - progress.epoch_share

        summary = Trainer(self.loop("step", epochs=1), Falling(), tmp_path).fit()
        rates = [1e-2 * (1 - number // 4 * 4 / 23) for number in range(23)]
        assert records(tmp_path, "epoch")[0]["lr"] == pytest.approx(sum(rates) / 23)
        assert "lr" not in summary.train


class TestCheckpoints:
    def test_the_last_ones_are_kept(self, tiny_task, tmp_path):
        Trainer(config(save_every=2, keep_last=3), tiny_task(), tmp_path).fit()
        assert resuming.saved_steps(tmp_path / "checkpoints") == [12, 14, 15]

    def test_the_best_one_is_kept_and_its_weights_saved(self, tiny_task, tmp_path):
        class Rises(tiny_task):
            """Its validation value is best after the second epoch."""

            def losses(self, model, batch, progress):
                found = super().losses(model, batch, progress)
                found["score"] = torch.tensor([0.0, 0.1, 0.9, 0.3, float("nan")][progress.epoch])
                return found

        loop = config(epochs=4, keep_last=1, validation_samples=5, best_metric="score")
        task = Rises()
        summary = Trainer(loop, task, tmp_path, card={"recipe": "tiny"}).fit()
        assert summary.best == {"metric": "score", "value": pytest.approx(0.9), "step": 10, "epoch": 2}
        assert resuming.saved_steps(tmp_path / "checkpoints") == [10, 20]
        found = checkpoints.load(tmp_path / "weights.safetensors")
        assert (found.epoch, found.meta["card"]["recipe"]) == (2, "tiny")
        kept = resuming.load_step(tmp_path / "checkpoints", 10)["model"]
        assert all(torch.equal(found.state[name], value) for name, value in kept.items())
        assert not torch.equal(found.state["layers.0.weight"], task.model.state_dict()["layers.0.weight"])

    def test_without_a_metric_the_last_weights_are_saved(self, tiny_task, tmp_path):
        task = tiny_task()
        summary = Trainer(config(epochs=1), task, tmp_path).fit()
        found = checkpoints.load(summary.weights)
        assert all(torch.equal(found.state[name], value) for name, value in task.model.state_dict().items())

    def test_training_checkpoints_say_what_they_are(self, tiny_task, tmp_path):
        Trainer(config(), tiny_task(), tmp_path).fit(stop_after=2)
        found = checkpoints.load(tmp_path / "checkpoints" / "step_00000002.pt")
        assert found.kind == "training checkpoint of this library, step 2"
        assert "layers.0.weight" in found.state

    def test_an_unknown_metric_is_named(self, tiny_task, tmp_path):
        loop = config(validation_samples=5, best_metric="IoU")
        with pytest.raises(ValueError, match=r"best_metric 'IoU' is not among .*: accuracy, total"):
            Trainer(loop, tiny_task(), tmp_path).fit()

    def test_a_full_disk_leaves_the_earlier_checkpoint(self, tiny_task, tmp_path, monkeypatch, uninterrupted):
        loop, whole, _, _ = uninterrupted
        Trainer(loop, tiny_task(), tmp_path).fit(stop_after=5)
        before = resuming.checkpoint_path(tmp_path / "checkpoints", 5).read_bytes()

        def full(contents, file):
            file.write(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(resuming.torch, "save", full)
            with pytest.raises(checkpoints.CheckpointWriteError, match=r"step_00000010\.pt.*No space left"):
                Trainer(loop, tiny_task(), tmp_path).fit()
        assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step_00000005.pt"]
        assert resuming.checkpoint_path(tmp_path / "checkpoints", 5).read_bytes() == before
        Trainer(loop, task := tiny_task(), tmp_path).fit()
        assert task.totals == whole.totals[5:]


class TestSteps:
    def test_accumulation_is_one_large_batch(self, tiny_task, tmp_path):
        found = []
        for micro in (None, 2, 1):
            task = tiny_task(dropout=0.0, optimizer="sgd")
            Trainer(config(epochs=1, micro_batch=micro), task, tmp_path / str(micro)).fit()
            found.append((weights(task), sorted(task.seen)))
        for other, seen in found[1:]:
            torch.testing.assert_close(other, found[0][0], rtol=1e-5, atol=1e-6)
            assert seen == found[0][1]

    def test_loader_workers_change_nothing(self, tiny_task, tmp_path, uninterrupted):
        task = tiny_task()
        loop = config(workers=2, validation_samples=11, best_metric="total", best_mode="min")
        Trainer(loop, task, tmp_path).fit()
        assert task.totals == uninterrupted[1].totals

    def test_learning_rates_follow_the_schedule(self, tiny_task, tmp_path):
        class Recording(tiny_task):
            def learning_rate_factor(self, progress):
                return [1.0 - progress.step / progress.total_steps, 0.5]

            def build_optimizer(self, groups):
                self.made = super().build_optimizer(groups)
                return self.made

        rates = []
        task = Recording(hook=lambda step: rates.append([group["lr"] for group in task.made.param_groups]))
        Trainer(config(), task, tmp_path).fit()
        assert rates == [[pytest.approx(1e-2 * (1 - step / 15)), pytest.approx(5e-4)] for step in range(15)]

    def test_gradients_are_clipped(self, tiny_task, tmp_path):
        norms = []

        class Recording(tiny_task):
            def build_optimizer(self, groups):
                optimizer = super().build_optimizer(groups)
                parameters = [value for group in groups for value in group["params"]]
                optimizer.register_step_pre_hook(
                    lambda *_: norms.append(float(torch.cat([value.grad.flatten() for value in parameters]).norm()))
                )
                return optimizer

        Trainer(config(epochs=1, clip_norm=0.01, log_every=1), Recording(), tmp_path).fit()
        assert norms == pytest.approx([0.01] * 5, rel=1e-3)
        # the log shows the norm before clipping
        assert all(entry["grad_norm"] > 0.02 for entry in records(tmp_path, "step"))

    def test_bf16_computes_losses_in_float32(self, tiny_task, tmp_path):
        kinds = set()

        class Recording(tiny_task):
            def losses(self, model, batch, progress):
                inner = []
                handle = self.model.layers[0].register_forward_hook(lambda *parts: inner.append(parts[2].dtype))
                score = model(batch["points"])
                handle.remove()
                kinds.add((inner[0], score.dtype, torch.is_autocast_enabled("cpu")))
                return super().losses(model, batch, progress)

        task = Recording()
        Trainer(config(epochs=1, precision="bf16", validation_samples=4), task, tmp_path).fit()
        assert kinds == {(torch.bfloat16, torch.float32, False)}
        assert task.model(torch.zeros(1, 4)).dtype == torch.float32  # given back as it was
        assert weights(task).dtype == torch.float32

    def test_fp16_needs_a_gpu(self, tiny_task, tmp_path):
        with pytest.raises(ValueError, match="fp16 needs a GPU"):
            Trainer(config(precision="fp16"), tiny_task(), tmp_path).fit()

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_loss_that_is_not_finite_stops_the_run(self, tiny_task, tmp_path, value):
        class Breaks(tiny_task):
            def losses(self, model, batch, progress):
                found = super().losses(model, batch, progress)
                found["location"] = torch.tensor(value if progress.step == 7 else 0.0)
                return {**found, "total": found["total"] + found["location"]}

        task = Breaks()
        message = (
            rf"not finite in step 8 \(epoch 2\): total = {value}, location = {value}; the last checkpoint is of step 5"
        )
        with pytest.raises(NonFiniteError, match=message):
            Trainer(config(workers=1), task, tmp_path).fit()
        assert multiprocessing.active_children() == []  # the loader's, which the traceback would keep
        assert resuming.saved_steps(tmp_path / "checkpoints") == [5]
        assert torch.isfinite(weights(task)).all()

    def test_a_gradient_that_is_not_finite_stops_the_run(self, tiny_task, tmp_path):
        class Breaks(tiny_task):
            def losses(self, model, batch, progress):
                found = super().losses(model, batch, progress)
                zero = (model(batch["points"]) * 0).abs().sum()
                return {**found, "total": found["total"] + zero.sqrt() * 0}  # the root has no derivative at 0

        task = Breaks()
        with pytest.raises(NonFiniteError, match=r"gradient is not finite in step 1 .*no checkpoint yet"):
            Trainer(config(), task, tmp_path).fit()
        assert torch.isfinite(weights(task)).all()

    def test_losses_need_a_total(self, tiny_task, tmp_path):
        class Forgets(tiny_task):
            def losses(self, model, batch, progress):
                return {"loss": super().losses(model, batch, progress)["total"]}

        with pytest.raises(ValueError, match=r"need an entry 'total', got \['loss'\]"):
            Trainer(config(), Forgets(), tmp_path).fit()

    def test_losses_are_scalars(self, tiny_task, tmp_path):
        class Forgets(tiny_task):
            def losses(self, model, batch, progress):
                return {**super().losses(model, batch, progress), "keep": 0.7, "each": batch["side"]}

        with pytest.raises(ValueError, match=r"scalars, got shapes \{'each': \(8,\)\}"):
            Trainer(config(), Forgets(), tmp_path).fit()

    def test_groups_need_a_learning_rate(self, tiny_task, tmp_path):
        class Forgets(tiny_task):
            def parameter_groups(self):
                return [{"params": list(self.model.parameters()), "name": "all"}]

        with pytest.raises(ValueError, match=r"groups without: \['all'\]"):
            Trainer(config(), Forgets(), tmp_path).fit()

    def test_faults_are_reported(self, tiny_task, tmp_path, capsys):
        class Damaged(tiny_task):
            def train_sample(self, epoch, index):
                if index == 3:
                    raise OSError("frame 3 is truncated")
                return self._sample(epoch, index)

        summary = Trainer(config(), Damaged(), tmp_path).fit()
        assert summary.faults == {"OSError": 3}
        assert "left out a sample: epoch 1 sample 3: OSError: frame 3 is truncated" in capsys.readouterr().out
        assert "{'OSError': 3}" in (tmp_path / "log.txt").read_text()


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_the_step_is_finished_and_saved(self, tiny_task, tmp_path, number, uninterrupted):
        loop, whole, _, _ = uninterrupted
        before = signal.getsignal(number)
        task = tiny_task(hook=lambda step: os.kill(os.getpid(), number) if step == 6 else None)
        summary = Trainer(loop, task, tmp_path).fit()
        assert (summary.interrupted, summary.steps, summary.epochs) == (True, 7, 1)
        assert resuming.saved_steps(tmp_path / "checkpoints")[-1] == 7
        assert signal.getsignal(number) is before
        rest = tiny_task()
        assert not Trainer(loop, rest, tmp_path).fit().interrupted
        assert task.totals + rest.totals == whole.totals

    def test_a_signal_during_validation_repeats_it_later(self, tiny_task, tmp_path, uninterrupted):
        loop, whole, _, whole_summary = uninterrupted

        class Interrupted(tiny_task):
            def validation_sample(self, index):
                os.kill(os.getpid(), signal.SIGTERM)
                return super().validation_sample(index)

        summary = Trainer(loop, Interrupted(), tmp_path).fit()
        assert (summary.interrupted, summary.steps, summary.epochs) == (True, 5, 0)
        rest = tiny_task()
        assert Trainer(loop, rest, tmp_path).fit().best == whole_summary.best
        assert rest.totals == whole.totals[5:]

    def test_a_second_interrupt_stops_at_once(self, tiny_task, tmp_path):
        def twice(step):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            Trainer(config(), tiny_task(hook=twice), tmp_path).fit()


class TestReports:
    def test_plain_lines_when_there_is_no_terminal(self, tiny_task, tmp_path, capsys):
        Trainer(config(log_every=2), tiny_task(), tmp_path).fit()
        lines = capsys.readouterr().out.splitlines()
        steps = [line for line in lines if "samples/s" in line]
        assert [line.split(":")[0] for line in steps] == [
            f"epoch {(step - 1) // 5 + 1}/3 step {step}/15" for step in [2, 4, 6, 8, 10, 12, 14, 15]
        ]
        assert "waiting for data" in steps[0]
        assert all(line.split(" ", 2)[2] in lines for line in (tmp_path / "log.txt").read_text().splitlines())

    def test_notices_are_said_at_every_start(self, tiny_task, tmp_path, capsys):
        for stop_after in (1, None):
            Trainer(config(epochs=1), tiny_task(), tmp_path, notices=["trained on [12] videos"]).fit(
                stop_after=stop_after
            )
        assert capsys.readouterr().out.count("trained on [12] videos") == 2
        assert (tmp_path / "log.txt").read_text().count("trained on [12] videos") == 2

    def test_tensorboard(self, tiny_task, tmp_path):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        Trainer(config(log_to="tensorboard", log_every=5, validation_samples=3), tiny_task(), tmp_path).fit()
        found = EventAccumulator(str(tmp_path / "tensorboard"))
        found.Reload()
        assert {"step/total", "step/lr", "epoch/total", "validation/accuracy"} <= set(found.Tags()["scalars"])
        assert [event.step for event in found.Scalars("step/total")] == [5, 10, 15]

    def test_wandb_is_given_everything(self, tiny_task, tmp_path, monkeypatch):
        import sys
        import types

        logged, started = [], {}

        class Run:
            def log(self, values, step):
                logged.append((step, values))

            def finish(self):
                started["finished"] = True

        fake = types.SimpleNamespace(init=lambda **options: started.update(options) or Run())
        monkeypatch.setitem(sys.modules, "wandb", fake)
        Trainer(config(log_to="wandb", log_every=5), tiny_task(), tmp_path).fit()
        assert (started["mode"], started["project"], started["finished"]) == ("offline", "trackworks", True)
        assert started["config"]["batch_size"] == 8
        assert [step for step, values in logged if "step/total" in values] == [5, 10, 15]

    def test_the_summary_prints(self, uninterrupted):
        from rich.console import Console

        console = Console(record=True, width=120, file=io.StringIO())
        console.print(uninterrupted[3])
        text = console.export_text()
        assert "training finished" in text
        assert "15 (3 epochs finished)" in text


def test_a_missing_accelerate_says_what_to_install():
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['accelerate'] = None\n"
        "import trackcore.training\n"
        "try:\n    trackcore.training.Trainer\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'trackcore[train]'" in done.stdout
