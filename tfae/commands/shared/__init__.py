"""What several commands use: flags, images chosen by flags, figures."""
