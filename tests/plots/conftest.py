"""What tests of figures share."""

import pytest
from matplotlib import pyplot as plt


@pytest.fixture
def figure(monkeypatch):
    """Returns the figure that was saved last."""
    saved = []
    monkeypatch.setattr(plt.Figure, 'savefig', lambda figure, *_, **__: saved.append(figure))
    yield lambda: saved[-1]
    plt.close('all')
