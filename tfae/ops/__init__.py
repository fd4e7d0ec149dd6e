"""Functions of tensors without variables: noise, activations, corruption, sub-pixel shuffles."""
