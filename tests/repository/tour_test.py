"""docs/guide/tour.ipynb runs to its end in a new folder and plots its figures."""

import base64
import io
import pathlib

import nbformat
import numpy as np
from nbclient import NotebookClient
from PIL import Image

TOUR = pathlib.Path(__file__).parents[2] / 'docs' / 'guide' / 'tour.ipynb'


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get('outputs', [])]


def figures(notebook):
    found = [output['data']['image/png'] for output in outputs(notebook) if 'data' in output]
    return [Image.open(io.BytesIO(base64.b64decode(text))).convert('L') for text in found]


def test_the_notebook_runs_and_plots(tmp_path):
    notebook = nbformat.read(TOUR, as_version=4)
    kept = len(figures(notebook))
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name='python3',
        resources={'metadata': {'path': str(tmp_path)}},
    ).execute()
    said = (o for o in outputs(notebook) if o.get('name') == 'stdout')
    printed = ''.join(output['text'] for output in said)
    assert 'finished at step 1,213 of 1,213; run in runs/tour' in printed
    assert 'finished at step 1,011 of 1,011; run in runs/vae' in printed
    assert 'encoder/layer_1/kernel (64, 128)' in printed
    assert "Experiment('variational', units=(128,), " in printed
    assert 'Traceback' not in printed and 'rror:' not in printed
    plotted = figures(notebook)
    assert len(plotted) == kept == 4
    for figure in plotted:
        assert np.asarray(figure).std() > 20
    assert (tmp_path / 'runs' / 'tour' / 'config.json').is_file()


def test_the_notebook_is_kept_small_with_its_figures():
    assert TOUR.stat().st_size < 300_000
    nbformat.validate(nbformat.read(TOUR, as_version=4))
