"""Code that several commands share: flags, images chosen by flags, figures."""
