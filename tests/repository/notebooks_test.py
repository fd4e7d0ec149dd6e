"""The notebooks of the documentation run to their end in a new folder and plot their figures.

Their cells compare what the graph computes with numpy, and fail where it differs.
"""

import base64
import io
import os
import pathlib
import sys

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

DOCS = pathlib.Path(__file__).parents[2] / 'docs'
NOTEBOOKS = sorted(DOCS.rglob('*.ipynb'))
# Name -> what it prints.
PRINTED = {
    'convolutions': (
        'tooth   put at [8, 60], found at [8, 60]',
        'valley  put at [25], found at [25]',
        'ramp    put at [40, 75], found at [40, 75]',
        'first value: 1*1 + 0*2 - 1*0 + 2*1 = 3',
        '(12, 14, 3) (3, 3, 3, 4) -> (10, 12, 4)',
        'film (8, 12, 16, 1) -> motion (7, 12, 16, 1)',
    ),
    'dag': (
        'shared/kernel   (4, 4)',
        'dag.svg',
        'Jacobians (5, 4, 3), largest difference ',
        'gradient of the first use + gradient of the second use = gradient of the kernel',
    ),
    'tour': (
        'finished at step 1,213 of 1,213; run in runs/tour',
        'finished at step 1,011 of 1,011; run in runs/vae',
        'encoder/layer_1/kernel (64, 128)',
        "Experiment('variational', units=(128,), ",
    ),
}
KEPT = {'convolutions': 7, 'dag': 0, 'tour': 4}  # figures

every_notebook = pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get('outputs', [])]


def figures(notebook):
    data = [output['data'] for output in outputs(notebook) if 'data' in output]
    found = [one['image/png'] for one in data if 'image/png' in one]
    return [Image.open(io.BytesIO(base64.b64decode(text))).convert('L') for text in found]


@pytest.mark.parametrize(
    'path',
    [
        pytest.param(path, id=path.stem, marks=[] if path.stem == 'tour' else pytest.mark.slow)
        for path in NOTEBOOKS
    ],
)
def test_a_notebook_runs_and_plots(tmp_path, monkeypatch, path):
    # Cells call the program by its name.
    monkeypatch.setenv(
        'PATH', f'{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    )
    notebook = nbformat.read(path, as_version=4)
    kept = len(figures(notebook))
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name='python3',
        resources={'metadata': {'path': str(tmp_path)}},
    ).execute()
    printed = ''.join(o['text'] for o in outputs(notebook) if o.get('name') == 'stdout')
    for text in PRINTED[path.stem]:
        assert text in printed
    assert 'Traceback' not in printed and 'rror:' not in printed
    plotted = figures(notebook)
    assert len(plotted) == kept == KEPT[path.stem]
    for figure in plotted:
        assert np.asarray(figure).std() > 20


@every_notebook
def test_a_notebook_is_kept_small_with_what_it_printed(path):
    assert path.stat().st_size < 500_000
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert all(cell.get('execution_count') for cell in notebook.cells if cell.cell_type == 'code')
