"""Synchronous training by several workers."""
