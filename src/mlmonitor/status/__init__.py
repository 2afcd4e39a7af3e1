"""What a person is shown: the state of a model as data, and as text."""
