"""TF1's `tf.contrib`: one file a subject, which `tfae.compat.importer` serves."""
