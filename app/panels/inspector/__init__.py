"""The inspector: the values of what is selected, the document itself, and its history."""
