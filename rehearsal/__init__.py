"""The whole life of a project on one machine, with every permission enforced. The product does not depend on it."""
