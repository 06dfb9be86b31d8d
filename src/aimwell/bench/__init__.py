"""The measured bars, one command each."""
