"""The only folder here that talks to AWS: one module for each service, with the client passed in."""
