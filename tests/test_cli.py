"""The command line, as a stranger meets it: real processes, help, and errors in one sentence."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.cli import arguments, main
from oneformer_lite.data.sample import TASKS
from oneformer_lite.inference.prediction import Prediction

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
PICTURE = str(next(SAMPLE.rglob("*.jpg")))
COMMANDS = (
    "demo", "train", "study", "eval", "predict", "download", "convert", "convert-data", "lessons", "course", "doctor",
)  # fmt: skip


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "oneformer_lite.cli", *map(str, arguments)],
        capture_output=True, text=True, timeout=280, **options,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert exit_.value.code == 0 and len(text) > 200 and "usage: oneformer-lite" in text


def test_the_tasks_are_those_of_the_data():
    assert arguments.TASKS == TASKS


def test_the_help_lists_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)


def test_a_class_that_is_called_otherwise_is_told_once(tmp_path, capsys):
    ofl.data.write_toytown(tmp_path, "val", 64, 2, workers=1)
    listed = tmp_path / "annotations/panoptic_val.json"
    listed.write_text(listed.read_text().replace('"name": "dog"', '"name": "hound"'))
    main(["eval", "--data", str(tmp_path), "--tasks", "semantic", "--classes", "0"])
    said = [line for line in capsys.readouterr().err.splitlines() if "called otherwise" in line]
    assert len(said) == 1 and "'hound' for 'dog'" in said[0]


def test_digits_are_written_by_a_command(tmp_path, capsys):
    root = tmp_path / "digits"
    few = ["--scenes", "5", "--val-scenes", "3"]
    assert main(["download", "digits", "--root", str(root), "--level", "hard", *few]) == 0
    assert "instance layout" in capsys.readouterr().out
    assert [len(ofl.data.open(root, split)) for split in ("train", "val")] == [5, 3]
    assert main(["download", "digits", "--root", str(root), "--digits", str(tmp_path / "none.npz")]) == 2
    assert "none.npz cannot be read" in capsys.readouterr().err


def test_predict_writes_a_picture_for_each_task(tmp_path, capsys):
    Image.fromarray(ofl.data.Toytown("val", 128)[0].image).save(tmp_path / "scene.png")
    for task in ofl.data.TASKS:
        assert main(["predict", str(tmp_path / "scene.png"), "--task", task, "--out", str(tmp_path)]) == 0
        with Image.open(tmp_path / f"scene_{task}.png") as picture:
            assert picture.size == (384, 384)
    assert "score 0." in capsys.readouterr().out


def test_predict_overwrites_none_of_its_own_pictures(tmp_path, capsys):
    (tmp_path / "other").mkdir()
    pictures = [str(tmp_path / "scene.png"), str(tmp_path / "other" / "scene.png")]
    for path in pictures:
        Image.new("RGB", (64, 64)).save(path)
    assert main(["predict", *pictures, pictures[0], "--out", str(tmp_path / "out")]) == 2
    assert f"{pictures[0]} and {pictures[1]} have the same name (scene)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("absent", "words"),
    [
        (["nowhere.jpg"], "nowhere.jpg does not exist"),
        (["nowhere.jpg", "other.jpg"], "2 of 3 pictures do not exist: 'nowhere.jpg', 'other.jpg'"),
        (["https://x.y/a.jpg"], "'https://x.y/a.jpg' is an address (https)"),
        (["A.PNG"], "A.PNG does not exist, but a.png does"),
    ],
)
def test_predict_begins_with_none_unless_all_are_there(tmp_path, capsys, monkeypatch, absent, words):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64)).save("a.png")
    assert main(["predict", "a.png", *absent, "--out", "out", "--json", "found.json"]) == 2
    assert words in capsys.readouterr().err and sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]


def test_eval_lists_classes_worst_first_and_writes_all_as_json(tmp_path, capsys):
    found = tmp_path / "found.json"
    assert main(["eval", "--scenes", "4", "--device", "cpu", "--classes", "5", "--json", str(found)]) == 0
    out = capsys.readouterr().out
    assert "mIoU" in out and "AP of small" in out and "more classes" in out
    assert "dice  accuracy" in out and "mDice" in out
    content = json.loads(found.read_text())
    assert (content["model"], content["data"], content["split"], content["scenes"]) == ("toytown", "toytown", "val", 4)
    assert 0 < content["PQ"] <= 100
    assert len(content["per_class"]) == len(content["confusion"]) == 14
    worst = min((row for row in content["per_class"] if row["PQ"] is not None), key=lambda row: row["PQ"])
    table = out[out.index("\nclass ") + 1 :].splitlines()
    assert table[1].startswith(worst["name"]) and len(table) > 6
    assert ("annotated nowhere" in out) == bool(content["absent"])
    assert sum(row["pixels"] for row in content["per_class"]) == sum(map(sum, content["confusion"]))
    assert main(["eval", "--scenes", "2", "--tasks", "semantic", "--classes", "0"]) == 0
    assert "class " not in capsys.readouterr().out


def test_predict_takes_folders_and_writes_json_and_masks(tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(("b.JPG", "a.png", "._a.png", "notes.txt")):
        picture = ofl.data.Toytown("val", 128)[number].image
        Image.fromarray(picture).save(folder / name, "JPEG" if "JPG" in name else "PNG")
    out = ["--out", str(tmp_path), "--json", str(tmp_path / "found.json"), "--masks", str(tmp_path / "masks")]
    assert main(["predict", str(folder), "--task", "instance", "--device", "cpu", "--min-score", "0.6", *out]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert [Path(p["file"]).name for p in found["pictures"]] == ["a.png", "b.JPG"]
    for picture in found["pictures"]:
        assert len(picture["masks"]) == len(picture["segments"]) > 0
        assert all(Path(mask).is_file() for mask in picture["masks"])
        for segment in picture["segments"]:
            assert segment["score"] > 0.6 and len(segment["box"]) == 4 and segment["rle"]["size"] == [128, 128]
    capsys.readouterr()
    assert main(["predict", str(folder), "--out", str(folder)]) == 0
    assert main(["predict", str(folder), "--out", str(folder), "--task", "semantic"]) == 0  # results are no pictures
    assert capsys.readouterr().out.count("segments") == 4


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", "cut"], ids=["empty", "page", "cut"])
def test_predict_names_a_bad_picture_of_a_folder_and_goes_on(tmp_path, capsys, content):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(ofl.data.Toytown("val", 128)[0].image).save(folder / name)
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:999] if content == "cut" else content)
    with pytest.raises(SystemExit) as exit_:
        main(["predict", str(folder), "--out", str(tmp_path), "--json", str(tmp_path / "found.json")])
    assert exit_.value.code == 1
    found, said = json.loads((tmp_path / "found.json").read_text()), capsys.readouterr().err
    assert [Path(picture["file"]).name for picture in found["pictures"]] == ["a.png", "c.png"]
    assert [Path(picture["file"]).name for picture in found["unreadable"]] == ["b.png"]
    assert f"left out: {folder / 'b.png'}" in said
    assert f"1 of 3 pictures could not be read: '{folder / 'b.png'}'" in said.splitlines()[-1]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["a_panoptic.png", "c_panoptic.png"]


def test_predict_writes_the_json_of_what_was_done_whatever_ends_it(tmp_path, capsys, monkeypatch):
    for name in ("a.png", "b.png"):
        Image.fromarray(ofl.data.Toytown("val", 128)[0].image).save(tmp_path / name)
    save = Prediction.save

    def interrupted(prediction, path):
        if path.name.startswith("b"):
            raise KeyboardInterrupt
        save(prediction, path)

    monkeypatch.setattr(Prediction, "save", interrupted)
    assert main(["predict", str(tmp_path), "--out", str(tmp_path), "--json", str(tmp_path / "found.json")]) == 130
    found = json.loads((tmp_path / "found.json").read_text())
    assert [Path(picture["file"]).name for picture in found["pictures"]] == ["a.png"]


def test_the_result_of_one_picture_may_be_a_file(tmp_path, capsys):
    names = [str(tmp_path / name) for name in ("a.png", "b.png")]
    for name in names:
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(name)
    assert main(["predict", names[0], "--out", str(tmp_path / "new" / "found.webp")]) == 0
    assert Image.open(tmp_path / "new" / "found.webp").format == "WEBP"
    assert main(["predict", names[0], "--out", str(tmp_path / "new" / "found.gif")]) == 0
    assert Image.open(tmp_path / "new" / "found.gif").format == "GIF"
    capsys.readouterr()
    for given, out, words in ((names, "c.png", "is one file, and there are 2"), (names[:1], "a.png", "picture itself")):
        assert main(["predict", *given, "--out", str(tmp_path / out)]) == 2
        assert words in capsys.readouterr().err
    (tmp_path / "results.png").mkdir()  # a folder, whatever its name
    assert main(["predict", *names, "--out", str(tmp_path / "results.png")]) == 0


@pytest.mark.parametrize("command", ["predict x.png", "eval"])
@pytest.mark.parametrize(("name", "words"), [("photo.JPG", "called like a picture"), ("folder", "is a folder")])
def test_json_replaces_no_picture_and_is_no_folder(tmp_path, capsys, command, name, words):
    (tmp_path / "folder").mkdir()
    with pytest.raises(SystemExit):
        main([*command.split(), "--json", str(tmp_path / name)])
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("out", [".", "found", "found/a.png"])
def test_masks_replace_no_results(tmp_path, capsys, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64)).save("a.png")
    masks = "." if out == "." else str(tmp_path / "found")
    assert main(["predict", "a.png", "--out", out, "--masks", masks]) == 2
    assert "whose pictures have the same names as the masks" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("score", ["50", "-1", "nan", "much"])
def test_predict_refuses_scores_out_of_range(score, capsys):
    with pytest.raises(SystemExit):
        main(["predict", "x.jpg", "--min-score", score])
    assert "--min-score" in capsys.readouterr().err


def test_predict_says_which_devices_there_are(tmp_path, capsys):
    Image.new("RGB", (64, 64)).save(tmp_path / "x.png")
    assert main(["predict", str(tmp_path / "x.png"), "--device", "gpu", "--out", str(tmp_path)]) == 2
    assert "auto, cuda, mps, cpu" in capsys.readouterr().err


def test_convert_does_not_write_over_its_source(tmp_path, capsys):
    assert main(["convert", "toytown", str(tmp_path / "half"), "--half"]) == 0
    size = (tmp_path / "half" / "model.safetensors").stat().st_size
    assert main(["convert", str(tmp_path / "half"), str(tmp_path / "half")]) == 2
    assert "is the source itself" in capsys.readouterr().err
    assert (tmp_path / "half" / "model.safetensors").stat().st_size == size
    weights = tmp_path / "half" / "model.safetensors"  # of a folder: read with the configuration beside it
    assert ofl.from_pretrained(weights).config == ofl.config.toytown()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["predict", "nowhere.jpg"], "nowhere.jpg does not exist"),
        (["predict", str(Path(__file__).parent)], "is a folder: expected a picture"),
        (["predict", PICTURE, "--model", "nowhere.pth"], "nowhere.pth does not exist"),
        (["train", "--preset", "nonsense", "--steps", "1"], "there are toytown, toytown_crowded, coco_r50"),
        (["predict", PICTURE, "--model", "nothing"], "no model 'nothing'"),
        (["eval", "--data", "nowhere"], "nowhere does not exist: expected the folder of a data set"),
        (["train", "--data", "nowhere", "--steps", "1"], "nowhere does not exist"),
        (["train", "--data", __file__, "--steps", "1"], "test_cli.py is no folder"),
        (["doctor", "--data", "nowhere"], "nowhere does not exist"),
        (["doctor", "--run", "nowhere"], "nowhere does not exist: --run takes the folder that a run writes to"),
        (["eval", "--data", str(SAMPLE), "--split", "test"], "has the splits val, not 'test'"),
        (["train", "--data", str(SAMPLE), "--train-split", "val", "--val-split", "x", "--steps", "1"], "not 'x'"),
        (["train", "--preset", "coco_r5", "--steps", "1"], "no preset 'coco_r5'"),
    ],
)
def test_mistakes_get_one_sentence_and_no_traceback(arguments, words, capsys):
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert words in err and "Traceback" not in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "preset, augmentation, schedule",
    [("toytown", "flip", "cosine"), ("coco_r50", "coco", "multistep"), ("ade20k_swin_t", "ade20k", "poly"),
     ("cityscapes_swin_l", "cityscapes", "poly"), ("mapillary_r50", "mapillary", "poly")],
)  # fmt: skip
def test_a_preset_trains_with_the_recipe_of_its_data_set(preset, augmentation, schedule, monkeypatch, tmp_path):
    asked = []

    def train(config, train_config):
        asked.append((config, train_config))
        return ofl.TrainingResult(tmp_path, None, 3, 1.0, [], True)

    monkeypatch.setattr("oneformer_lite.training.train", train)
    arguments = ["--data", str(SAMPLE), "--train-split", "val", "--steps", "3", "--batch-size", "2"]
    assert main(["train", "--preset", preset, *arguments]) == 0
    (config, train_config), = asked
    assert (train_config.augmentation, train_config.schedule) == (augmentation, schedule)
    assert (train_config.steps, train_config.minutes, train_config.batch_size) == (3, None, 2)
    assert config.num_classes == 14 and config.backbone == getattr(ofl.config, preset)().backbone


def test_a_plan_is_printed_instead_of_training(monkeypatch, tmp_path, capsys):
    from oneformer_lite.training.measure import Measurement

    asked = []

    def ask(config, train_config, *rest):
        asked.append((config.image_size, train_config.batch_size, train_config.accumulate))
        return Measurement("CPU", 2.0, 10**9, 2 * 10**9, None, None, 10**7, 10**8)

    monkeypatch.setattr("oneformer_lite.training.plan._ask", ask)
    sample, out = SAMPLE, tmp_path / "run"
    arguments = ["--data", str(sample), "--train-split", "val", "--steps", "1800", "--out", str(out)]
    assert main(["train", "--preset", "coco_r50", *arguments, "--machine", "cpu", "--plan"]) == 0
    printed = capsys.readouterr()
    assert asked == [(320, 4, 2)] and not out.exists()
    assert f"Plan of {out}" in printed.out and "2 hours: 3,600 steps of 2 s" in printed.out
    assert "for cpu: batch_size 8 -> 4" in printed.err


def test_a_wrong_number_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["demo", "--minutes", "-1"])
    assert "expected a positive number, got -1" in capsys.readouterr().err


def test_the_demo_from_paint_to_report_stopped_and_taken_up(tmp_path):
    """Ctrl-C in the middle of training; the same command finishes the run. Held-out scenes are a few of the 200."""
    out = tmp_path / "demo"
    few = "import sys; from oneformer_lite import cli, demo; demo.VAL_SCENES = 12; sys.exit(cli.main(sys.argv[1:]))"
    command = [sys.executable, "-c", few, "demo", "--steps", "12", "--scenes", "24", "--out"]
    process = subprocess.Popen([*command, str(out)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and not (out / "metrics.jsonl").exists():
        time.sleep(0.2)
    while time.monotonic() < deadline and (out / "metrics.jsonl").read_text().count("\n") < 2:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130 and "the same command resumes it" in err, err[-2000:]
    assert (out / "checkpoint.pt").is_file() and not (out / "model").exists()
    done = len((out / "metrics.jsonl").read_text().splitlines())

    again = subprocess.run([*command, str(out)], capture_output=True, text=True, timeout=1500)
    assert again.returncode == 0, again.stderr[-2000:]
    for word in ("painting train", "training", "class ", "mask ", "dice ", "contrastive ", "evaluating", "report.html"):
        assert word in again.stderr
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert len(records) > done and records[-1]["kind"] == "final"
    assert all(0 <= records[-1][name] <= 100 for name in ("PQ", "AP", "mIoU", "mDice", "pixel_accuracy"))
    steps = [r["step"] for r in records if r["kind"] == "train"]
    assert steps == sorted(set(steps)) and steps[-1] == records[-1]["step"] == 12
    html = (out / "report.html").read_text()
    assert html.count("held-out scene") >= 10 and "oneformer_lite" in html
    assert ofl.from_pretrained(out / "model").config == ofl.config.toytown()


def test_doctor_of_a_run(tmp_path, capsys) -> None:
    from oneformer_lite.config import toytown
    from oneformer_lite.training import toytown_training
    from oneformer_lite.training.log import Log
    from oneformer_lite.training.state import write_recipe

    write_recipe(toytown(), toytown_training(out=str(tmp_path), data=str(tmp_path), minutes=1, batch_size=1), "cpu:1")
    Log(tmp_path).write("train", 1, 1.0, total=3.0)
    assert main(["doctor", "--run", str(tmp_path), "--html", str(tmp_path / "doctor.html")]) == 2
    printed = capsys.readouterr()
    assert "x   recipe: batch_size 1" in printed.out and "see the lines marked with a cross" in printed.err
    assert "batch_size 1" in (tmp_path / "doctor.html").read_text()


@pytest.mark.parametrize("arguments", [["train", "--steps", "1"], ["eval"], ["doctor"]])
def test_a_wrong_path_is_refused_before_anything_slow_is_imported(arguments):
    code = (
        "import sys\nfrom oneformer_lite.cli import main\n"
        f"assert main({[*arguments, '--data', 'nowhere']!r}) == 2\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("kind", ["label maps", "outlines"])
def test_own_data_where_nobody_looks_are_told_where_they_belong(tmp_path, capsys, kind):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ("0.png" if kind == "label maps" else "train.json")).touch()
    for command in (["doctor"], ["train", "--steps", "1"], ["eval"]):
        assert main([*command, "--data", str(tmp_path)]) == 2
        said = capsys.readouterr().err
        place = "masks/" if kind == "label maps" else "annotations/instances_"
        assert kind in said and place in said and "ofl.data.open(annotation, pictures=folder)" in said


def test_a_training_that_learned_nothing_is_no_success_of_the_command(monkeypatch, tmp_path, capsys):
    trouble = "the total loss has not fallen: 40 at first, 41 at the end"
    result = ofl.TrainingResult(tmp_path, None, 3, 1.0, [], True, trouble)
    monkeypatch.setattr("oneformer_lite.training.train", lambda *recipes: result)
    assert main(["train", "--data", str(SAMPLE), "--train-split", "val", "--steps", "3"]) == 2
    said = capsys.readouterr()
    assert "finished after 3 steps" in said.out and f"hardly be of use: {trouble}" in said.err


def test_predict_takes_windows_views_and_several_models(tmp_path, capsys):
    picture = tmp_path / "wide.png"
    Image.fromarray(ofl.data.Toytown("val", (64, 200))[0].image).save(picture)
    command = ["predict", str(picture), "--task", "semantic", "--out", str(tmp_path)]
    command += ["--json", str(tmp_path / "a.json")]
    main([*command, "--windows", "96", "--flip"])
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["model"] == "toytown" and found["pictures"][0]["width"] == 200
    main([*command, "--model", "toytown", "--model", "toytown", "--scales", "1"])
    assert json.loads((tmp_path / "a.json").read_text())["model"] == ["toytown", "toytown"]
    for wrong in (["--windows", "0"], ["--scales", "-1"]):
        with pytest.raises(SystemExit):
            main([*command, *wrong])
    capsys.readouterr()
