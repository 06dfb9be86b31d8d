"""What was measured: omics files in, evidence per gene out."""
