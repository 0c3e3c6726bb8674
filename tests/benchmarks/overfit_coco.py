"""Can the laptop model learn real photographs by heart? Eight COCO pictures, 300 steps, training PQ.

    python tests/benchmarks/overfit_coco.py --data FOLDER [--images 8] [--steps 300]

FOLDER holds train2017/ and annotations/panoptic_train2017.json with its PNGs. A model that cannot do this
has a bug somewhere between annotation and metric.
"""

import argparse
import dataclasses
import json
import tempfile

import oneformer_lite as ofl
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.views import Chosen
from oneformer_lite.training import toytown_training, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", default="train2017")
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=8)
    options = parser.parse_args()

    data = Chosen(open_split(options.data, options.split), range(options.images))
    config = ofl.config.for_classes(ofl.config.toytown(), data.categories)
    # training fits pictures into 256 x 256; so does inference
    config = dataclasses.replace(config, image_size=256, test_size=256, test_max_size=256)
    with tempfile.TemporaryDirectory() as out:
        settings = toytown_training(
            out=out, steps=options.steps, batch_size=options.batch_size, augmentation="fit", evaluations=0,
            start_from=None,
        )
        result = train(config, settings, train_data=data)
        metrics = ofl.evaluate(result.model, data, batch_size=4)
    rounded = {name: round(value, 1) for name, value in metrics.items()}
    print(json.dumps({"images": options.images, "steps": result.steps, "seconds": round(result.seconds), **rounded}))


if __name__ == "__main__":
    main()
