"""Questions asked of codes, pictures and labels: numpy in, numpy out; one file a question."""
