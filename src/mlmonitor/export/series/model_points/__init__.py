"""Points about a model besides its fields: its verdict, figures and attributions."""
