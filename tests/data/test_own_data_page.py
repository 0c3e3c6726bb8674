"""The code on data/README.md runs as it stands, on files such as the page describes; only its minutes are cut."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.config import BaseConfig

PAGE = Path(__file__).parents[2] / "data" / "README.md"


def code(title: str) -> list[str]:
    """The python blocks of a section, for two steps instead of twenty minutes."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    text = "\n".join(blocks)
    assert text.count("minutes=20") == 1
    evaluations = ", evaluations=1" * ("evaluations=" not in text)
    short = {"minutes=20": f"steps=2, batch_size=2, workers=0{evaluations}"}
    short |= {f"ofl.config.{name}()": f"small(ofl.config.{name}())" for name in ("nuclei", "camvid")}
    for long, other in short.items():
        blocks = [block.replace(long, other) for block in blocks]
    return blocks


def small(config: BaseConfig) -> BaseConfig:
    """What learns small pictures in seconds."""
    return replace(config, image_size=64, test_size=64, num_queries=32)


def picture(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grass with two balls: a picture uint8 [48, 64, 3] and the number of the ball, 0 = grass."""
    y, x = np.mgrid[:48, :64]
    balls = np.zeros((48, 64), np.int32)
    for number, column in ((1, 15 + seed), (2, 45 - seed)):
        balls[(y - 24) ** 2 + (x - column) ** 2 < 64] = number
    return np.where(balls[..., None] > 0, [200, 40, 40], [40, 160, 60]).astype(np.uint8), balls


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def run(title: str) -> dict:
    names: dict = {"small": small}
    for block in code(title):
        exec(compile(block, f"data/README.md, {title}", "exec"), names)
    return names


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_maps_of_segments():
    for i in range(8):
        image, balls = picture(i)
        save(Path(f"data/raw/{i}.jpg"), image)
        save(Path(f"data/raw/{i}.png"), np.where(balls, 1000 + balls, 2000).astype(np.uint16))
    names = run("Maps of segments")
    train = names["ofl"].data.PanopticDataset(
        "data/mine/train", "data/mine/annotations/panoptic_train.json", "data/mine/annotations/panoptic_train"
    )
    assert len(train) == 6 and [s.id for s in train[0].segments] == [1001, 1002, 2000]
    assert names["result"].finished and names["result"].steps == 2
    assert names["prediction"].segment_map.shape == (48, 64) and Path("runs/mine/3.png").exists()
    assert names["ofl"].from_pretrained("runs/mine/model").config.num_classes == 2


def test_outlines_of_objects():
    for split, numbers in {"train": range(5), "val": range(5, 7)}.items():
        content = {"images": [], "annotations": [], "categories": [{"id": 3, "name": "ball"}]}
        for i in numbers:
            save(Path(f"data/objects/pictures/{i}.jpg"), picture(i)[0])
            content["images"].append({"id": i, "file_name": f"{i}.jpg", "height": 48, "width": 64})
            for k, column in enumerate((15 + i, 45 - i)):
                square = [column - 7, 17, column + 7, 17, column + 7, 31, column - 7, 31]
                entry = {"id": 2 * i + k + 1, "image_id": i, "category_id": 3, "segmentation": [square], "iscrowd": 0}
                content["annotations"].append(entry)
        Path(f"data/objects/{split}.json").write_text(json.dumps(content))
    names = run("Outlines of objects")
    assert names["result"].steps == 2 and names["train"].tasks == ("instance",)
    assert Path("runs/objects/0.png").exists()


def test_instance_maps():
    for i in range(4):
        image, balls = picture(i)
        save(Path(f"data/nuclei/images/{i}.png"), image)
        save(Path(f"data/nuclei/instances/{i}.png"), balls.astype(np.uint16))
    names = run("Instance maps")
    assert names["result"].steps == 2 and len(names["train"]) == 3 and Path("runs/nuclei/0.png").exists()
    assert sum(row["TP"] + row["FN"] for row in names["analysis"].numbers["instance"]["by_size"]) == 2


def test_street_photographs():
    for split, count in {"train": 2, "test": 1}.items():
        for i in range(count):
            image, balls = picture(i)
            save(Path(f"data/camvid/images/{split}/{i}.jpg"), image)
            save(Path(f"data/camvid/labels/{split}/{i}.png"), np.where(balls, 8, 3).astype(np.uint8))
    names = run("Street photographs")
    assert names["result"].steps == 2 and names["config"].class_names[8] == "car"


def test_label_maps():
    for split, count in {"train": 5, "val": 2}.items():
        for i in range(count):
            image, balls = picture(i)
            save(Path(f"data/maps/{split}/pictures/{i}.jpg"), image)
            save(Path(f"data/maps/{split}/labels/{i}.png"), np.where(balls, 2, 1).astype(np.uint8))
    names = run("Label maps")
    assert names["result"].steps == 2 and names["prediction"].label_map.shape == (48, 64)
    assert Path("runs/maps/0.png").exists()


def test_the_page_names_every_data_set_of_the_command():
    from oneformer_lite.cli import build_parser

    parser = build_parser()
    commands = next(a for a in parser._actions if a.choices).choices
    data_sets = next(a for a in commands["download"]._actions if a.choices).choices
    page = PAGE.read_text(encoding="utf-8")
    assert sorted(data_sets) == ["ade20k", "cityscapes", "coco", "digits", "toytown"]
    assert all(f"oneformer-lite download {name}" in page for name in data_sets)
