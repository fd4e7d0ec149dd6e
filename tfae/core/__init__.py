"""What every folder needs: errors, configuration, names, files, signals. No graph, no data."""
