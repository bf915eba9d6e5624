import errno
import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from trackcore import checkpoints
from trackcore.checkpoints import CheckpointError, CheckpointMismatchError, CheckpointWriteError

HERE = Path(__file__).parent / "conformance"


@pytest.fixture
def layout():
    return json.loads((HERE / "checkpoint_layout.json").read_text())


def test_the_published_layout_is_read(layout):
    found = checkpoints.load(HERE / "checkpoint_fixture.pth.tar")
    assert found.kind == "OSTrack tracker checkpoint, epoch 300"
    assert found.epoch == layout["epoch"]
    assert found.meta["net_type"] == layout["net_type"]
    assert found.meta["actor_type"] == layout["actor_type"]
    assert list(found.state)[:6] == layout["net_first_names"]
    assert set(found.meta) | {"net"} == set(layout["keys"])
    assert sorted(found.meta["settings"].attributes) == layout["settings_fields"]
    meters = found.meta["stats"]["train"]
    for meter in meters.values():
        assert sorted(meter.attributes) == layout["meter_fields"][type(meter).__name__]
    optimizer = found.meta["optimizer"]
    assert sorted(optimizer) == sorted(layout["optimizer_keys"])
    assert [len(group["params"]) for group in optimizer["param_groups"]] == layout["optimizer_group_sizes"]
    assert sorted(optimizer["param_groups"][0]) == layout["optimizer_param_group_keys"]
    assert len(optimizer["state"]) == layout["optimizer_state_entries"]
    assert {name for entry in optimizer["state"].values() for name in entry} == set(layout["optimizer_state_fields"])


def test_torch_alone_refuses_the_published_layout():
    # why the restricted reader exists at all
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(HERE / "checkpoint_fixture.pth.tar", weights_only=True)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"net": {"a": torch.ones(1)}, "net_type": "OSTrack", "epoch": 5}, "OSTrack tracker checkpoint, epoch 5"),
        (
            {"net": {"backbone.temporal_pos_embed_x": torch.ones(1)}, "net_type": "OSTrack", "epoch": 1},
            "DropTrack tracker checkpoint, epoch 1",
        ),
        ({"model": {"patch_embed.proj.bias": torch.ones(1)}}, "MAE pre-training checkpoint (encoder only)"),
        (
            {
                "model": {
                    "patch_embed.proj.bias": torch.ones(1),
                    "temporal_pos_embed_x": torch.ones(1),
                    "decoder_norm.bias": torch.ones(1),
                },
                "epoch": 799,
            },
            "DropMAE pre-training checkpoint, epoch 799",
        ),
        ({"model": {"layers.0.blocks.0.attn.relative_position_bias_table": torch.ones(1)}}, "Swin classifier"),
        (
            {"epoch": 19, "model_state_dict": {"feat_adjuster_z.conv.weight": torch.ones(1)}},
            "SparseTT tracker checkpoint, epoch 19",
        ),
        ({"mask_patch_embed.proj.weight": torch.ones(1)}, "DropSeg segmentation network"),
        ({"state_dict": {"a": torch.ones(1)}}, "checkpoint with a state dict"),
        ({"a": torch.ones(1)}, "plain state dict"),
    ],
)
def test_files_are_recognised(tmp_path, content, kind):
    torch.save(content, tmp_path / "f.pth")
    assert checkpoints.load(tmp_path / "f.pth").kind == kind


class TestUnusableFiles:
    def test_missing(self, tmp_path):
        with pytest.raises(CheckpointError, match=r"no checkpoint at .*nothing\.pth"):
            checkpoints.load(tmp_path / "nothing.pth")

    def test_folder(self, tmp_path):
        with pytest.raises(CheckpointError, match="is a folder"):
            checkpoints.load(tmp_path)

    @pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
    @pytest.mark.parametrize("new_format", [True, False])
    def test_truncated(self, tmp_path, share, new_format):
        torch.save({"net": {"a": torch.rand(5000)}}, tmp_path / "f.pth", _use_new_zipfile_serialization=new_format)
        raw = (tmp_path / "f.pth").read_bytes()
        (tmp_path / "f.pth").write_bytes(raw[: int(len(raw) * share)])
        with pytest.raises(CheckpointError, match=r"f\.pth cannot be read as a checkpoint"):
            checkpoints.load(tmp_path / "f.pth")

    def test_text(self, tmp_path):
        (tmp_path / "f.pth").write_text("hello, I am a text file\n")
        with pytest.raises(CheckpointError, match=r"neither of the two formats"):
            checkpoints.load(tmp_path / "f.pth")

    def test_no_weights(self, tmp_path):
        torch.save({"epoch": 3, "names": ["a"]}, tmp_path / "f.pth")
        with pytest.raises(CheckpointError, match=r"no weights: .*'epoch', 'names'"):
            checkpoints.load(tmp_path / "f.pth")

    def test_a_list(self, tmp_path):
        torch.save([torch.ones(1)], tmp_path / "f.pth")
        with pytest.raises(CheckpointError, match="holds a list, not a dict"):
            checkpoints.load(tmp_path / "f.pth")

    def test_a_whole_model(self, tmp_path):
        torch.save(nn.Linear(2, 2), tmp_path / "f.pth")
        with pytest.raises(CheckpointError, match=r"torch\.nn\.modules\.linear\.Linear object.*state_dict"):
            checkpoints.load(tmp_path / "f.pth")

    def test_broken_safetensors(self, tmp_path):
        (tmp_path / "f.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
        with pytest.raises(CheckpointError, match="cannot be read as safetensors"):
            checkpoints.load(tmp_path / "f.safetensors")


class TestLoadState:
    @pytest.fixture
    def model(self):
        return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))

    def test_fits(self, model):
        state = {name: torch.full_like(value, 2.0) for name, value in model.state_dict().items()}
        assert checkpoints.load_state(model, state).fits
        assert torch.equal(model[1].weight, torch.full((2, 4), 2.0))

    def test_strict_lists_everything_and_changes_nothing(self, model):
        before = model[0].bias.clone()
        state = {"0.weight": torch.ones(4, 5), "0.bias": torch.ones(4), "2.weight": torch.ones(1)}
        with pytest.raises(CheckpointMismatchError) as error:
            checkpoints.load_state(model, state, hint="this looks like a wider network")
        message = str(error.value)
        assert "this looks like a wider network" in message
        assert "missing in the checkpoint (2): 1.weight, 1.bias" in message
        assert "unknown to the network (1): 2.weight" in message
        assert "0.weight is [4, 5], the network wants [4, 3]" in message
        assert error.value.report.mismatched == (("0.weight", (4, 5), (4, 3)),)
        assert torch.equal(model[0].bias, before)

    def test_not_strict_copies_what_agrees(self, model):
        state = {"0.weight": torch.ones(4, 5), "0.bias": torch.ones(4), "x": torch.ones(1)}
        report = checkpoints.load_state(model, state, strict=False)
        assert report.missing == ("1.weight", "1.bias")
        assert report.unexpected == ("x",)
        assert torch.equal(model[0].bias, torch.ones(4))

    def test_long_lists_are_abbreviated(self):
        model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(10)))
        with pytest.raises(CheckpointMismatchError, match=r"\(20\): 0\.weight.*and 14 more"):
            checkpoints.load_state(model, {})

    def test_rename(self, model):
        state = {f"net.{name}": torch.zeros_like(value) for name, value in model.state_dict().items()}
        state["head.x"] = torch.ones(1)

        def rename(name):
            return name.removeprefix("net.") if name.startswith("net.") else None

        assert checkpoints.load_state(model, state, rename=rename).fits
        with pytest.raises(CheckpointError, match="renamed to 'one'"):
            checkpoints.load_state(model, state, rename=lambda name: "one")


class TestSaving:
    def test_round_trip(self, tmp_path):
        shared = torch.arange(6.0)
        state = {"a": shared, "b": shared[2:].view(2, 2).T, "n": torch.tensor(3)}
        path = checkpoints.save_weights(tmp_path / "new" / "w.safetensors", state, {"recipe": "tiny", "epoch": 7})
        found = checkpoints.load(path)
        assert all(torch.equal(found.state[name], value) for name, value in state.items())
        assert found.epoch == 7
        card = found.meta["card"]
        assert card["recipe"] == "tiny"
        assert card["sha256"] == checkpoints.file_hash(path)
        assert card["values"] == 11
        assert "torch" in card["versions"]

    def test_another_files_card_is_noticed(self, tmp_path):
        one = checkpoints.save_weights(tmp_path / "one.safetensors", {"a": torch.zeros(2)})
        two = checkpoints.save_weights(tmp_path / "two.safetensors", {"a": torch.ones(2)})
        shutil.copy(two, one)
        with pytest.raises(CheckpointError, match="sha256 differs"):
            checkpoints.load(one)
        one.with_suffix(".json").unlink()
        assert torch.equal(checkpoints.load(one).state["a"], torch.ones(2))

    def test_another_ending_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"\.safetensors"):
            checkpoints.save_weights(tmp_path / "w.pth", {})

    @pytest.mark.parametrize("through_torch", [False, True])
    def test_a_full_disk_leaves_the_old_file(self, tmp_path, through_torch):
        path = tmp_path / "w.bin"
        path.write_bytes(b"old")

        class FullDisk:
            """Passes the first bytes on, then says the disk is full, as the kernel does."""

            def __init__(self, file):
                self.file, self.left = file, 1000

            def write(self, data):
                self.left -= len(data)
                if self.left < 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return self.file.write(data)

            def flush(self):
                self.file.flush()

        def writer(file):
            if through_torch:  # torch wraps the error in one of its own
                torch.save({"a": torch.zeros(10000)}, FullDisk(file))
            else:
                full = FullDisk(file)
                for _ in range(10):
                    full.write(b"x" * 300)

        with pytest.raises(CheckpointWriteError, match=r"w\.bin could not be written \(No space left.*intact"):
            checkpoints.write_atomic(path, writer)
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_full_disk_while_saving_weights(self, tmp_path, monkeypatch):
        path = checkpoints.save_weights(tmp_path / "w.safetensors", {"a": torch.zeros(2)})
        before = path.read_bytes()

        def full(handle):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(checkpoints.os, "fsync", full)  # delayed allocation reports a full disk here
        with pytest.raises(CheckpointWriteError, match="free some space"):
            checkpoints.save_weights(path, {"a": torch.ones(2)})
        assert path.read_bytes() == before
        assert sorted(item.name for item in tmp_path.iterdir()) == ["w.json", "w.safetensors"]
        assert torch.equal(checkpoints.load(path).state["a"], torch.zeros(2))

    def test_other_errors_pass_through_and_leave_nothing(self, tmp_path):
        def writer(file):
            file.write(b"x")
            raise KeyError("mistake")

        with pytest.raises(KeyError):
            checkpoints.write_atomic(tmp_path / "w", writer)
        assert list(tmp_path.iterdir()) == []

    def test_an_impossible_folder_is_named(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(CheckpointWriteError, match="file/w could not be written"):
            checkpoints.write_atomic(tmp_path / "file" / "w", lambda file: file.write(b"x"))
