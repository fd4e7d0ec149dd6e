"""Building blocks of the families: objectives, encoder and decoder stacks, their flags."""
