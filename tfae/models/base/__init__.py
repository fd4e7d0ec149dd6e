"""What several families are built from: objectives, encoder and decoder stacks, their flags."""
