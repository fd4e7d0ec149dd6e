"""One file per data set. See `tfae.data.dataset` for the contract."""
