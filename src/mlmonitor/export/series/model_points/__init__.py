"""Points about a model as a whole: its verdict, challenges, figures and attributions."""
