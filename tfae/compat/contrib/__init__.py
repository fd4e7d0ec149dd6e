"""TF1's `tf.contrib`: one file per module, which `tfae.compat.importer` serves."""
