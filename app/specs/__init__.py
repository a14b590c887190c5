"""What the studio knows of node types, and of the open document before it runs."""
