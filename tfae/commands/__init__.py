"""The verbs of the program `tfae`: each a module with `main(argv) -> exit code`.

A verb's flags live in a `FlagValues` of its own; nothing below this folder reads a flag.
"""
