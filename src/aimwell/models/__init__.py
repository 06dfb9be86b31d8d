"""What is predicted: graph, evidence and labels in, an out-of-fold ranking out."""
