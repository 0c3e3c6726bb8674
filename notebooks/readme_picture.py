"""The picture at the top of the README: three scenes, three answers each, by the shipped checkpoint.

    python notebooks/readme_picture.py
"""

from pathlib import Path

import oneformer_lite as ofl

SCENES = (13, 6, 10)
TASKS = ("semantic", "panoptic", "instance")


def main() -> None:
    model = ofl.from_pretrained("toytown")
    town = ofl.data.Toytown("val", size=256)
    rows = []
    for index in SCENES:
        image = town[index].image
        answers = [ofl.predict(model, image, task).render() for task in TASKS]
        rows.append([ofl.render.enlarge(image, answers[0].shape[0] // image.shape[0]), *answers])
    sheet = ofl.render.contact_sheet(rows, column_titles=("picture", *TASKS))
    path = Path(__file__).with_name("three_tasks.webp")
    path.write_bytes(ofl.render.webp_bytes(sheet))
    print(path, f"{path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
