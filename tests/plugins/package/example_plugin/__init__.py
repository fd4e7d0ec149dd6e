"""A family, a data set and functions from outside of tfae, as somebody else would write them."""
