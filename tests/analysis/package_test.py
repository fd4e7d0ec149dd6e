"""The modules of the package."""

import pathlib

from tfae import analysis


def test_every_public_module_is_listed_and_imported_on_first_use():
    files = pathlib.Path(analysis.__file__).parent.glob('[!_]*.py')
    assert sorted(path.stem for path in files) == analysis.__all__
    assert all(f'    {name} ' in analysis.__doc__ for name in analysis.__all__)
    assert analysis.layer_graph.__name__ == 'tfae.analysis.layer_graph'
