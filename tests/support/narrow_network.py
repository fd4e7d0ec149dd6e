"""VGG-11 with a sixteenth of its filters and five classes, and arrays of its weights."""

import dataclasses

import numpy as np

from tfae import pretrained

NAME = 'vgg11'
CLASSES = 5
WIDTH = 1 / 16
WORDS = (f'--model={NAME}', f'--class_count={CLASSES}', f'--width={WIDTH}')


def arrays():
    """Returns variable name -> values with which classes and feature maps differ by image."""
    page = pretrained.references()[NAME]
    config = dataclasses.replace(page.NETWORKS[NAME], width=WIDTH)
    random = np.random.RandomState(0)
    found = {}
    for layer in page.Model(config, classes=CLASSES).parameters:
        # He et al. 2015, and smaller in the last layer, so that no probability is 1.
        scale = np.sqrt(2 / np.prod(layer.kernel[:-1])) * (0.1 if layer.name == 'fc8' else 1)
        kernel, bias = (random.normal(size=shape) for shape in (layer.kernel, layer.kernel[-1:]))
        found[f'{layer.name}/kernel'] = (scale * kernel).astype(np.float32)
        found[f'{layer.name}/bias'] = (0.1 * bias).astype(np.float32)
    return found
