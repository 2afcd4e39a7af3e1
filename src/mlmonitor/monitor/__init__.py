"""What a user creates: `Monitor`, and the parts it is made of."""
