"""Questions asked of codes, pictures and labels: numpy in, numpy out; one file a question.

Those about the reasons of a network ask its graph for slopes; any graph serves.
"""
