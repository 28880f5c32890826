"""A pipeline definition: what it says, in which order its steps run, what is cached, recorded and shown."""
