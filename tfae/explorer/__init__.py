"""A page on this machine where a decoder answers while its code is moved."""
