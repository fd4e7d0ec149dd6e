"""One file a data set. See `tfae.data.dataset` for the contract."""
