"""Where the time and the memory of a model's call go, by kind of operator."""
