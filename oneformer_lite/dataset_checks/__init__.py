"""What can be wrong with data, found without a model: asked by ``ofl.doctor`` and before the first step of a training.

``findings`` is what a check answers; ``annotation`` and ``alignment`` look at samples, ``splits`` at whole data sets:
their files, their classes, and whether those of validation are those of training.
"""
