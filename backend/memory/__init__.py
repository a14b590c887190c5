"""Where the weights of networks are: reading them from files, holding them as they are stored, and
letting them go again. Knows no family of models and no engine."""
