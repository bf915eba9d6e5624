"""What is missing or damaged is found, counted and told; what is odd is noted; nothing stops the rest."""

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from trackcore.video import VideoWriter
from trackdata.datasets import open_dataset
from trackdata.packing import pack
from trackdata.sequences import Sequence, SequenceList
from trackdata.verification import KINDS, Finding, VerificationReport, verify, verify_at
from trackdata.verification.known import known_reports


def found(report: VerificationReport, kind: str) -> list[Finding]:
    """The findings of one kind, after seeing that there is no other fault."""
    assert {finding.kind for finding in report.faults} <= {kind}, report.faults
    return report.by_kind().get(kind, [])


# Dataset, folder, split; sequences, frames, decoded with "first" and "all".
SOUND = [
    ("coco", "coco", "train2017", 2, 5, 2, 2),
    ("davis2017", "davis", "train", 2, 14, 2, 14),
    ("got10k", "got10k", "train", 6, 141, 6, 141),
    ("got10k", "got10k", "test", 2, 10, 2, 10),
    ("imagenet_det", "det", None, 2, 3, 2, 2),
    ("imagenet_vid", "vid", "train", 5, 61, 5, 61),
    ("lasot", "lasot", "all", 4, 63, 4, 63),
    ("tc128", "tc128", None, 3, 21, 3, 21),
    ("tnl2k", "tnl2k", None, 2, 12, 2, 12),
    ("trackingnet", "trackingnet", "train", 4, 84, 4, 84),
    ("youtubevos", "youtubevos", "train", 2, 18, 2, 18),
]


@pytest.mark.parametrize(("name", "folder", "split", "sequences", "frames", "first", "every"), SOUND)
def test_sound_data(mini, name, folder, split, sequences, frames, first, every):
    for decode, decoded in (("none", 0), ("first", first), ("all", every)):
        report = verify_at(name, mini / folder, split, decode)
        assert report.faults == ()
        assert (report.sequences, report.frames, report.decoded) == (sequences, frames, decoded)
        assert report.decode == decode
        assert "no faults" in str(report)


@pytest.mark.parametrize(("name", "folder"), [("got10k", "got10k"), ("trackingnet", "trackingnet")])
def test_packs_are_looked_at_like_folders(mini, tmp_path, name, folder):
    pack(mini / folder, tmp_path / "pack", "lmdb", name)
    one, other = verify_at(name, mini / folder, "train", "all"), verify_at(name, tmp_path / "pack", "train", "all")
    assert replace(one, root="", seconds=0) == replace(other, root="", seconds=0)


def test_videos_of_the_list_that_are_not_there(mini):
    report = verify_at("davis2016", mini / "davis", "train", "all")
    assert len(found(report, "missing")) == 28
    assert (report.sequences, report.decoded) == (30, 14)


def test_sequences_of_the_list_that_are_not_there(mini):
    report = verify_at("lasot", mini / "lasot", "test")
    missing = found(report, "missing")
    assert (len(missing), report.sequences, report.frames) == (279, 280, 9)
    assert str(missing[0]) == (f"airplane-9: {mini}/lasot/airplane/airplane-9/groundtruth.txt: there is no such file")
    assert "279 faults in 279 sequences" in str(report)
    assert not [finding for finding in report.notes if finding.sequence == "tiger-6"]  # nothing of it is here


def test_missing_and_damaged_frames(copy):
    root = copy("lasot") / "airplane" / "airplane-10" / "img"
    for number in (3, 4, 9):
        (root / f"{number:08d}.jpg").unlink()
    assert verify_at("lasot", root.parents[2], "all", "none").by_kind().keys() - {"boxes"} == {"frames"}
    (finding,) = found(verify_at("lasot", root.parents[2], "all", "all"), "frames")
    assert finding.sequence == "airplane-10"
    assert (finding.frames, finding.count) == ((2, 3, 8), 3)
    assert finding.message == f"3 of 24 are not there; first {root / '00000003.jpg'}"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[: len(data) // 2], "truncated"),
        (lambda data: b"", "the file is empty"),
        (lambda data: b"no image", "damaged or in no image format"),
    ],
)
def test_damaged_images(copy, damage, message):
    path = copy("got10k") / "train" / "GOT-10k_Train_000002" / "00000005.jpg"
    path.write_bytes(damage(path.read_bytes()))
    root = path.parents[2]
    assert verify_at("got10k", root, "train", "first").faults == ()
    report = verify_at("got10k", root, "train", "all")
    (finding,) = found(report, "damaged")
    assert (finding.sequence, finding.frames) == ("GOT-10k_Train_000002", (4,))
    assert message in finding.message
    assert report.decoded == report.frames == 141
    path.with_name("00000001.jpg").write_bytes(b"")
    assert found(verify_at("got10k", root, "train", "first"), "damaged")[0].frames == (0,)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("groundtruth.txt", "1,2,3,4\n1,2,3\n", "line 2: 3 numbers"),
        ("groundtruth.txt", "1,2,3,4\n1,2,x,4\n", "line 2: 'x' is not a number"),
        ("groundtruth.txt", "1,2,3,4\n" * 7, "7 boxes"),
        ("cover.label", "1\n2\n", "2 numbers for 22 frames"),
        ("cover.label", b"\xff\xfe\x00", "not a text file"),
    ],
)
def test_annotation_that_cannot_be_used(copy, name, content, message):
    folder = copy("got10k") / "train" / "GOT-10k_Train_000002"
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    report = verify_at("got10k", folder.parents[1], "train", "all", workers=1)
    (finding,) = found(report, "annotation")
    assert finding.sequence == "GOT-10k_Train_000002"
    assert message in finding.message
    assert report.decoded == 141 - 22  # the others were looked at


def write_sequence(folder: Path, boxes, sizes=((64, 48),) * 4) -> None:
    folder.mkdir(parents=True)
    np.savetxt(folder / "groundtruth.txt", boxes, delimiter=",", fmt="%.2f")
    for number, (width, height) in enumerate(sizes):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((height, width, 3), number, np.uint8))


def test_frames_of_several_sizes(tmp_path):
    write_sequence(tmp_path / "a", [[1, 2, 3, 4]] * 4, [(64, 48), (64, 48), (32, 24), (64, 48)])
    assert verify_at("folder", tmp_path, decode="first").findings == ()
    report = verify_at("folder", tmp_path, decode="all")
    assert report.faults == ()
    assert str(report.notes[0]) == "a: frames of several sizes: 64 x 48 (3), 32 x 24 (1) (frame 2)"


def test_frames_of_another_size_than_stated(copy):
    root = copy("got10k")
    path = root / "train" / "GOT-10k_Train_000001" / "meta_info.ini"
    path.write_text(path.read_text().replace("resolution: (48, 36)", "resolution: (1920, 1080)"))
    (finding,) = [finding for finding in verify_at("got10k", root, "train").notes if finding.kind == "size"]
    assert str(finding) == "GOT-10k_Train_000001: frames are 48 x 36, the annotation says 1920 x 1080"


NAN = float("nan")
ODD = {  # boxes in frames of 64 x 48 -> what is said of them
    "inside and over the edge": ([[1, 2, 3, 4], [-2, -2, 5, 5], [60, 40, 20, 20], [0, 0, 64, 48]], {}),
    "outside": ([[1, 2, 3, 4], [64, 0, 5, 5], [0, 48, 5, 5], [-5, 0, 5, 5]], {"outside the frame": (1, 2, 3)}),
    "negative": ([[1, 2, 3, 4], [5, 5, -3, 4], [5, 5, 3, -4], [1, 1, 1, 1]], {"negative size": (1, 2)}),
    "no first box": ([[NAN] * 4, [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]], {"no box": (0,)}),
    "absent as this dataset says it": ([[1, 2, 3, 4], [NAN] * 4, [0, 0, 0, 0], [1, NAN, 3, 4]], {}),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_boxes(tmp_path, case):
    boxes, expected = ODD[case]
    write_sequence(tmp_path / "a", boxes)
    report = verify_at("folder", tmp_path)
    assert report.faults == ()
    assert len(report.notes) == len(expected)
    for (text, frames), note in zip(expected.items(), report.notes, strict=True):
        assert text in note.message
        assert note.frames == frames


def test_boxes_are_compared_with_flags_of_absence(tmp_path):
    boxes = np.array([[1, 2, 3, 4], [0, 0, 0, 0], [NAN] * 4, [5, 5, -1, 2]])
    write_sequence(tmp_path / "a", boxes)
    frames = open_dataset("folder", tmp_path)[0].frames

    def checked(absent):
        sequence = Sequence("a", frames, boxes, boxes[:, 2] > 0, absent=np.array(absent), origin=0)
        return {
            finding.message: finding.frames for finding in verify(SequenceList("x", ["a"], lambda _: sequence)).notes
        }

    assert checked([False, True, True, True]) == {}
    assert checked([False, False, True, False]) == {
        "boxes of negative size": (3,),
        "no box, and nothing says that the target is absent": (1,),
    }


def test_masks_of_videos(copy):
    root = copy("davis")
    labels = root / "Annotations" / "480p" / "bear"
    (labels / "00002.png").write_bytes(b"no image")
    cv2.imwrite(str(labels / "00003.png"), np.zeros((5, 7), np.uint8))
    assert verify_at("davis2017", root, "train", "first").faults == ()
    findings = found(verify_at("davis2017", root, "train", "all"), "masks")
    assert [finding.frames for finding in findings] == [(2,), (3,)]
    assert "00002.png" in findings[0].message
    assert findings[1].message == "a mask of 7 x 5 for a frame of 48 x 36"
    (labels / "00000.png").unlink()
    assert verify_at("davis2017", root, "train", "first").faults


def test_objects_that_masks_do_not_show(copy):
    root = copy("youtubevos")
    (video, *_) = sorted((root / "2019" / "train" / "Annotations").iterdir())
    first = sorted(video.iterdir())[0]
    image = cv2.imread(str(first), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(first), np.zeros(image.shape[:2], np.uint8))
    report = verify_at("youtubevos", root, "train", "first")
    assert report.faults == ()
    assert {finding.kind for finding in report.notes} == {"objects"}
    assert "is not in the frame said to be its first" in report.notes[0].message


def test_masks_of_still_images(copy):
    root = copy("coco")
    path = root / "annotations" / "instances_train2017.json"
    path.write_text(path.read_text().replace('"segmentation": [[', '"segmentation": [], "was": [[', 1))
    (finding,) = found(verify_at("coco", root, "train2017", "all"), "masks")
    assert "has no segmentation" in finding.message


def test_videos_in_files(tmp_path):
    for name in ("good", "short", "gone"):
        (tmp_path / "class").mkdir(exist_ok=True)
        with VideoWriter(tmp_path / "class" / f"{name}.mp4", 10) as writer:
            for number in range(20):
                writer.write(np.full((48, 64, 3), 10 * number, np.uint8))
    (tmp_path / "class" / "noise.mp4").write_bytes(bytes(range(256)))
    dataset = open_dataset("kinetics", tmp_path)
    report = verify(dataset, "all")
    assert (report.sequences, report.frames, report.decoded) == (3, 60, 60)
    (finding,) = found(report, "damaged")
    assert finding.sequence == "class/noise.mp4"
    data = (tmp_path / "class" / "short.mp4").read_bytes()
    (tmp_path / "class" / "short.mp4").write_bytes(data[: len(data) // 2])
    (tmp_path / "class" / "gone.mp4").unlink()
    later = verify(dataset, "all")  # as it was listed before
    assert {finding.kind for finding in later.faults} == {"damaged", "frames"}
    assert {finding.sequence for finding in later.faults} == {"class/noise.mp4", "class/short", "class/gone"}
    assert verify(dataset, "none").by_kind().keys() == {"damaged", "frames"}


def test_still_images_without_annotation(tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "1.png").write_bytes(b"")
    report = verify_at("images", tmp_path)
    assert [finding.sequence for finding in found(report, "damaged")] == ["1"]


def test_annotation_as_a_whole_that_cannot_be_read(copy, mini):
    root = copy("vid")
    files = sorted((root / "Annotations").rglob("*.xml"))
    for path in files[3], files[-1]:
        path.write_text("<annotation>")
    report = verify_at("imagenet_vid", root, "train")
    assert [finding.kind for finding in report.faults] == ["annotation"] * 2
    assert all(str(path) in str(finding) for path, finding in zip((files[3], files[-1]), report.faults, strict=True))
    (finding,) = verify_at("got10k", mini / "lasot", "train").faults
    assert "expected train/list.txt or list.txt" in str(finding)
    with pytest.raises(ValueError, match="has no split 'trian'"):
        verify_at("got10k", mini / "got10k", "trian")
    with pytest.raises(ValueError, match="did you mean 'got10k'"):
        verify_at("got10", mini / "got10k", "train")


def test_several_processes_find_the_same(copy):
    root = copy("got10k")
    folder = root / "train" / "GOT-10k_Train_000003"
    (folder / "00000002.jpg").write_bytes(b"")
    (root / "train" / "GOT-10k_Train_000005" / "groundtruth.txt").write_text("x")
    told = []
    alone = verify_at("got10k", root, "train", "all")
    several = verify_at("got10k", root, "train", "all", workers=2, on_progress=told.append)
    assert replace(alone, seconds=0) == replace(several, seconds=0)
    assert (told[-1].done, told[-1].total, told[-1].faults) == (6, 6, 2)


def test_a_process_that_dies_costs_one_sequence():
    dataset = SequenceList("dying", [3], os._exit)  # reading "sequence 3" ends the process
    report = verify(dataset, "all", workers=2)
    assert [(finding.kind, finding.sequence) for finding in report.findings] == [("crashed", 3)]


def test_unforeseen_errors_stop_nothing():
    def read(name):
        raise ZeroDivisionError(name)

    report = verify(SequenceList("odd", ["a", "b"], read))
    assert [str(finding) for finding in report.faults] == ["a: ZeroDivisionError: a", "b: ZeroDivisionError: b"]


def test_known_reports_are_notes(tmp_path):
    names = ["GOT-10k_Train_000399", "GOT-10k_Train_007947", "GOT-10k_Train_008623", "GOT-10k_Train_000001"]
    for name in names:
        write_sequence(tmp_path / name, [[1, 2, 3, 4]] * 4)
        for number in range(4):
            (tmp_path / name / f"{number}.png").rename(tmp_path / name / f"{number + 1:08d}.jpg")
    (tmp_path / "list.txt").write_text("\n".join(names))
    report = verify_at("got10k", tmp_path)
    assert report.faults == ()
    assert [finding.sequence for finding in report.notes] == [*names[:1], *names[1:2] * 2, *names[2:3] * 2]
    assert "several sizes" in str(report.notes[2])
    assert len(known_reports("got10k_train")) == 48
    assert set(known_reports("lasot_test")) == {"tiger-6", "lion-5", "microphone-6", "monkey-17"}
    assert len(known_reports("youtubevos_2019_train")) == 13
    assert not known_reports("otb2015")


def test_reports_are_saved_and_loaded(mini, tmp_path):
    report = verify_at("lasot", mini / "lasot", "test", limit=5)
    assert report.sequences == 5
    report.save(tmp_path / "report.json")
    assert VerificationReport.load(tmp_path / "report.json") == report
    for content in ("", "[]", "{}", '{"format": "trackdata verification 1"}', "\x00"):
        (tmp_path / "other.json").write_text(content)
        with pytest.raises(ValueError, match=r"other\.json: is no report"):
            VerificationReport.load(tmp_path / "other.json")


def test_options_that_make_no_sense(mini):
    dataset = open_dataset("got10k", mini / "got10k", "val")
    for options in ({"decode": "some"}, {"workers": 0}, {"limit": 0}):
        with pytest.raises(ValueError):
            verify(dataset, **options)
    assert all(info.title for info in KINDS.values())
