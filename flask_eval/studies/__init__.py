"""What goes round the whole tool: the demo, a study file, judging until settled."""
