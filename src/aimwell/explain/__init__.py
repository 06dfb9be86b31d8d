"""Why: exact attributions, connected subgraphs and plain sentences."""
