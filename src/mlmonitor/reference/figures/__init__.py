"""What belongs to training rows besides features: business figures and attributions."""
